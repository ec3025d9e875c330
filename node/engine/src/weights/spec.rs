//! What weights are called among peers, and what they weigh.

use swarm_proto::{Hash, ModelSpec};

use super::{Part, Weights};
use crate::Tensor;

/// How much of each tensor goes into the name of the weights: enough to tell trained numbers
/// apart, and no more than one page of the file.
const SAMPLE_BYTES: usize = 64;
/// Bytes of a number in the KV cache: an f32.
const KV_NUMBER_BYTES: usize = 4;
/// FFN columns that are summed before sums become integers, at least: fewer would cost more in
/// conversions than in multiplications, more would leave a planner too little to choose from.
const GRAIN_MIN: usize = 64;

/// A hash over all headers, the size of the files and the first bytes of every tensor.
///
/// Headers alone would not do: those of a fine-tune are those of its parent.
pub(super) fn hash(weights: &Weights) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&weights.file_bytes.to_le_bytes());
    for header in &weights.headers {
        hasher.update(&(header.len() as u64).to_le_bytes());
        hasher.update(header);
    }
    for tensor in tensors(weights) {
        let bytes = tensor.bytes();
        hasher.update(&bytes[..SAMPLE_BYTES.min(bytes.len())]);
    }
    Hash(*hasher.finalize().as_bytes())
}

fn tensors(weights: &Weights) -> impl Iterator<Item = &Tensor> {
    let ends = [weights.embedding(), weights.final_norm(), weights.head()];
    ends.into_iter().chain(weights.assembled.layers.iter().flatten())
}

/// What a planner is told. Where layers differ it is the heaviest that counts, for a stage that
/// was promised to fit must fit.
pub(super) fn spec(weights: &Weights, name: &str) -> ModelSpec {
    let config = weights.config();
    let layers = || 0..config.layers;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ModelSpec {
        name: name.into(),
        hash: hash(weights),
        layers: small(config.layers),
        hidden: small(config.hidden),
        heads: small(config.heads),
        kv_heads: small(config.kv_heads),
        head_dim: small(config.head_dim),
        ffn: small(config.ffn),
        ffn_grain: small(grain(weights)),
        vocab: small(config.vocab),
        context_max: small(config.context_max),
        head_bytes: layers().map(|layer| head_bytes(weights, layer)).max().unwrap_or(0),
        column_bytes: layers().map(|layer| column_bytes(weights, layer)).fold(0.0, f64::max),
        layer_shared_bytes: layers().map(|layer| shared_bytes(weights, layer)).max().unwrap_or(0),
        embedding_bytes: weights.embedding().bytes().len() as u64,
        output_bytes: weights.head().bytes().len() as u64,
        tied: config.tied,
        kv_bytes: (2 * config.head_dim * KV_NUMBER_BYTES) as u64,
    }
}

/// Blocks of the one matrix whose columns are shared out, in every layer, fill it.
pub(super) fn grain(weights: &Weights) -> usize {
    let block = |layer| weights.layer(layer, Part::Down).format().block_len();
    (0..weights.config().layers).map(block).fold(GRAIN_MIN, usize::max)
}

fn bytes(weights: &Weights, layer: usize, parts: &[Part]) -> u64 {
    parts.iter().map(|&part| weights.layer(layer, part).bytes().len() as u64).sum()
}

fn head_bytes(weights: &Weights, layer: usize) -> u64 {
    let parts = [Part::Query, Part::Key, Part::Value, Part::Output];
    bytes(weights, layer, &parts).div_ceil(weights.config().kv_heads as u64)
}

fn column_bytes(weights: &Weights, layer: usize) -> f64 {
    bytes(weights, layer, &[Part::Gate, Part::Up, Part::Down]) as f64 / weights.config().ffn as f64
}

fn shared_bytes(weights: &Weights, layer: usize) -> u64 {
    bytes(weights, layer, &[Part::AttentionNorm, Part::FfnNorm])
}
