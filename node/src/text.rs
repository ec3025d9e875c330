//! Text to tokens and back, as the API needs it.

use swarm_engine::{ChatError, ChatMessage, Detokenizer, Tokenizer};

/// Bytes that one token may take of a text at least, since control tokens are written out there.
const CONTROL_BYTES_MAX: usize = 64;

/// A model's text side.
#[derive(Clone)]
pub struct ModelText {
    tokenizer: Tokenizer,
    end_tokens: Vec<u32>,
    token_bytes_max: usize,
}

impl ModelText {
    /// The tokenizer, and the tokens that end an answer.
    pub fn new(tokenizer: Tokenizer) -> Self {
        let vocab = 0..u32::try_from(tokenizer.vocab_len()).unwrap_or(u32::MAX);
        let end_tokens = vocab.clone().filter(|token| tokenizer.is_end(*token)).collect();
        let longest = vocab.map(|token| tokenizer.bytes(token).len()).max();
        Self { tokenizer, end_tokens, token_bytes_max: longest.unwrap_or(0).max(CONTROL_BYTES_MAX) }
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

    /// The bytes that a token adds to a text; none for control tokens.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.tokenizer.bytes(token)
    }

    /// Bytes of the longest token: no text has fewer tokens than its bytes divided by this.
    pub fn token_bytes_max(&self) -> usize {
        self.token_bytes_max
    }

    /// Tokens that end an answer.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }
}
