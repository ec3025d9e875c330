//! What `run --json` prints; `demo --json` prints the same and the swarm.

use schemars::JsonSchema;
use serde::Serialize;

use super::Answer;

/// An answer, and how it came.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AnswerDocument {
    /// The model's name.
    pub model: String,
    /// What was asked.
    pub prompt: String,
    /// The whole text.
    pub text: String,
    /// Its tokens.
    pub token_ids: Vec<u32>,
    /// Why it ended: `stop` or `length`.
    pub finish_reason: String,
    /// Time to the first token.
    pub ttft_ms: f64,
    /// Time for each token after it.
    pub tpot_ms: f64,
    /// The peer id of the node that was asked.
    pub entry: String,
    /// Tokens of the prompt that were in the KV cache.
    pub cached_tokens: u64,
}

impl AnswerDocument {
    /// The document of an answer to `prompt` by way of `entry`.
    pub fn new(answer: Answer, prompt: String, entry: String) -> Self {
        let Answer { model, text, token_ids, finish_reason, ttft_ms, tpot_ms, cached_tokens } =
            answer;
        Self {
            model,
            prompt,
            text,
            token_ids,
            finish_reason,
            ttft_ms,
            tpot_ms,
            entry,
            cached_tokens,
        }
    }
}
