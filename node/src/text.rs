//! Text to tokens and back, as the API needs it.

use swarm_engine::{ChatError, ChatMessage, Detokenizer, Tokenizer};

/// A model's text side.
#[derive(Clone)]
pub struct ModelText {
    tokenizer: Tokenizer,
    end_tokens: Vec<u32>,
}

impl ModelText {
    /// The tokenizer, and the tokens that end an answer.
    pub fn new(tokenizer: Tokenizer) -> Self {
        let vocab = u32::try_from(tokenizer.vocab_len()).unwrap_or(u32::MAX);
        let end_tokens = (0..vocab).filter(|token| tokenizer.is_end(*token)).collect();
        Self { tokenizer, end_tokens }
    }

    /// The tokens of a plain text, with what the model wants in front.
    pub fn plain(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode_with_specials(text)
    }

    /// The tokens of a conversation that the model is to go on with.
    pub fn chat(&self, messages: &[ChatMessage]) -> Result<Vec<u32>, ChatError> {
        self.tokenizer.chat(messages, true)
    }

    /// Text of tokens as they come.
    pub fn stream(&self) -> Detokenizer {
        self.tokenizer.stream()
    }

    /// What one token stands for, as far as it is text, and its bytes.
    pub fn token(&self, token: u32) -> (String, Vec<u8>) {
        let bytes = self.tokenizer.bytes(token);
        (String::from_utf8_lossy(bytes).into_owned(), bytes.to_vec())
    }

    /// Tokens that end an answer.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }
}
