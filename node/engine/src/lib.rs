//! How a Hexswarm node computes: weights, tokens, KV cache, kernels, sampler.
//!
//! Knows neither peers nor the network.

mod config;
mod format;
mod gguf;
mod mapped;
mod safetensors;
mod tensor;
mod weights;

pub use config::{Architecture, ModelConfig, Rope, RopeScaling, RopeStyle};
pub use format::Format;
pub use tensor::Tensor;
pub use weights::{Part, Weights, WeightsError};
