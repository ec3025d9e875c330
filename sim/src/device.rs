//! What a simulated device computes: numbers that are wrong as soon as anything before them was.
//!
//! A stage mixes what a row is with all that it keeps of earlier rows, in the KV blocks that the core
//! named, and adds for its layers the difference of two numbers, of which only the outermost are left
//! when all layers have been added. So a lost or doubled row, a wrong block, a layer that is skipped or
//! done twice, or another order gives another token, however the layers are cut, and a row costs the
//! same for one layer as for eighty. Members of a tensor-parallel stage each add up a part for their own
//! heads and columns in the same way, and the leader's rows are right only if the parts are whole.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use swarm_core::{Body, ComputeFault, Computed, Shard};
use swarm_proto::{BLOCK_TOKENS, Batch, Draw, Item, ModelSpec, Sampled, Span};

/// Bytes of a row: four numbers.
const ROW_BYTES: usize = 32;
/// What a row finds where nothing was kept. No computed value is like it, but by chance.
const NOTHING: u64 = 0x6e6f_7468_696e_6721;

/// A block that was never written.
const UNWRITTEN: [u64; BLOCK_TOKENS as usize] = [NOTHING ^ 1; BLOCK_TOKENS as usize];

/// What a device must know of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    layers: u32,
    kv_heads: u32,
    ffn: u32,
    vocab: u32,
}

/// What a device keeps in its KV blocks, up to the last that was written: a number for each place.
#[derive(Debug, Default)]
pub(crate) struct Cache(Vec<[u64; BLOCK_TOKENS as usize]>);

/// A row on its way through the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The token and where it stands.
    is: u64,
    /// What the layers so far have come to.
    sum: u64,
    /// How many layers that is.
    layers: u64,
}

/// What a device has computed, before the parts of the other members are in it.
#[derive(Debug)]
pub(crate) struct Outcome {
    rows: Vec<Row>,
    /// Each row's part that this member's heads and columns give.
    pub(crate) part: Arc<[u64]>,
}

/// One device alone, token by token: what the swarm must come to.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    shape: Shape,
    kept: u64,
    tokens: Vec<u32>,
}

fn mix(a: u64, b: u64) -> u64 {
    let mut x = (a ^ b.rotate_left(32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)).wrapping_add(b)
}

/// What things from one number to another add: of ranges that cover all, each once, the sum is that of
/// the whole.
fn between(value: u64, first: u32, end: u32) -> u64 {
    mix(value, u64::from(end)).wrapping_sub(mix(value, u64::from(first)))
}

fn pick(sum: u64, draw: &Draw, vocab: u32) -> u32 {
    let mut value = sum;
    if draw.sampling.temperature > 0.0 {
        value = mix(mix(value, draw.sampling.seed), u64::from(draw.step));
    }
    for token in &draw.recent {
        value = mix(value, u64::from(*token));
    }
    (value % u64::from(vocab.max(1))) as u32
}

impl Shape {
    pub(crate) fn of(model: &ModelSpec) -> Self {
        let ModelSpec { layers, kv_heads, ffn, vocab, .. } = *model;
        Self { layers, kv_heads, ffn, vocab }
    }

    /// What some heads and columns add to a row.
    fn part(heads: (u32, u32), columns: (u32, u32), row: Row) -> u64 {
        let of_columns = between(!row.sum, columns.0, columns.1);
        between(row.sum, heads.0, heads.1).wrapping_add(of_columns)
    }

    /// What all heads and columns add to a row.
    fn whole(self, row: Row) -> u64 {
        Self::part((0, self.kv_heads), (0, self.ffn), row)
    }
}

impl Reference {
    pub(crate) fn new(shape: Shape) -> Self {
        Self { shape, kept: NOTHING, tokens: Vec::new() }
    }

    /// Takes in the next token.
    pub(crate) fn push(&mut self, token: u32) {
        let row = Row::of(token, self.tokens.len() as u32);
        self.kept = mix(self.kept, row.is);
        self.tokens.push(token);
    }

    /// What a device keeps of the last token and all before it, if that is the first after whole blocks.
    pub(crate) fn after_blocks(&self) -> Option<u64> {
        let before = self.tokens.len().checked_sub(1)? as u32;
        (before > 0 && before.is_multiple_of(BLOCK_TOKENS)).then_some(self.kept)
    }

    /// The token that follows.
    pub(crate) fn next(&self, sampling: &swarm_proto::Sampling, step: u32) -> u32 {
        let recent = match sampling.repetition_penalty {
            1.0 => Vec::new(),
            _ => self.tokens.clone(),
        };
        let sum = between(self.kept, 0, self.shape.layers);
        pick(sum, &Draw { sampling: sampling.clone(), step, recent }, self.shape.vocab)
    }
}

impl Row {
    fn of(token: u32, position: u32) -> Self {
        Self { is: mix(u64::from(token), u64::from(position)), sum: 0, layers: 0 }
    }

    /// Through some layers, given what the rows up to this one have come to there.
    fn through(self, shard: &Shard, kept: u64) -> Self {
        let (first, end) = (shard.layers.first(), shard.layers.end());
        let sum = self.sum.wrapping_add(between(kept, first, end));
        // What came from elsewhere than from the layer before is nothing that goes on.
        let sum = if self.layers == u64::from(first) { sum } else { mix(sum, self.layers) };
        Self { sum, layers: u64::from(end), ..self }
    }

    fn seal(self) -> u64 {
        mix(mix(self.is, self.sum), self.layers)
    }

    fn write(self, bytes: &mut BytesMut) {
        [self.is, self.sum, self.layers, self.seal()].into_iter().for_each(|n| bytes.put_u64_le(n));
    }

    /// A row off the wire: if its seal is not its own, something else than was sent.
    fn read(rows: &Bytes, number: usize) -> Result<Self, ComputeFault> {
        let bytes = rows.get(number * ROW_BYTES..(number + 1) * ROW_BYTES);
        let bytes = bytes.ok_or(ComputeFault::Device)?;
        let mut words = bytes.chunks_exact(8).map(|word| {
            word.iter().rev().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte))
        });
        let mut word = || words.next().ok_or(ComputeFault::Device);
        let row = Self { is: word()?, sum: word()?, layers: word()? };
        let seal = word()?;
        Ok(if seal == row.seal() { row } else { Self { sum: mix(row.sum, seal), ..row } })
    }
}

impl Cache {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn place(&mut self, item: &Item, position: u32) -> Option<&mut u64> {
        let block = *item.blocks.get((position / BLOCK_TOKENS) as usize)? as usize;
        if block >= self.0.len() {
            self.0.resize(block + 1, UNWRITTEN);
        }
        self.0[block].get_mut((position % BLOCK_TOKENS) as usize)
    }

    /// What the first row of an item comes to after what is kept of those before it; none if it is the
    /// first of all, or there is no block of the one before.
    pub(crate) fn continued(&self, item: &Item) -> Option<u64> {
        let before = item.position.checked_sub(1)?;
        let block = item.blocks.get((before / BLOCK_TOKENS) as usize)?;
        let places = self.0.get(*block as usize).unwrap_or(&UNWRITTEN);
        let kept = places.get((before % BLOCK_TOKENS) as usize)?;
        Some(mix(*kept, Row::of(*item.tokens.first()?, item.position).is))
    }

    /// Two blocks change places.
    pub(crate) fn swap(&mut self, one: usize, other: usize) {
        if self.0.len() > one.max(other) {
            self.0.swap(one, other);
        }
    }

    /// Computes a batch for a shard.
    pub(crate) fn compute(
        &mut self,
        shard: &Shard,
        batch: &Batch,
        input: Option<&Bytes>,
    ) -> Result<Outcome, ComputeFault> {
        let mut rows = Vec::with_capacity(batch.rows());
        for item in &batch.items {
            for (token, position) in item.tokens.iter().zip(item.position..) {
                let row = match input {
                    None => Row::of(*token, position),
                    Some(input) => Row::read(input, rows.len())?,
                };
                let before = match position.checked_sub(1) {
                    None => NOTHING,
                    Some(before) => *self.place(item, before).ok_or(ComputeFault::Device)?,
                };
                let kept = mix(before, row.is);
                *self.place(item, position).ok_or(ComputeFault::Device)? = kept;
                rows.push(row.through(shard, kept));
            }
        }
        let (heads, columns) = (ends(shard.kv_heads), ends(shard.ffn_columns));
        let part = rows.iter().map(|row| Shape::part(heads, columns, *row)).collect();
        Ok(Outcome { rows, part })
    }
}

fn ends<Of>(span: Span<Of>) -> (u32, u32) {
    (span.first(), span.end())
}

/// The place of every row of a batch.
fn places(batch: &Batch) -> impl Iterator<Item = (&Item, u32)> {
    let rows = |item: &Item| item.position..item.position + item.tokens.len() as u32;
    batch.items.iter().flat_map(move |item| rows(item).map(move |position| (item, position)))
}

impl Outcome {
    /// What the device answers, once the parts of all other members are here. Every member goes on
    /// from the sum: if that is wrong, so is what it keeps.
    pub(crate) fn finish(
        self,
        shard: &Shard,
        batch: &Batch,
        others: &[Arc<[u64]>],
        (cache, shape): (&mut Cache, Shape),
    ) -> Result<Computed, ComputeFault> {
        if others.iter().any(|other| other.len() != self.rows.len()) {
            return Err(ComputeFault::Group);
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for (item, position) in places(batch) {
            let index = rows.len();
            let row = self.rows[index];
            let sum = others.iter().fold(self.part[index], |sum, o| sum.wrapping_add(o[index]));
            let error = sum.wrapping_sub(shape.whole(row));
            if error != 0 {
                cache.place(item, position).into_iter().for_each(|kept| *kept = mix(*kept, error));
            }
            rows.push(Row { sum: row.sum.wrapping_add(error), ..row });
        }
        if !shard.leads {
            return Ok(Computed::Nothing);
        }
        if !shard.samples {
            let mut bytes = BytesMut::with_capacity(rows.len() * ROW_BYTES);
            rows.into_iter().for_each(|row| row.write(&mut bytes));
            return Ok(Computed::Activations(Body(bytes.freeze())));
        }
        let mut last = 0;
        let samples = batch.items.iter().map(|item| {
            last += item.tokens.len();
            let draw = item.sample.as_ref()?;
            let token = pick(rows[last - 1].sum, draw, shape.vocab);
            Some(Sampled { token, logprob: None, top: Vec::new() })
        });
        Ok(Computed::Samples(samples.collect()))
    }
}

#[cfg(test)]
mod tests;
