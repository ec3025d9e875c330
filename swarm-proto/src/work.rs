//! A unit of computing: what a core asks of a device and what the device answers.
//!
//! The core owns the KV cache's blocks (who holds which, for which tokens); the device owns their
//! bytes. So a batch names blocks by number and the device needs to know no session.

use std::sync::Arc;

use crate::{LOGPROBS_MAX, checked::decode_checked};

/// Rows for a device to compute: one or more rows of each of one or more sessions.
#[derive(Clone, Debug, PartialEq, bincode::Encode)]
pub struct Batch {
    /// What is to be computed, in the order of the rows in the input.
    pub items: Vec<Item>,
}

/// Consecutive rows of one session.
#[derive(Clone, Debug, PartialEq, bincode::Encode)]
pub struct Item {
    /// Tokens of the session that are in the cache already.
    pub position: u32,
    /// The tokens of these rows; never empty.
    pub tokens: Vec<u32>,
    /// The session's KV blocks on this device: position `p` lies in `blocks[p / BLOCK_TOKENS]`.
    pub blocks: Arc<[u32]>,
    /// How to choose the next token after the last row. Only asked of the last stage's leader,
    /// and only for rows that end a prompt or continue an answer.
    pub sample: Option<Arc<Draw>>,
}

/// Tokens in a KV block.
pub const BLOCK_TOKENS: u32 = 16;

/// What choosing a token needs to know beside the logits.
#[derive(Clone, Debug, PartialEq, bincode::Encode)]
pub struct Draw {
    /// How to choose.
    pub sampling: crate::Sampling,
    /// How many tokens the answer has so far: with the seed, it fixes the dice.
    pub step: u32,
    /// Recent tokens, for the repetition penalty; empty where there is none.
    pub recent: Vec<u32>,
}

/// A chosen token.
#[derive(Clone, Debug, PartialEq, bincode::Encode)]
pub struct Sampled {
    /// The token.
    pub token: u32,
    /// Its log-probability before temperature and filters, if logprobs were asked for.
    pub logprob: Option<f32>,
    /// The most likely tokens with theirs, most likely first; at most [`LOGPROBS_MAX`].
    pub top: Vec<(u32, f32)>,
}

impl Sampled {
    /// Refuses more log-probabilities than can be asked for. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.top.len() <= usize::from(LOGPROBS_MAX) {
            Ok(())
        } else {
            Err("more than 20 log-probabilities")
        }
    }
}

decode_checked!(Sampled { token, logprob, top });

impl Batch {
    /// Rows over all items.
    pub fn rows(&self) -> usize {
        self.items.iter().map(|item| item.tokens.len()).sum()
    }
}
