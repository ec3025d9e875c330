//! What a decoder asks of a device.
//!
//! As few operations as a decoder family needs, each big enough to be worth a kernel launch. A
//! backend computes; what is computed, in which order, is the decoder's business (see `model`).
//!
//! *The promise behind every operation:* a row of a result depends only on that row of the input,
//! and every backend of one drift class gets the same bits for it.

use std::ops::Range;

use swarm_proto::Item;

use crate::{Collective, CollectiveError, EngineError, RopeStyle, Tensor};

/// A device that holds weights, activations and a KV cache, and computes with them.
pub trait Backend: Send + Sized {
    /// A part of a weight matrix, where the device can read it.
    type Matrix: Send;
    /// Rows of activations; a vector is one row.
    type Rows: Send;
    /// Rows of sums in fixed point: integers in units of 2^-32.
    type Sums: Send;
    /// The KV cache of a shard.
    type Cache: Send;

    /// Does `work` where the device is reached quickest: on one of its own threads, if it has any.
    fn within<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> T {
        work(self)
    }

    /// Takes the part of `tensor` in `rows` and `columns`.
    fn matrix(
        &mut self,
        tensor: &Tensor,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Self::Matrix, EngineError>;

    /// Makes an empty buffer for rows of `width` numbers. It grows to what is written to it.
    fn rows(&mut self, width: usize) -> Self::Rows;

    /// Makes an empty buffer for sums.
    fn sums(&mut self, width: usize) -> Self::Sums;

    /// Makes a KV cache.
    fn cache(&mut self, shape: CacheShape) -> Result<Self::Cache, EngineError>;

    /// Fills `out` with whole rows of `values`.
    fn upload(&mut self, values: &[f32], out: &mut Self::Rows) -> Result<(), EngineError>;

    /// Shows the numbers of `rows` to the host.
    fn download<'a>(&mut self, rows: &'a mut Self::Rows) -> Result<&'a [f32], EngineError>;

    /// `out[i] = table[tokens[i]]`.
    fn embed(
        &mut self,
        table: &Self::Matrix,
        tokens: &[u32],
        out: &mut Self::Rows,
    ) -> Result<(), EngineError>;

    /// `out[i] = input[picks[i]]`.
    fn pick(
        &mut self,
        input: &Self::Rows,
        picks: &[usize],
        out: &mut Self::Rows,
    ) -> Result<(), EngineError>;

    /// `out = input / sqrt(mean(input^2) + epsilon) * weight`, row by row.
    fn rms_norm(
        &mut self,
        input: &Self::Rows,
        weight: &Self::Rows,
        epsilon: f32,
        out: &mut Self::Rows,
    ) -> Result<(), EngineError>;

    /// `out = input * matrix^T` for each pair, each number summed over the whole width at once.
    fn products(
        &mut self,
        input: &Self::Rows,
        pairs: &mut [(&Self::Matrix, &mut Self::Rows)],
    ) -> Result<(), EngineError>;

    /// `out = input * matrix^T` in fixed point, each number summed by chunks of `chunk` columns.
    /// Says whether every chunk's sum could be held.
    fn partial_sums(
        &mut self,
        input: &Self::Rows,
        matrix: &Self::Matrix,
        chunk: usize,
        out: &mut Self::Sums,
    ) -> Result<bool, EngineError>;

    /// Adds the sums of all members of the stage.
    fn all_reduce(
        &mut self,
        sums: &mut Self::Sums,
        group: &mut dyn Collective,
    ) -> Result<(), CollectiveError>;

    /// `residual += sums`.
    fn add(&mut self, sums: &Self::Sums, residual: &mut Self::Rows) -> Result<(), EngineError>;

    /// `gate = silu(gate) * up`.
    fn swiglu(&mut self, gate: &mut Self::Rows, up: &Self::Rows) -> Result<(), EngineError>;

    /// Turns queries and keys by their positions, and stores keys and values.
    fn rotate_and_store(
        &mut self,
        ragged: &Ragged<'_>,
        heads: HeadRows<'_, Self>,
        cache: &mut Self::Cache,
        layer: usize,
    ) -> Result<(), EngineError>;

    /// Each query head's mix of the values at its row's position and before.
    fn attention(
        &mut self,
        ragged: &Ragged<'_>,
        query: &Self::Rows,
        cache: &Self::Cache,
        layer: usize,
        out: &mut Self::Rows,
    ) -> Result<(), EngineError>;
}

/// One layer's queries, keys and values, heads side by side.
#[derive(Debug)]
pub struct HeadRows<'a, B: Backend> {
    /// The queries; turned in place.
    pub query: &'a mut B::Rows,
    /// The keys.
    pub key: &'a B::Rows,
    /// The values.
    pub value: &'a B::Rows,
}

/// The shape of a shard's KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// Layers of the stage.
    pub layers: usize,
    /// Blocks of `BLOCK_TOKENS` tokens.
    pub blocks: usize,
    /// KV heads of the shard.
    pub kv_heads: usize,
    /// Query heads that share a KV head.
    pub queries: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// Where the rows of a batch belong: rows of unlike sessions side by side.
#[derive(Clone, Debug)]
pub struct Ragged<'a> {
    /// The items, checked: every block that a row needs is there.
    pub items: &'a [Item],
    /// Each row's item and position.
    pub rows: Vec<(usize, usize)>,
    /// Cosine and sine of each row's angles, a run of `pairs` for each row.
    pub turns: Vec<(f32, f32)>,
    /// Pairs of numbers that are turned in a head.
    pub pairs: usize,
    /// Which numbers make a pair.
    pub style: RopeStyle,
}
