//! The model that simulated swarms serve: the shape of the default one.

use swarm_proto::{Device, DeviceKind, Hash, LinkReport, ModelSpec, NodeId};

/// Decoder layers.
pub(crate) const LAYERS: u32 = 30;
/// KV heads of a layer.
pub(crate) const KV_HEADS: u32 = 3;
/// FFN columns of a layer.
pub(crate) const FFN: u32 = 1536;
/// FFN columns that stay together.
pub(crate) const FFN_GRAIN: u32 = 32;
/// Tokens in the vocabulary.
pub(crate) const VOCAB: u32 = 49_152;
/// Numbers of four bytes in a simulated row: enough to tell rows apart.
const HIDDEN: u32 = 8;
/// Bytes of a row of activations on the wire. The numbers of a simulated row are fewer.
pub(crate) const ROW_WIRE_BYTES: u64 = 576 * 4;

/// SmolLM2-135M in Q4_1, with activations of eight numbers: enough to tell rows apart.
pub(crate) fn spec() -> ModelSpec {
    ModelSpec {
        name: "simulated".to_owned(),
        hash: Hash::of(b"simulated"),
        layers: LAYERS,
        hidden: HIDDEN,
        heads: 9,
        kv_heads: KV_HEADS,
        head_dim: 64,
        ffn: FFN,
        ffn_grain: FFN_GRAIN,
        vocab: VOCAB,
        context_max: 8192,
        head_bytes: 184_320,
        column_bytes: 1_080.0,
        layer_shared_bytes: 4_608,
        embedding_bytes: 30_081_024,
        output_bytes: 30_081_024,
        tied: true,
        kv_bytes: 512,
    }
}

/// A model as simulated nodes know it: their rows are short.
pub(crate) fn known(model: &ModelSpec) -> ModelSpec {
    ModelSpec { hidden: HIDDEN, ..model.clone() }
}

/// A device with so much memory.
pub(crate) fn device(index: u8, memory_bytes: u64) -> Device {
    Device {
        index,
        kind: DeviceKind::Cpu,
        name: "simulated".to_owned(),
        memory_bytes,
        bandwidth_bytes_per_s: 16e9,
        flops_per_s: 50e9,
        threads: 1,
        drift_class: Hash::of(b"simulated"),
    }
}

/// A link as its near end measures it.
pub(crate) fn link(to: NodeId, rtt_ms: f64, bytes_per_s: f64) -> LinkReport {
    LinkReport {
        to,
        rtt_ms,
        rtt_spread_ms: 0.0,
        bytes_per_s,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    }
}
