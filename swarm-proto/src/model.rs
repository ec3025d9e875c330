//! What a model weighs: enough to plan it, not to run it.

use bincode::{Decode, Encode};

use crate::Hash;

/// Rows of a batch at most: it bounds scratch memory. A longer prompt comes in pieces.
pub const BATCH_ROWS_MAX: usize = 128;
/// Rows whose logits a device computes at a time, at most.
pub const LOGIT_ROWS_MAX: usize = 8;
/// What norms and rounding may add to a share.
const SLACK_BYTES: u64 = 256 << 10;

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

    /// Weights of one device's share of a stage: so many layers of so many KV-head groups and FFN
    /// columns each, the embedding if it is a member of the first stage (`embeds`), the output
    /// head if it leads the last one (`samples`).
    pub fn share_bytes(
        &self,
        layers: u32,
        kv_heads: u32,
        columns: u32,
        embeds: bool,
        samples: bool,
    ) -> u64 {
        let layer = self.head_bytes * u64::from(kv_heads)
            + (self.column_bytes * f64::from(columns)).ceil() as u64
            + self.layer_shared_bytes;
        let embedding = if embeds { self.embedding_bytes } else { 0 };
        let head = if samples && !(embeds && self.tied) { self.output_bytes } else { 0 };
        layer * u64::from(layers) + embedding + head
    }

    /// KV cache of one block of [`crate::BLOCK_TOKENS`] tokens in such a share.
    pub fn kv_block_bytes(&self, layers: u32, kv_heads: u32) -> u64 {
        self.kv_bytes * u64::from(crate::BLOCK_TOKENS) * u64::from(layers) * u64::from(kv_heads)
    }

    /// What a device needs beside weights and KV cache, at most: the intermediate rows of a full
    /// batch, logits, and some slack for what is rounded up. A device that allots less is welcome.
    pub fn scratch_bytes(&self) -> u64 {
        let [hidden, ffn, heads, kv_heads, head_dim] =
            [self.hidden, self.ffn, self.heads, self.kv_heads, self.head_dim].map(u64::from);
        let (queries, keys) = (heads * head_dim, kv_heads * head_dim);
        // Products are kept output-major and row-major; sums are twice as wide.
        let row = 3 * hidden + queries + head_dim + 2 * (queries + 2 * (keys + ffn + hidden));
        let logits = 2 * LOGIT_ROWS_MAX as u64 * u64::from(self.vocab);
        4 * (BATCH_ROWS_MAX as u64 * row + logits + u64::from(self.context_max)) + SLACK_BYTES
    }

    /// KV blocks that fit a device beside such a share; none if not even the weights fit.
    pub fn kv_blocks(&self, memory_bytes: u64, share_bytes: u64, block_bytes: u64) -> u32 {
        let left = memory_bytes.saturating_sub(share_bytes).saturating_sub(self.scratch_bytes());
        u32::try_from(left / block_bytes.max(1)).unwrap_or(u32::MAX)
    }
}
