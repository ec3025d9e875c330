//! The tokenizer of a model folder: `tokenizer.json` and `tokenizer_config.json`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokenizers::Tokenizer as Library;

use super::pieces::{Pieces, byte_level, sentence_piece};
use super::specials::Specials;
use super::{Parts, check_merges, library_fault};
use crate::gguf::Fault;
use crate::safetensors::{read_bounded, read_json};
use crate::template::ChatTemplate;
use crate::{ModelConfig, WeightsError};

/// A token beside the model's vocabulary.
#[derive(Clone, Deserialize)]
struct Added {
    id: u32,
    content: String,
    special: bool,
}

/// What of `tokenizer_config.json` is wanted.
#[derive(Default, Deserialize)]
struct Settings {
    chat_template: Option<Templates>,
    bos_token: Option<Text>,
    eos_token: Option<Text>,
}

/// One template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// A token's text, alone or with its settings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Token { content: String },
}

pub(super) fn read(folder: &Path, config: &ModelConfig) -> Result<Parts, WeightsError> {
    let path = folder.join("tokenizer.json");
    let json: Value = read_json(&path)?;
    let template = read_template(folder)?;
    build(json, template, config).map_err(|fault| WeightsError::of(&path, fault))
}

fn build(
    mut json: Value,
    template: Option<ChatTemplate>,
    config: &ModelConfig,
) -> Result<Parts, Fault> {
    refuse_unknown(&json)?;
    let front = front(&json, config);
    let added = take_specials(&mut json)?;
    let bytes_of = piece_reader(&json)?;
    let ids = vocabulary(&json)?;
    check_model_merges(&json, &ids)?;
    let tokens = by_id(&ids, &added, config)?;
    let user_defined: Vec<&str> = plain_added(&json);
    let pieces = tokens.iter().map(|token| match token {
        Some(text) if user_defined.contains(&text.as_str()) => text.as_bytes().to_vec(),
        Some(text) => bytes_of(text),
        None => Vec::new(),
    });
    let pieces: Vec<Vec<u8>> = pieces.collect();
    let text = serde_json::to_vec(&json).map_err(|error| Fault::Corrupt(error.to_string()))?;
    let plain = Library::from_bytes(text).map_err(library_fault)?;
    let first = plain.encode_fast("a", false).map_err(library_fault)?.get_ids().first().copied();
    let front_space = first.and_then(|id| pieces.get(id as usize)).is_some_and(|p| p[..1] == *b" ");
    Ok(Parts {
        plain,
        specials: Specials::new(added.into_iter().map(|token| (token.content, token.id)).collect()),
        pieces: Arc::new(Pieces::new(pieces, front_space)),
        front,
        ends: config.eos.clone(),
        template,
    })
}

/// Refuses what this module would get wrong.
fn refuse_unknown(json: &Value) -> Result<(), Fault> {
    let model = json["model"]["type"].as_str().unwrap_or("none named");
    if model != "BPE" {
        let what = format!("the tokenizer model `{model}`");
        return Err(Fault::Unknown { what, known: "BPE".into() });
    }
    // Text between control tokens is encoded piece by piece: each would count as the first.
    if json["pre_tokenizer"].to_string().contains(r#""prepend_scheme":"first""#) {
        let what = "a space before the first word only (`prepend_scheme`)".into();
        return Err(Fault::Unknown { what, known: "always, never".into() });
    }
    Ok(())
}

/// What a text starts with: what the post-processor puts there, else as the settings say.
fn front(json: &Value, config: &ModelConfig) -> Vec<u32> {
    let post = &json["post_processor"];
    let steps = post["processors"].as_array().map_or(std::slice::from_ref(post), Vec::as_slice);
    let Some(template) = steps.iter().find(|step| step["type"] == "TemplateProcessing") else {
        return config.bos.filter(|_| config.add_bos).into_iter().collect();
    };
    let parts = template["single"].as_array().map_or(&[][..], Vec::as_slice);
    let names = parts.iter().map_while(|part| part["SpecialToken"]["id"].as_str());
    let ids = names.filter_map(|name| template["special_tokens"][name]["ids"][0].as_u64());
    ids.filter_map(|id| u32::try_from(id).ok()).collect()
}

/// Takes the control tokens out of `json`, and puts the other added ones into its vocabulary, so
/// that they keep their ids.
fn take_specials(json: &mut Value) -> Result<Vec<Added>, Fault> {
    let corrupt = |error: serde_json::Error| Fault::Corrupt(format!("`added_tokens`: {error}"));
    let listed = json["added_tokens"].take();
    let entries: Vec<Value> = match listed {
        Value::Null => Vec::new(),
        listed => serde_json::from_value(listed).map_err(corrupt)?,
    };
    json["post_processor"] = Value::Null;
    json["truncation"] = Value::Null;
    json["padding"] = Value::Null;
    let (mut specials, mut others) = (Vec::new(), Vec::new());
    let vocabulary = json["model"]["vocab"].as_object_mut();
    let vocabulary = vocabulary.ok_or_else(|| Fault::Corrupt("it has no vocabulary".into()))?;
    for entry in entries {
        let token = Added::deserialize(&entry).map_err(corrupt)?;
        vocabulary.shift_remove(&token.content);
        if token.special {
            specials.push(token);
        } else {
            vocabulary.insert(token.content, token.id.into());
            others.push(entry);
        }
    }
    json["added_tokens"] = others.into();
    Ok(specials)
}

/// How a token's text becomes bytes.
fn piece_reader(json: &Value) -> Result<fn(&str) -> Vec<u8>, Fault> {
    let decoder = json["decoder"].to_string();
    if decoder.contains(r#""ByteLevel""#) {
        return Ok(byte_level);
    }
    if decoder.contains(r#""ByteFallback""#) && json["model"]["byte_fallback"] == true {
        return Ok(sentence_piece);
    }
    let what = format!("the token decoder {}", &json["decoder"]["type"]);
    Err(Fault::Unknown { what, known: "ByteLevel, ByteFallback".into() })
}

fn vocabulary(json: &Value) -> Result<HashMap<String, u32>, Fault> {
    let vocabulary = &json["model"]["vocab"];
    HashMap::deserialize(vocabulary).map_err(|error| Fault::Corrupt(format!("`vocab`: {error}")))
}

fn check_model_merges(json: &Value, ids: &HashMap<String, u32>) -> Result<(), Fault> {
    let merges = json["model"]["merges"].as_array().map_or(&[][..], Vec::as_slice);
    let pair = |merge: &Value| {
        let parts = match merge {
            Value::String(text) => text.split_once(' '),
            parts => parts[0].as_str().zip(parts[1].as_str()),
        };
        let (left, right) =
            parts.ok_or_else(|| Fault::Corrupt(format!("the merge {merge} is no pair")))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    let pairs: Vec<_> = merges.iter().map(pair).collect::<Result<_, _>>()?;
    check_merges(&pairs, |token| ids.contains_key(token))
}

/// The text of every token but control tokens.
fn by_id(
    ids: &HashMap<String, u32>,
    specials: &[Added],
    config: &ModelConfig,
) -> Result<Vec<Option<String>>, Fault> {
    let all = || ids.values().copied().chain(specials.iter().map(|token| token.id));
    let last = all().max().ok_or_else(|| Fault::Corrupt("it has no tokens".into()))? as usize;
    if last >= config.vocab {
        let rows = config.vocab;
        return Err(Fault::Corrupt(format!("it has a token {last} for an embedding of {rows}")));
    }
    let mut tokens = vec![None; last + 1];
    for (text, &id) in ids {
        tokens[id as usize] = Some(text.clone());
    }
    Ok(tokens)
}

fn plain_added(json: &Value) -> Vec<&str> {
    let added = json["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    added.iter().filter_map(|token| token["content"].as_str()).collect()
}

/// The template: in a file of its own, or among the tokenizer's settings.
fn read_template(folder: &Path) -> Result<Option<ChatTemplate>, WeightsError> {
    let settings_path = folder.join("tokenizer_config.json");
    let settings: Settings = match settings_path.exists() {
        true => read_json(&settings_path)?,
        false => Settings::default(),
    };
    let own_path = folder.join("chat_template.jinja");
    let (path, source) = if own_path.exists() {
        let text = read_bounded(&own_path).map_err(|error| WeightsError::read(&own_path, error))?;
        (own_path, Some(String::from_utf8_lossy(&text).into_owned()))
    } else {
        (settings_path, settings.chat_template.and_then(Templates::default_one))
    };
    let Some(source) = source else { return Ok(None) };
    let text = |token: Option<Text>| token.map(Text::content).unwrap_or_default();
    ChatTemplate::new(&source, text(settings.bos_token), text(settings.eos_token))
        .map(Some)
        .map_err(|error| WeightsError::of(&path, Fault::Corrupt(error.to_string())))
}

impl Templates {
    fn default_one(self) -> Option<String> {
        match self {
            Self::One(source) => Some(source),
            Self::Named(all) => {
                all.into_iter().find(|named| named.name == "default").map(|named| named.template)
            }
        }
    }
}

impl Text {
    fn content(self) -> String {
        match self {
            Self::Plain(content) | Self::Token { content } => content,
        }
    }
}
