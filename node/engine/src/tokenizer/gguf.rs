//! The tokenizer in a GGUF file's metadata.

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer as Library};

use super::pieces::{Pieces, byte_level};
use super::specials::Specials;
use super::split::Cutting;
use super::{Parts, library_fault};
use crate::ModelConfig;
use crate::gguf::{Fault, Metadata, required};
use crate::template::ChatTemplate;

/// A token that steers and has no text.
const CONTROL: f64 = 3.0;
/// A token that is found in text before any word is cut.
const USER_DEFINED: f64 = 4.0;

pub(super) fn read(metadata: &Metadata, config: &ModelConfig) -> Result<Parts, Fault> {
    let model = required("tokenizer.ggml.model", metadata.text("tokenizer.ggml.model"))?;
    if model != "gpt2" {
        let what = format!("the tokenizer `{model}`");
        return Err(Fault::Unknown { what, known: "gpt2".into() });
    }
    let vocabulary = Vocabulary::read(metadata, config)?;
    let template = match metadata.text("tokenizer.chat_template")? {
        Some(source) => Some(vocabulary.template(source, config)?),
        None => None,
    };
    Ok(Parts {
        plain: library(metadata, &vocabulary)?,
        pieces: Arc::new(Pieces::new(vocabulary.pieces(), false)),
        specials: Specials::new(vocabulary.of_type(CONTROL).collect()),
        front: config.bos.filter(|_| config.add_bos).into_iter().collect(),
        ends: config.eos.clone(),
        template,
    })
}

/// All tokens with their types.
struct Vocabulary {
    tokens: Vec<String>,
    types: Vec<f64>,
}

impl Vocabulary {
    fn read(metadata: &Metadata, config: &ModelConfig) -> Result<Self, Fault> {
        let key = "tokenizer.ggml.tokens";
        let tokens = required(key, metadata.texts(key))?;
        if tokens.len() > config.vocab {
            let (tokens, rows) = (tokens.len(), config.vocab);
            return Err(Fault::Corrupt(format!("{tokens} tokens for an embedding of {rows}")));
        }
        let key = "tokenizer.ggml.token_type";
        let types = required(key, metadata.numbers(key))?;
        if types.len() != tokens.len() {
            let (types, tokens) = (types.len(), tokens.len());
            return Err(Fault::Corrupt(format!("{types} token types for {tokens} tokens")));
        }
        Ok(Self { tokens, types })
    }

    fn all(&self) -> impl Iterator<Item = (&String, f64, u32)> {
        let typed = self.tokens.iter().zip(&self.types);
        typed.zip(0..).map(|((token, &kind), id)| (token, kind, id))
    }

    fn of_type(&self, wanted: f64) -> impl Iterator<Item = (String, u32)> {
        self.all().filter(move |token| token.1 == wanted).map(|(text, _, id)| (text.clone(), id))
    }

    fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        self.all().map(|(token, kind, _)| match kind {
            CONTROL => Vec::new(),
            USER_DEFINED => token.as_bytes().to_vec(),
            _ => byte_level(token),
        })
    }

    fn template(&self, source: &str, config: &ModelConfig) -> Result<ChatTemplate, Fault> {
        let text = |id: Option<u32>| id.and_then(|id| self.tokens.get(id as usize)).cloned();
        let (bos, eos) = (text(config.bos), text(config.eos.first().copied()));
        ChatTemplate::new(source, bos.unwrap_or_default(), eos.unwrap_or_default())
            .map_err(|error| Fault::Corrupt(error.to_string()))
    }
}

fn library(metadata: &Metadata, vocabulary: &Vocabulary) -> Result<Library, Fault> {
    let key = "tokenizer.ggml.pre";
    let cutting = Cutting::by_name(required(key, metadata.text(key))?)?;
    // Without control tokens: no text may become one by merging.
    let tokens = vocabulary.all().filter(|token| token.1 != CONTROL);
    let ids: HashMap<String, u32> = tokens.map(|(text, _, id)| (text.clone(), id)).collect();
    let merges = merges(metadata, &ids)?;
    let model = BPE::builder()
        .vocab_and_merges(ids.into_iter().collect::<Vocab>(), merges)
        .ignore_merges(cutting.whole_words)
        .build()
        .map_err(library_fault)?;
    let mut library = Library::new(model);
    library.with_pre_tokenizer(Some(cutting.pre_tokenizer));
    if cutting.compose {
        library.with_normalizer(Some(NormalizerWrapper::from(NFC))).map_err(library_fault)?;
    }
    let added = vocabulary.of_type(USER_DEFINED);
    let added = added.map(|(text, _)| AddedToken::from(text, false).normalized(false));
    library.add_tokens(added).map_err(library_fault)?;
    Ok(library)
}

fn merges(metadata: &Metadata, ids: &HashMap<String, u32>) -> Result<Vec<(String, String)>, Fault> {
    let key = "tokenizer.ggml.merges";
    let merges = required(key, metadata.texts(key))?;
    let pairs = merges.iter().map(|merge| {
        let (left, right) = merge
            .split_once(' ')
            .ok_or_else(|| Fault::Corrupt(format!("the merge `{merge}` has no space")))?;
        Ok((left.to_owned(), right.to_owned()))
    });
    let pairs: Vec<_> = pairs.collect::<Result<_, _>>()?;
    super::check_merges(&pairs, |token| ids.contains_key(token))?;
    Ok(pairs)
}
