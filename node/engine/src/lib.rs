//! How a Hexswarm node computes: weights, tokens, KV cache, kernels, sampler.
//!
//! Knows neither peers nor the network.

mod config;
mod format;
mod gguf;
mod mapped;
mod safetensors;
mod synth;
mod template;
mod tensor;
mod tokenizer;
mod weights;

pub use config::{Architecture, ModelConfig, Rope, RopeScaling, RopeStyle};
pub use format::Format;
pub use synth::{Shape, synth, synth_folder};
pub use template::{ChatError, ChatMessage};
pub use tensor::Tensor;
pub use tokenizer::{Detokenizer, Tokenizer};
pub use weights::{Part, Weights, WeightsError};
