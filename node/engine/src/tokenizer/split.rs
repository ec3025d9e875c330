//! How byte-level vocabularies cut text into words before merging, by the name GGUF gives the way.

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use crate::gguf::Fault;

/// The ways that are known, for a refusal to name them.
const KNOWN: &str = "gpt-2, smollm, starcoder, refact, llama-bpe, llama3, falcon3, qwen2";
/// Contractions, words with what stands before them, up to `{digits}` digits, signs, spaces.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How text is cut, and whether a whole word that is a token is taken without merging.
pub(super) struct Cutting {
    pub(super) pre_tokenizer: PreTokenizerWrapper,
    pub(super) whole_words: bool,
    /// Whether characters are composed first (Unicode NFC).
    pub(super) compose: bool,
}

impl Cutting {
    pub(super) fn by_name(name: &str) -> Result<Self, Fault> {
        match name {
            "gpt-2" => Ok(Self::new(byte_level(true), false, false)),
            "smollm" | "starcoder" | "refact" => {
                let parts = vec![Digits::new(true).into(), byte_level(true)];
                Ok(Self::new(Sequence::new(parts).into(), false, false))
            }
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" => {
                Ok(Self::new(words("{1,3}")?, true, false))
            }
            "qwen2" => Ok(Self::new(words("")?, false, true)),
            other => Err(Fault::Unknown {
                what: format!("the pre-tokenizer `{other}`"),
                known: KNOWN.into(),
            }),
        }
    }

    fn new(pre_tokenizer: PreTokenizerWrapper, whole_words: bool, compose: bool) -> Self {
        Self { pre_tokenizer, whole_words, compose }
    }
}

fn byte_level(cut_words: bool) -> PreTokenizerWrapper {
    ByteLevel::new(false, false, cut_words).into()
}

fn words(digits: &str) -> Result<PreTokenizerWrapper, Fault> {
    let pattern = SplitPattern::Regex(WORDS.replace("{digits}", digits));
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
        .map_err(|error| Fault::Corrupt(format!("pre-tokenizer: {error}")))?;
    Ok(Sequence::new(vec![split.into(), byte_level(false)]).into())
}
