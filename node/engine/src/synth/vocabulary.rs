//! The vocabulary of made-up models: control tokens, every byte, pairs of letters.

use crate::tokenizer::byte_level_char;

/// The control tokens, which come first. Ids 1 and 2 start and end a message.
pub(super) const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
pub(super) const BOS: u32 = 1;
pub(super) const EOS: u32 = 2;
/// Control tokens and bytes.
pub(super) const MIN: usize = CONTROL.len() + 256;
/// How conversations are written.
pub(super) const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A vocabulary of `len` tokens.
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    /// Pairs of letters that are tokens.
    pub(super) merges: Vec<(char, char)>,
}

impl Vocabulary {
    pub(super) fn new(len: usize) -> Self {
        let mut tokens: Vec<String> = CONTROL.map(str::to_owned).into();
        tokens.extend((0..=255).map(|byte| byte_level_char(byte).to_string()));
        let pairs = ('a'..='z').flat_map(|left| ('a'..='z').map(move |right| (left, right)));
        let merges: Vec<_> = pairs.take(len.saturating_sub(MIN)).collect();
        tokens.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
        // Never found in a text, for nothing merges into them; a head can still choose them.
        tokens.extend((tokens.len()..len).map(|id| format!("~{id}~")));
        Self { tokens, merges }
    }

    pub(super) fn is_control(id: usize) -> bool {
        id < CONTROL.len()
    }
}
