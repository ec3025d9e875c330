//! How the next token is chosen.

use bincode::Encode;

use crate::checked::{all, decode_checked};

/// How the next token is chosen from the logits. Every field has a neutral value, and the default
/// is greedy.
#[derive(Clone, Debug, PartialEq, Encode)]
pub struct Sampling {
    /// 0 is greedy; 1 leaves the model's own distribution.
    pub temperature: f32,
    /// Keep the most likely `top_k` tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest tokens whose probabilities reach this; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens at least this fraction as likely as the likeliest; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of recent tokens; 1 is neutral.
    pub repetition_penalty: f32,
    /// Fixes the dice: the same seed and step choose the same token.
    pub seed: u64,
    /// `Some(n)`: report the token's log-probability and those of the `n` likeliest, at most 20.
    pub logprobs: Option<u8>,
}

/// Log-probabilities reported a token, at most.
pub const LOGPROBS_MAX: u8 = 20;

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            logprobs: None,
        }
    }
}

impl Sampling {
    /// Names the first field whose value cannot be, and what it may be. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        // Written so that NaN fails each of them.
        all([
            ((0.0..=100.0).contains(&self.temperature), "temperature must be from 0 to 100"),
            (self.top_p > 0.0 && self.top_p <= 1.0, "top_p must be above 0 and at most 1"),
            ((0.0..=1.0).contains(&self.min_p), "min_p must be from 0 to 1"),
            (
                self.repetition_penalty > 0.0 && self.repetition_penalty <= 100.0,
                "repetition_penalty must be above 0 and at most 100",
            ),
            (self.logprobs.is_none_or(|n| n <= LOGPROBS_MAX), "top_logprobs must be at most 20"),
        ])
    }
}

decode_checked!(Sampling { temperature, top_k, top_p, min_p, repetition_penalty, seed, logprobs });
