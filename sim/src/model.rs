//! The model that simulated swarms serve: the shape of the default one.

use swarm_proto::{Device, DeviceKind, Hash, ModelSpec};

/// SmolLM2-135M in Q4_1, with activations of eight numbers: enough to tell rows apart.
pub(crate) fn spec() -> ModelSpec {
    ModelSpec {
        name: "simulated".to_owned(),
        hash: Hash::of(b"simulated"),
        layers: 30,
        hidden: 8,
        heads: 9,
        kv_heads: 3,
        head_dim: 64,
        ffn: 1536,
        ffn_grain: 32,
        vocab: 49_152,
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

/// A device with so much memory.
pub(crate) fn device(memory_bytes: u64) -> Device {
    Device {
        index: 0,
        kind: DeviceKind::Cpu,
        name: "simulated".to_owned(),
        memory_bytes,
        bandwidth_bytes_per_s: 16e9,
        flops_per_s: 50e9,
        threads: 1,
        drift_class: Hash::of(b"simulated"),
    }
}
