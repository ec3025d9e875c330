//! How a Hexswarm node computes: weights, tokens, KV cache, kernels, sampler.
//!
//! Knows neither peers nor the network.

mod backend;
mod batch;
mod collective;
mod config;
mod cpu;
mod engine;
mod fixed;
mod format;
mod gguf;
mod kv;
mod mapped;
mod math;
mod memory;
mod model;
mod profile;
mod safetensors;
mod sampler;
mod shard;
mod stage;
mod synth;
mod template;
mod tensor;
mod tokenizer;
mod weights;

pub use backend::{Backend, CacheShape, HeadRows, Ragged};
pub use collective::{Alone, Collective, CollectiveError, Shared};
pub use config::{Architecture, ModelConfig, Rope, RopeScaling, RopeStyle};
pub use cpu::{Cpu, step_back};
pub use engine::{BATCH_ROWS_MAX, DeviceSpec, Engine, EngineError, Output, open};
pub use format::Format;
pub use memory::Memory;
pub use profile::{Profile, drift_class, measure_cpu};
pub use sampler::sample;
pub use shard::Shard;
pub use stage::Stage;
pub use synth::{Shape, synth, synth_folder};
pub use template::{ChatError, ChatMessage};
pub use tensor::Tensor;
pub use tokenizer::{Detokenizer, Tokenizer};
pub use weights::{Part, Weights, WeightsError};
