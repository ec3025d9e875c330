//! The JSON of answers, whole and in chunks, in the shapes of OpenAI's two endpoints.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    answer::{Choice, Piece, Placed},
    request::Kind,
    token,
};
use crate::text::ModelText;

/// What all documents of one answer have in common.
pub(super) struct Document {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) text: Arc<ModelText>,
    pub(super) logprobs: bool,
    pub(super) token_ids: bool,
    pub(super) include_usage: bool,
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u32,
}

impl Counts {
    /// Of prompts without an answer yet.
    pub(super) fn of_prompts(prompt_tokens: u64) -> Self {
        Self { prompt_tokens, ..Self::default() }
    }

    /// What one choice adds.
    pub(super) fn of(choice: &Choice) -> Self {
        let (tokens, cached_tokens) = (choice.tokens, choice.cached_tokens);
        Self { prompt_tokens: 0, completion_tokens: u64::from(tokens), cached_tokens }
    }

    /// Counts another choice in. Choices share prompts, so their cached tokens do not add up.
    pub(super) fn add(&mut self, other: Self) {
        self.completion_tokens += other.completion_tokens;
        self.cached_tokens = self.cached_tokens.max(other.cached_tokens);
    }

    fn usage(self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": { "cached_tokens": self.cached_tokens },
        })
    }
}

impl Document {
    /// Whether tokens are told one by one, text or not.
    pub(super) fn names_tokens(&self) -> bool {
        self.logprobs || self.token_ids
    }

    /// The answer in one document.
    pub(super) fn whole(&self, choices: Vec<Value>, counts: Counts) -> Value {
        let object = if self.kind == Kind::Chat { "chat.completion" } else { "text_completion" };
        let mut document = self.head(object);
        document["choices"] = choices.into();
        document["usage"] = counts.usage();
        document
    }

    /// A whole choice.
    pub(super) fn choice(&self, index: usize, piece: &Piece) -> Value {
        let mut choice = json!({ "index": index });
        match self.kind {
            Kind::Chat => {
                choice["message"] =
                    json!({ "role": "assistant", "content": piece.text, "refusal": null });
            }
            Kind::Text => choice["text"] = piece.text.as_str().into(),
        }
        choice["logprobs"] = self.logprobs(&piece.tokens);
        choice["finish_reason"] = piece.reason.into();
        if self.token_ids {
            choice["token_ids"] = ids(&piece.tokens);
        }
        choice
    }

    /// A piece of a choice.
    pub(super) fn chunk(&self, index: usize, delta: Value, piece: &Piece) -> Value {
        let mut choice = json!({ "index": index });
        match self.kind {
            Kind::Chat => choice["delta"] = delta,
            Kind::Text => choice["text"] = piece.text.as_str().into(),
        }
        choice["logprobs"] = match piece.tokens.as_slice() {
            [] => Value::Null,
            tokens => self.logprobs(tokens),
        };
        choice["finish_reason"] = piece.reason.into();
        if self.token_ids && !piece.tokens.is_empty() {
            choice["token_ids"] = ids(&piece.tokens);
        }
        let mut chunk = self.chunk_head();
        chunk["choices"] = json!([choice]);
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// What follows all choices of a client that wants to know its usage.
    pub(super) fn last_chunk(&self, counts: Counts) -> Value {
        let mut chunk = self.chunk_head();
        chunk["choices"] = json!([]);
        chunk["usage"] = counts.usage();
        chunk
    }

    fn chunk_head(&self) -> Value {
        let chat = self.kind == Kind::Chat;
        self.head(if chat { "chat.completion.chunk" } else { "text_completion" })
    }

    fn head(&self, object: &str) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": null,
        })
    }

    fn logprobs(&self, tokens: &[Placed]) -> Value {
        match (self.logprobs, self.kind) {
            (false, _) => Value::Null,
            (true, Kind::Chat) => token::chat(tokens, &self.text),
            (true, Kind::Text) => token::text(tokens, &self.text),
        }
    }
}

fn ids(tokens: &[Placed]) -> Value {
    tokens.iter().map(|token| token.sampled.token).collect()
}
