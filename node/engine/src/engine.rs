//! What the node sees of a device that computes.
//!
//! An engine holds its shard of a stage and knows no session: a batch names tokens, positions and
//! KV blocks, and whoever sends it owns them. Whatever a batch says is checked before it is used.

use std::sync::Arc;

use bytes::Bytes;
use swarm_proto::{Batch, ColumnRange, HeadRange, LayerRange, Sampled};
use thiserror::Error;

use crate::{Collective, CollectiveError, Cpu, Stage, Weights};

/// Rows in a batch, at most. It bounds the scratch memory; a longer prompt comes in chunks, which
/// changes no bit of its result.
pub const BATCH_ROWS_MAX: usize = 512;

/// A device with its shard of a stage.
pub trait Engine: Send {
    /// Computes a batch.
    ///
    /// `input` is `None` on the first stage, whose rows come from the items' tokens; elsewhere it
    /// holds the residual stream, rows times hidden width in little-endian f32.
    fn forward(
        &mut self,
        batch: &Batch,
        input: Option<&Bytes>,
        group: &mut dyn Collective,
    ) -> Result<Output, EngineError>;

    /// What this engine takes of its device's memory.
    fn memory(&self) -> Memory;
}

/// What a stage's member has computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The residual stream after this stage, in the form of the next one's input.
    Activations(Bytes),
    /// From the last stage: for each item the token that was asked for, if one was.
    Samples(Vec<Option<Sampled>>),
    /// From a member that does not lead its stage.
    Nothing,
}

/// What a device holds of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// The stage's layers.
    pub layers: LayerRange,
    /// This member's KV-head groups of each of them.
    pub kv_heads: HeadRange,
    /// This member's FFN columns of each of them; both ends are multiples of
    /// [`Weights::ffn_grain`], or the end of all.
    pub ffn_columns: ColumnRange,
    /// Whether rows start here, from tokens: every member of the first stage.
    pub embeds: bool,
    /// Whether rows end here, in logits and samples: the leader of the last stage.
    pub heads: bool,
    /// Whether this member answers for its stage.
    pub leads: bool,
    /// KV blocks, of `BLOCK_TOKENS` tokens each.
    pub kv_blocks: u32,
}

/// A device, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSpec {
    /// Processor cores.
    Cpu {
        /// Threads that compute.
        threads: usize,
    },
    /// A CUDA card.
    Cuda {
        /// Its number on this host.
        index: u32,
    },
}

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

/// Why an engine did not open, or a batch was not computed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Use another device.
    #[error("{0}")]
    Device(String),
    /// Plan anew: the model has no such shard.
    #[error("the model has no such shard: {0}")]
    Shard(String),
    /// Hold less on this device.
    #[error("the shard needs {needed_bytes} bytes of memory, allowed are {allowed_bytes}")]
    Memory {
        /// What it needs.
        needed_bytes: u64,
        /// What it may have.
        allowed_bytes: u64,
    },
    /// Whoever made the batch is wrong; nothing was computed.
    #[error("a batch that cannot be computed: {0}")]
    Batch(String),
    /// End the sessions of this batch: its numbers left the range in which sums are exact.
    #[error("layer {layer} computed a number that is not finite or too large")]
    Overflow {
        /// The layer, or one past the last for the output head.
        layer: usize,
    },
    /// Rebuild the stage: its members can no longer add their sums.
    #[error("the stage cannot add its sums: {0}")]
    Collective(#[from] CollectiveError),
}

/// Opens `device` with `shard` of a model, if that takes at most `memory_max_bytes`.
pub fn open(
    device: &DeviceSpec,
    weights: Arc<Weights>,
    shard: Shard,
    memory_max_bytes: u64,
) -> Result<Box<dyn Engine>, EngineError> {
    match device {
        DeviceSpec::Cpu { threads } => {
            Ok(Box::new(Stage::open(Cpu::new(*threads)?, &weights, shard, memory_max_bytes)?))
        }
        DeviceSpec::Cuda { index } => Err(EngineError::Device(format!(
            "cuda:{index} cannot be used: this build computes on processors only"
        ))),
    }
}
