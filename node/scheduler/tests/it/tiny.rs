//! A model so small that every way to plan it can be tried, and what HexGen's sums say of it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{BLOCK_TOKENS, Hash, ModelSpec};
use swarm_scheduler::{Spot, Workload};

/// FFN columns that stay together.
pub(crate) const GRAIN: u32 = 32;
/// Memory that the rules leave free.
pub(crate) const RESERVE_BYTES: u64 = 1_000;

/// So many KV heads, layers and grains of columns.
pub(crate) fn model(kv_heads: u32, layers: u32, grains: u32, embedding_bytes: u64) -> ModelSpec {
    ModelSpec {
        name: "tiny".into(),
        hash: Hash([1; 32]),
        layers,
        hidden: 64,
        heads: 2 * kv_heads,
        kv_heads,
        head_dim: 16,
        ffn: GRAIN * grains,
        ffn_grain: GRAIN,
        vocab: 500,
        context_max: 512,
        head_bytes: 100_000,
        column_bytes: 2_000.0,
        layer_shared_bytes: 0,
        embedding_bytes,
        output_bytes: 50_000,
        tied: false,
        kv_bytes: 64,
    }
}

/// A few tokens in and out.
pub(crate) fn workload(dice: &mut ChaCha8Rng) -> Workload {
    Workload {
        input_tokens: dice.random_range(1..=64),
        output_tokens: dice.random_range(1..=32),
        requests_per_s: None,
    }
}

/// Prompt and token time of one layer on a member with these heads and columns, exchanges apart; none
/// if so many layers do not fit.
pub(crate) fn member(
    model: &ModelSpec,
    workload: &Workload,
    spot: &Spot,
    (heads, columns): (u32, u32),
    layers: u32,
) -> Option<(f64, f64)> {
    let m = model;
    let [h, c] = [heads, columns].map(f64::from);
    let context = workload.input_tokens + workload.output_tokens;
    let blocks = u64::from(context.div_ceil(BLOCK_TOKENS));
    let layer = m.head_bytes * u64::from(heads) + (m.column_bytes * c).ceil() as u64;
    let cache = m.kv_bytes * 16 * blocks * u64::from(layers) * u64::from(heads);
    let scratch = 8 * u64::from(context) * u64::from(m.hidden);
    let taken = layer * u64::from(layers) + cache + scratch + m.embedding_bytes + RESERVE_BYTES;
    if taken > spot.memory_bytes {
        return None;
    }
    let hidden = f64::from(m.hidden);
    let params = hidden * f64::from(m.head_dim) * 6.0 * h + 3.0 * hidden * c;
    let bytes = m.head_bytes as f64 * h + m.column_bytes * c;
    let prompt = 2.0 * params * f64::from(workload.input_tokens) / spot.pace.flops_per_ms;
    let token = bytes / spot.pace.bytes_per_ms + 2.0 * params / spot.pace.flops_per_ms;
    Some((prompt, token))
}
