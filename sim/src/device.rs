//! What a simulated device computes: numbers that are wrong as soon as anything before them was.
//!
//! A layer mixes a row with all that this device keeps of the layer's earlier rows, in the KV blocks
//! that the core named. So a lost or doubled row, a wrong block, a skipped layer or another order
//! gives another token. Members of a tensor-parallel stage each add up a part for their own heads
//! and columns, and the leader's rows are right only if the parts are whole and right.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use swarm_core::{ComputeFault, Computed, Shard};
use swarm_proto::{BLOCK_TOKENS, Batch, Draw, FfnColumns, Item, KvHeads, Sampled, Span};

use crate::model;

/// Bytes of a row: eight f32 numbers, the value four times over.
const ROW_BYTES: usize = 32;
/// What a row finds where nothing was kept. No computed value is like it, but by chance.
const NOTHING: u64 = 0x6e6f_7468_696e_6721;

/// What a device keeps in its KV blocks: a value for each place and layer.
#[derive(Debug, Default)]
pub(crate) struct Cache(BTreeMap<u32, Box<[u64]>>);

/// What a device has computed, before the parts of the other members are in it.
#[derive(Debug)]
pub(crate) struct Outcome {
    rows: Vec<u64>,
    /// Each row's part that this member's heads and columns give.
    pub(crate) part: Arc<[u64]>,
}

/// One device alone, token by token: what the swarm must come to.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    kept: Vec<u64>,
    row: u64,
    tokens: Vec<u32>,
}

fn mix(a: u64, b: u64) -> u64 {
    let mut x = (a ^ b.rotate_left(32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)).wrapping_add(b)
}

fn embed(token: u32, position: u32) -> u64 {
    mix(u64::from(token), u64::from(position))
}

/// A row through one layer; `kept` holds what the rows before came to there, and then this one.
fn layer(row: u64, layer: u32, kept: &mut u64) -> u64 {
    *kept = mix(*kept, row);
    mix(mix(row, *kept), u64::from(layer))
}

fn pick(row: u64, draw: &Draw) -> u32 {
    let mut value = row;
    if draw.sampling.temperature > 0.0 {
        value = mix(mix(value, draw.sampling.seed), u64::from(draw.step));
    }
    for token in &draw.recent {
        value = mix(value, u64::from(*token));
    }
    (value % u64::from(model::VOCAB)) as u32
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self { kept: vec![NOTHING; model::LAYERS as usize], row: 0, tokens: Vec::new() }
    }

    /// Takes in the next token.
    pub(crate) fn push(&mut self, token: u32) {
        let mut row = embed(token, self.tokens.len() as u32);
        for (number, kept) in self.kept.iter_mut().enumerate() {
            row = layer(row, number as u32, kept);
        }
        self.row = row;
        self.tokens.push(token);
    }

    /// The token that follows.
    pub(crate) fn next(&self, sampling: &swarm_proto::Sampling, step: u32) -> u32 {
        let recent = match sampling.repetition_penalty {
            1.0 => Vec::new(),
            _ => self.tokens.clone(),
        };
        pick(self.row, &Draw { sampling: sampling.clone(), step, recent })
    }
}

impl Cache {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The places of a position's layers, first the one before it.
    fn place(&mut self, item: &Item, position: u32, layers: usize) -> Option<&mut [u64]> {
        let block = *item.blocks.get((position / BLOCK_TOKENS) as usize)?;
        let kept = self.0.entry(block).or_insert_with(|| {
            vec![NOTHING ^ 1; BLOCK_TOKENS as usize * layers].into_boxed_slice()
        });
        let at = (position % BLOCK_TOKENS) as usize * layers;
        kept.get_mut(at..at + layers)
    }

    /// Computes a batch for a shard.
    pub(crate) fn compute(
        &mut self,
        shard: &Shard,
        batch: &Batch,
        input: Option<&Bytes>,
    ) -> Result<Outcome, ComputeFault> {
        let layers = shard.layers.len() as usize;
        let mut rows = Vec::with_capacity(batch.rows());
        for item in &batch.items {
            for (offset, token) in item.tokens.iter().enumerate() {
                let position = item.position + offset as u32;
                let mut row = match input {
                    None => embed(*token, position),
                    Some(input) => value_at(input, rows.len())?,
                };
                let mut kept = match position.checked_sub(1) {
                    None => vec![NOTHING; layers],
                    Some(before) => {
                        let before = self.place(item, before, layers);
                        before.ok_or(ComputeFault::Device)?.to_vec()
                    }
                };
                for (number, kept) in kept.iter_mut().enumerate() {
                    row = layer(row, shard.layers.first() + number as u32, kept);
                }
                let here = self.place(item, position, layers).ok_or(ComputeFault::Device)?;
                here.copy_from_slice(&kept);
                rows.push(row);
            }
        }
        let part = rows.iter().map(|row| part(*row, shard.kv_heads, shard.ffn_columns)).collect();
        Ok(Outcome { rows, part })
    }
}

/// The place of every row of a batch.
fn places(batch: &Batch) -> impl Iterator<Item = (&Item, u32)> {
    let rows = |item: &Item| item.position..item.position + item.tokens.len() as u32;
    batch.items.iter().flat_map(move |item| rows(item).map(move |position| (item, position)))
}

/// What some heads and columns add to a row.
fn part(row: u64, heads: Span<KvHeads>, columns: Span<FfnColumns>) -> u64 {
    let heads = heads.range().map(|head| mix(row, head as u64));
    let grains = columns.range().step_by(model::FFN_GRAIN as usize);
    let columns = grains.map(|column| mix(row, 1_000 + column as u64));
    heads.chain(columns).fold(0, u64::wrapping_add)
}

impl Outcome {
    /// What the device answers, once the parts of all other members are here. Every member goes on
    /// from the sum: if that is wrong, so is what it keeps.
    pub(crate) fn finish(
        self,
        shard: &Shard,
        batch: &Batch,
        others: &[Arc<[u64]>],
        cache: &mut Cache,
    ) -> Result<Computed, ComputeFault> {
        if others.iter().any(|other| other.len() != self.rows.len()) {
            return Err(ComputeFault::Group);
        }
        let mut rows = Vec::with_capacity(self.rows.len());
        for (item, position) in places(batch) {
            let index = rows.len();
            let row = self.rows[index];
            let sum = others.iter().fold(self.part[index], |sum, o| sum.wrapping_add(o[index]));
            let error = sum.wrapping_sub(whole(row));
            if error != 0 {
                let kept = cache.place(item, position, shard.layers.len() as usize);
                kept.into_iter().flatten().for_each(|kept| *kept = mix(*kept, error));
            }
            rows.push(row.wrapping_add(error));
        }
        if !shard.leads {
            return Ok(Computed::Nothing);
        }
        if !shard.samples {
            let mut bytes = BytesMut::with_capacity(rows.len() * ROW_BYTES);
            rows.iter().for_each(|row| (0..4).for_each(|_| bytes.put_u64_le(*row)));
            return Ok(Computed::Activations(bytes.freeze()));
        }
        let mut last = 0;
        let samples = batch.items.iter().map(|item| {
            last += item.tokens.len();
            let draw = item.sample.as_ref()?;
            Some(Sampled { token: pick(rows[last - 1], draw), logprob: None, top: Vec::new() })
        });
        Ok(Computed::Samples(samples.collect()))
    }
}

/// What all heads and columns add to a row.
fn whole(row: u64) -> u64 {
    let heads = (0..model::KV_HEADS).map(|head| mix(row, u64::from(head)));
    let grains = (0..model::FFN).step_by(model::FFN_GRAIN as usize);
    let columns = grains.map(|column| mix(row, 1_000 + u64::from(column)));
    heads.chain(columns).fold(0, u64::wrapping_add)
}

/// A row off the wire: if its four copies differ, something that is none of them.
fn value_at(rows: &Bytes, row: usize) -> Result<u64, ComputeFault> {
    let bytes = rows.get(row * ROW_BYTES..(row + 1) * ROW_BYTES).ok_or(ComputeFault::Device)?;
    let mut values = bytes
        .chunks_exact(8)
        .map(|word| word.iter().rev().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte)));
    let first = values.next().ok_or(ComputeFault::Device)?;
    Ok(values.fold(first, |value, other| if other == first { value } else { mix(value, other) }))
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, HeadRange, LayerRange, Sampling};

    use super::*;

    fn shard(layers: (u32, u32), heads: (u32, u32), columns: (u32, u32), leads: bool) -> Shard {
        Shard {
            pipeline: 0,
            stage: 0,
            layers: LayerRange::new(layers.0, layers.1).unwrap(),
            kv_heads: HeadRange::new(heads.0, heads.1).unwrap(),
            ffn_columns: ColumnRange::new(columns.0, columns.1).unwrap(),
            embeds: layers.0 == 0,
            samples: layers.1 == model::LAYERS && leads,
            leads,
            kv_blocks: 8,
            members: Vec::new(),
        }
    }

    fn batch(position: u32, tokens: &[u32]) -> Batch {
        let draw = Draw { sampling: Sampling::default(), step: 0, recent: Vec::new() };
        let blocks = vec![3, 1].into();
        let (tokens, sample) = (tokens.to_vec(), Some(Arc::new(draw)));
        Batch { items: vec![Item { position, tokens, blocks, sample }] }
    }

    fn token(computed: Computed) -> u32 {
        let Computed::Samples(samples) = computed else { panic!("{computed:?}") };
        samples[0].as_ref().unwrap().token
    }

    fn rows(computed: Computed) -> Bytes {
        let Computed::Activations(rows) = computed else { panic!("{computed:?}") };
        rows
    }

    /// The token after a prompt, through two stages of which the second is shared by two members,
    /// with `change` done to what they keep before each batch, and to what is given to the leader
    /// and to the other member.
    fn pipeline(change: impl Fn(usize, &mut [Cache; 3], &mut [Vec<u64>; 2])) -> u32 {
        let first = shard((0, 11), (0, 3), (0, 1536), true);
        let lead = shard((11, 30), (0, 2), (0, 1024), true);
        let member = shard((11, 30), (2, 3), (1024, 1536), false);
        let mut caches: [Cache; 3] = Default::default();
        let mut last = 0;
        for (index, (position, tokens)) in [(0, &[7, 8, 9][..]), (3, &[5])].into_iter().enumerate()
        {
            let batch = batch(position, tokens);
            let mut given = [Vec::new(), Vec::new()];
            change(index, &mut caches, &mut given);
            let outcome = caches[0].compute(&first, &batch, None).unwrap();
            let body = rows(outcome.finish(&first, &batch, &[], &mut caches[0]).unwrap());
            let other = caches[2].compute(&member, &batch, Some(&body)).unwrap();
            let outcome = caches[1].compute(&lead, &batch, Some(&body)).unwrap();
            let part = |part: &Arc<[u64]>, given: &Vec<u64>| match given.is_empty() {
                true => part.clone(),
                false => given.clone().into(),
            };
            let (to_lead, to_member) =
                (part(&other.part, &given[0]), part(&outcome.part, &given[1]));
            last = token(outcome.finish(&lead, &batch, &[to_lead], &mut caches[1]).unwrap());
            other.finish(&member, &batch, &[to_member], &mut caches[2]).unwrap();
        }
        last
    }

    #[test]
    fn stages_and_members_come_to_what_one_device_alone_does() {
        let mut alone = Reference::new();
        [7, 8, 9, 5].iter().for_each(|token| alone.push(*token));
        let expected = alone.next(&Sampling::default(), 0);
        assert_eq!(pipeline(|_, _, _| {}), expected);
        for device in 0..3 {
            let found = pipeline(|batch, caches, _| {
                if batch == 1 {
                    caches[device].clear();
                }
            });
            assert_ne!(found, expected, "device {device} forgot and nobody saw it");
        }
        let to_lead = pipeline(|batch, _, given| given[0].extend((batch == 1).then_some(1)));
        assert_ne!(to_lead, expected, "the leader was given a wrong part");
        let to_member = pipeline(|batch, _, given| {
            if batch == 0 {
                given[1] = vec![1; 3];
            }
        });
        assert_ne!(to_member, expected, "the member was given wrong parts of the rows before");
    }
}
