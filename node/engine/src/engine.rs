//! What the node sees of a device that computes.
//!
//! An engine holds its shard of a stage and knows no session: a batch names tokens, positions and
//! KV blocks, and whoever sends it owns them. Whatever a batch says is checked before it is used.

use std::sync::Arc;

use bytes::Bytes;
use swarm_proto::{Batch, Sampled};
use thiserror::Error;

use crate::{Collective, CollectiveError, Cpu, Memory, Shard, Stage, Weights};

/// Rows in a batch, at most. It bounds the scratch memory; a longer prompt comes in chunks, which
/// changes no bit of its result.
pub const BATCH_ROWS_MAX: usize = swarm_proto::BATCH_ROWS_MAX;

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

/// A device, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceSpec {
    /// Processor cores.
    Cpu {
        /// Threads that compute.
        threads: usize,
        /// Whether results are the same bits however layers, heads and columns are shared out.
        exact: bool,
    },
    /// A CUDA card.
    Cuda {
        /// Its number on this host.
        index: u32,
    },
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
        DeviceSpec::Cpu { threads, exact } => {
            let cpu = Cpu::new(*threads)?;
            let cpu = if *exact { cpu } else { cpu.inexact() };
            Ok(Box::new(Stage::open(cpu, &weights, shard, memory_max_bytes)?))
        }
        DeviceSpec::Cuda { index } => Err(EngineError::Device(format!(
            "cuda:{index} cannot be used: this build computes on processors only"
        ))),
    }
}
