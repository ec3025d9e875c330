//! A device that computes something that can be checked: what a row becomes depends on every token
//! up to it *as this device has them in its KV blocks*, on the layers it passed, and in what order.
//! A lost or doubled row, a wrong block or a skipped stage gives another token.

use std::collections::BTreeMap;

use bytes::Bytes;
use swarm_core::{ComputeFault, Computed, Shard};
use swarm_proto::{BLOCK_TOKENS, Batch, Hash, Item, Sampled, codec};

/// Bytes of a row: eight f32 numbers, of which the first 32 bytes hold a hash.
const ROW_BYTES: usize = 32;

/// A simulated device.
#[derive(Debug, Default)]
pub(crate) struct SimDevice {
    pub(crate) shard: Option<Shard>,
    /// What was stored at a place: block and offset.
    cache: BTreeMap<(u32, u32), Hash>,
}

/// The state of a session after all its tokens, layer by layer of 30: what the swarm must come to.
fn row(before: &[Hash], embedded: Hash, first: u32, end: u32) -> Hash {
    (first..end).fold(embedded, |row, layer| Hash::of(&codec::encode(&(row, before.last(), layer))))
}

/// What a token is before the first layer: it knows its position and, so that no two contexts are
/// alike, the token itself.
fn embed(token: u32, position: u32) -> Hash {
    Hash::of(&codec::encode(&(token, position)))
}

/// The token that follows on `tokens`, computed by nobody's devices.
pub fn next_token(tokens: &[u32], vocab: u32) -> u32 {
    let mut kept: Vec<Hash> = Vec::new();
    let mut last = Hash([0; 32]);
    for (position, token) in tokens.iter().enumerate() {
        let embedded = embed(*token, position as u32);
        let chained = Hash::of(&codec::encode(&(kept.last(), embedded)));
        kept.push(chained);
        last = row(&kept, embedded, 0, 30);
    }
    pick(last, kept.last(), vocab)
}

/// A token out of a row, and of what was kept before it.
fn pick(row: Hash, kept: Option<&Hash>, vocab: u32) -> u32 {
    let hash = Hash::of(&codec::encode(&(row, kept)));
    u32::from_le_bytes([hash.0[0], hash.0[1], hash.0[2], hash.0[3]]) % vocab
}

impl SimDevice {
    /// Loses its KV cache.
    pub(crate) fn forget(&mut self) {
        self.cache.clear();
    }

    /// Computes a batch as the shard says.
    pub(crate) fn compute(
        &mut self,
        batch: &Batch,
        input: Option<&Bytes>,
        vocab: u32,
    ) -> Result<Computed, ComputeFault> {
        let shard = self.shard.clone().ok_or(ComputeFault::Device)?;
        let (mut out, mut samples, mut at) = (Vec::new(), Vec::new(), 0);
        for item in &batch.items {
            let mut last = (Hash([0; 32]), Hash([0; 32]));
            for (offset, token) in item.tokens.iter().enumerate() {
                let position = item.position + offset as u32;
                let embedded = embed(*token, position);
                let arrived = match input {
                    None => embedded,
                    Some(rows) => hash_at(rows, at)?,
                };
                at += ROW_BYTES;
                let before = match position.checked_sub(1) {
                    None => None,
                    Some(before) => Some(self.kept(item, before)?),
                };
                let chained = Hash::of(&codec::encode(&(before.as_ref(), embedded)));
                self.keep(item, position, chained)?;
                let (first, end) = (shard.layers.first(), shard.layers.end());
                let row = row(&[chained], arrived, first, end);
                out.extend_from_slice(&row.0);
                last = (row, chained);
            }
            let token = pick(last.0, Some(&last.1), vocab);
            let sampled = Sampled { token, logprob: None, top: Vec::new() };
            samples.push(item.sample.as_ref().map(|_| sampled));
        }
        Ok(match (shard.leads, shard.samples) {
            (false, _) => Computed::Nothing,
            (true, true) => Computed::Samples(samples),
            (true, false) => Computed::Activations(out.into()),
        })
    }

    fn place(item: &Item, position: u32) -> Result<(u32, u32), ComputeFault> {
        let block = item.blocks.get((position / BLOCK_TOKENS) as usize);
        let block = block.ok_or(ComputeFault::Device)?;
        Ok((*block, position % BLOCK_TOKENS))
    }

    fn kept(&self, item: &Item, position: u32) -> Result<Hash, ComputeFault> {
        let place = Self::place(item, position)?;
        Ok(self.cache.get(&place).copied().unwrap_or(Hash([0; 32])))
    }

    fn keep(&mut self, item: &Item, position: u32, value: Hash) -> Result<(), ComputeFault> {
        self.cache.insert(Self::place(item, position)?, value);
        Ok(())
    }
}

fn hash_at(rows: &Bytes, at: usize) -> Result<Hash, ComputeFault> {
    let bytes = rows.get(at..at + ROW_BYTES).ok_or(ComputeFault::Device)?;
    bytes.try_into().map(Hash).map_err(|_| ComputeFault::Device)
}
