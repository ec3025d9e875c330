//! Text to tokens and back.
//!
//! The library `tokenizers` cuts plain text. This module keeps control tokens away from it: a text
//! is first cut where control tokens are *meant* (in a chat, by the template alone), and only what
//! lies between is handed on, so that nothing a user types becomes a control token.

mod folder;
mod gguf;
mod pieces;
mod specials;
mod split;

use std::sync::Arc;

use tokenizers::Tokenizer as Library;

use crate::gguf::Fault;
use crate::template::{ChatError, ChatMessage, ChatTemplate};
use crate::weights::Source;
use crate::{Weights, WeightsError};
use pieces::Pieces;
use specials::{Guard, Specials};

pub use pieces::Detokenizer;
pub(crate) use pieces::byte_level_char;

/// A model's vocabulary and how it cuts text. Clones are cheap.
#[derive(Clone)]
pub struct Tokenizer(Arc<Parts>);

struct Parts {
    /// Knows no control tokens.
    plain: Library,
    specials: Specials,
    pieces: Arc<Pieces>,
    /// What a text of its own starts with.
    front: Vec<u32>,
    ends: Vec<u32>,
    template: Option<ChatTemplate>,
}

impl Tokenizer {
    /// The tokenizer that came with `weights`: in the GGUF file, or `tokenizer.json` beside them.
    pub fn open(weights: &Weights) -> Result<Self, WeightsError> {
        let parts = match weights.source() {
            Source::Gguf(path, metadata) => gguf::read(metadata, weights.config())
                .map_err(|fault| WeightsError::of(path, fault))?,
            Source::Folder(path) => folder::read(path, weights.config())?,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// The tokens of `text` and nothing else: nothing is put in front, and what looks like a
    /// control token is text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.0.encode_plain(text, &mut ids);
        ids
    }

    /// The tokens of a text that stands alone: control tokens in it are meant, and what the model
    /// wants in front of every text is put there.
    pub fn encode_with_specials(&self, text: &str) -> Vec<u32> {
        let mut ids = self.0.front.clone();
        self.0.encode_guarded(text, Guard::NONE, &mut ids);
        ids
    }

    /// The text of `ids`. Control tokens have none; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.0.pieces.decode(ids)
    }

    /// Decodes token by token, continuing a text.
    pub fn stream(&self) -> Detokenizer {
        Detokenizer::new(Arc::clone(&self.0.pieces))
    }

    /// The bytes that a token adds to a text; none for control tokens and ids that are not there.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.0.pieces.bytes(id)
    }

    /// The tokens of a conversation, written as the model's template wants it.
    ///
    /// Contents are text, whatever they hold: a user who types a control token gets its letters.
    pub fn chat(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<Vec<u32>, ChatError> {
        let guard = Guard::unused_in(messages.iter().map(|message| message.content.as_str()));
        let guarded: Vec<ChatMessage> = messages
            .iter()
            .map(|message| ChatMessage {
                role: message.role.clone(),
                content: self.0.specials.guard(&message.content, guard),
            })
            .collect();
        let template = self.0.template.as_ref().ok_or(ChatError::NoTemplate)?;
        let text = template.render(&guarded, add_generation_prompt)?;
        let mut ids = Vec::new();
        self.0.encode_guarded(&text, guard, &mut ids);
        Ok(ids)
    }

    /// The text of a conversation, as the model's template writes it.
    pub fn chat_text(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let template = self.0.template.as_ref().ok_or(ChatError::NoTemplate)?;
        template.render(messages, add_generation_prompt)
    }

    /// Whether the token ends an answer.
    pub fn is_end(&self, id: u32) -> bool {
        self.0.ends.contains(&id)
    }

    /// Tokens in the vocabulary. The model's head may be padded beyond it.
    pub fn vocab_len(&self) -> usize {
        self.0.pieces.len()
    }
}

impl Parts {
    fn encode_plain(&self, text: &str, ids: &mut Vec<u32>) {
        // A byte-level vocabulary has a token for every byte, and the others fall back to bytes:
        // the library has no text left to refuse.
        if let Ok(encoding) = self.plain.encode_fast(text, false) {
            ids.extend_from_slice(encoding.get_ids());
        }
    }

    /// Cuts `text` at its control tokens, takes guards out of what is between, and encodes that.
    fn encode_guarded(&self, text: &str, guard: Guard, ids: &mut Vec<u32>) {
        self.specials.cut(text, |part, special| {
            self.encode_plain(&guard.remove(part), ids);
            ids.extend(special);
        });
    }
}

fn library_fault(error: tokenizers::Error) -> Fault {
    Fault::Corrupt(format!("tokenizer: {error}"))
}

/// Refuses merges whose parts or whole are no tokens: the library indexes by them unchecked.
fn check_merges(merges: &[(String, String)], is_token: impl Fn(&str) -> bool) -> Result<(), Fault> {
    let fine = |(left, right): &&(String, String)| {
        is_token(left) && is_token(right) && is_token(&format!("{left}{right}"))
    };
    match merges.iter().find(|pair| !fine(pair)) {
        Some((left, right)) => {
            Err(Fault::Corrupt(format!("the merge `{left} {right}` is not of tokens")))
        }
        None => Ok(()),
    }
}
