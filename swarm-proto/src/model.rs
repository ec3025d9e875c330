//! What a model weighs: enough to plan it, not to run it.

use bincode::{Decode, Encode};

use crate::Hash;

/// A decoder's shape and weight, as a planner sees it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct ModelSpec {
    /// The name clients use, such as `smollm2-135m`.
    pub name: String,
    /// The content of its weight files.
    pub hash: Hash,
    /// Decoder layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Query heads of a layer.
    pub heads: u32,
    /// KV heads of a layer; `heads / kv_heads` query heads share one.
    pub kv_heads: u32,
    /// Width of one head.
    pub head_dim: u32,
    /// FFN columns of a layer.
    pub ffn: u32,
    /// FFN columns can be shared out in multiples of this: a block of the weight format.
    pub ffn_grain: u32,
    /// Tokens in the vocabulary.
    pub vocab: u32,
    /// The longest context, in tokens.
    pub context_max: u32,
    /// Weights of one KV-head group in one layer (its rows of Q, K and V, its columns of O).
    pub head_bytes: u64,
    /// Weights of one FFN column in one layer (gate, up and down).
    pub column_bytes: f64,
    /// What every member of a stage holds whole, a layer: the norms.
    pub layer_shared_bytes: u64,
    /// The embedding, needed by the first stage.
    pub embedding_bytes: u64,
    /// The output head, needed by the last stage; shared with the embedding if `tied`.
    pub output_bytes: u64,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// KV cache of one token in one layer of one KV head (keys and values).
    pub kv_bytes: u64,
}

impl ModelSpec {
    /// Weights of one layer, whole.
    pub fn layer_bytes(&self) -> u64 {
        self.head_bytes * u64::from(self.kv_heads)
            + (self.column_bytes * f64::from(self.ffn)) as u64
            + self.layer_shared_bytes
    }

    /// Weights of the whole model on one device.
    pub fn total_bytes(&self) -> u64 {
        let ends = self.embedding_bytes + if self.tied { 0 } else { self.output_bytes };
        self.layer_bytes() * u64::from(self.layers) + ends
    }
}
