//! What a peer computes with, and how far away it is. Measured, or marked as not.

use bincode::{Decode, Encode};

use crate::{Hash, NodeId};

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum DeviceKind {
    /// The host's processor.
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

/// One device of a peer, as measured there.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Device {
    /// Its number on its host.
    pub index: u8,
    /// What kind.
    pub kind: DeviceKind,
    /// What its maker calls it.
    pub name: String,
    /// Memory it offers for weights, KV cache and scratch.
    pub memory_bytes: u64,
    /// Measured memory bandwidth, bytes a second.
    pub bandwidth_bytes_per_s: f64,
    /// Measured arithmetic rate, floating-point operations a second.
    pub flops_per_s: f64,
    /// Threads it computes with (CPU).
    pub threads: u16,
    /// Which devices compute the same bits: see `docs/engine.md`.
    pub drift_class: Hash,
}

/// How one peer sees the way to another.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LinkReport {
    /// The far end.
    pub to: NodeId,
    /// Round-trip time.
    pub rtt_ms: f64,
    /// Mean deviation of the round-trip time.
    pub rtt_spread_ms: f64,
    /// Throughput, bytes a second.
    pub bytes_per_s: f64,
    /// The share of probes lost, 0 to 1.
    pub loss: f64,
    /// How long ago it was measured.
    pub age_ms: u64,
    /// Whether the figures were predicted and not measured.
    pub predicted: bool,
}
