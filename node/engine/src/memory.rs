//! What a shard takes of a device's memory, reckoned before any of it is taken.

use crate::{BATCH_ROWS_MAX, Part, Shard, Tensor, Weights, model::LOGIT_ROWS_MAX};

/// Bytes of a device's memory, by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights of the shard, as they are held.
    pub weights_bytes: u64,
    /// The KV cache.
    pub kv_bytes: u64,
    /// What a batch of [`BATCH_ROWS_MAX`] rows needs while it is computed.
    pub scratch_bytes: u64,
}

impl Memory {
    /// All of it.
    pub fn total_bytes(self) -> u64 {
        self.weights_bytes.saturating_add(self.kv_bytes).saturating_add(self.scratch_bytes)
    }
}

/// What `shard`, which fits the model, needs.
pub(crate) fn needed(weights: &Weights, shard: &Shard) -> Memory {
    Memory {
        weights_bytes: weights_bytes(weights, shard),
        kv_bytes: shard.cache(weights.config()).bytes(),
        scratch_bytes: scratch_bytes(weights, shard),
    }
}

fn weights_bytes(weights: &Weights, shard: &Shard) -> u64 {
    let config = weights.config();
    let bytes = |tensor: &Tensor| tensor.bytes().len() as u64;
    let heads = (u64::from(shard.kv_heads.len()), config.kv_heads as u64);
    let columns = (u64::from(shard.ffn_columns.len()), config.ffn as u64);
    let share = |part| match part {
        Part::AttentionNorm | Part::FfnNorm => (1, 1),
        Part::Query | Part::Key | Part::Value | Part::Output => heads,
        Part::Gate | Part::Up | Part::Down => columns,
    };
    let part = |layer, part| {
        let (ours, all) = share(part);
        (bytes(weights.layer(layer, part)) as u128 * u128::from(ours)).div_ceil(all.into()) as u64
    };
    let layers: u64 =
        shard.layers.range().flat_map(|layer| Part::ALL.map(|name| part(layer, name))).sum();
    let embedding = if shard.embeds { bytes(weights.embedding()) } else { 0 };
    let head = if shard.heads { bytes(weights.head()) + bytes(weights.final_norm()) } else { 0 };
    let twice = if shard.embeds && shard.heads && config.tied { embedding } else { 0 };
    layers + embedding + head - twice
}

fn scratch_bytes(weights: &Weights, shard: &Shard) -> u64 {
    let (config, cache) = (weights.config(), shard.cache(weights.config()));
    let keys = (cache.kv_heads * cache.head_dim) as u64;
    let queries = keys * cache.queries as u64;
    let (hidden, ffn) = (config.hidden as u64, u64::from(shard.ffn_columns.len()));
    // What products write is there twice, output-major and row-major; sums count double.
    let single = 3 * hidden + queries + config.rope.dim as u64;
    let twice = 2 * (queries + 2 * keys + 2 * ffn + 2 * hidden);
    let logits = if shard.heads { 2 * LOGIT_ROWS_MAX as u64 * config.vocab as u64 } else { 0 };
    let scores = config.context_max as u64;
    4 * (BATCH_ROWS_MAX as u64 * (single + twice) + logits + scores)
}
