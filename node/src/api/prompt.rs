//! What a client wants gone on with: a conversation, texts, or tokens.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use swarm_engine::ChatMessage;

use super::{
    ModelInfo,
    error::{self, ApiError},
    fields::{Fields, parse},
    request::Kind,
};
use crate::text::ModelText;

/// Messages of a conversation.
const MESSAGES_MAX: usize = 4096;

/// A prompt as it was written.
#[derive(Clone, Debug)]
pub(super) enum Prompt {
    Chat(Vec<ChatMessage>),
    Text(String),
    Tokens(Vec<u32>),
}

/// Takes the prompts out of a request.
pub(super) fn take(kind: Kind, fields: &mut Fields<'_>) -> Result<Vec<Prompt>, ApiError> {
    match kind {
        Kind::Chat => Ok(vec![Prompt::Chat(conversation(fields)?)]),
        Kind::Text => texts(fields),
    }
}

impl Prompt {
    /// Its tokens: some, and fewer than the context holds.
    pub(super) fn tokens(self, model: &ModelInfo, text: &ModelText) -> Result<Vec<u32>, ApiError> {
        let (kind, name) = match &self {
            Self::Chat(_) => (Kind::Chat, "messages"),
            Self::Text(_) | Self::Tokens(_) => (Kind::Text, "prompt"),
        };
        // Cutting a text takes time: one that cannot fit is not cut.
        let tokens_min = self.bytes() / text.token_bytes_max();
        if tokens_min > model.context_max as usize {
            return Err(error::too_long(kind, tokens_min, 1, model.context_max));
        }
        let tokens = match self {
            Self::Chat(messages) => {
                text.chat(&messages).map_err(|refused| error::field(name, refused.to_string()))?
            }
            Self::Text(prompt) => text.plain(&prompt),
            Self::Tokens(ids) => ids,
        };
        if let Some(id) = tokens.iter().find(|id| **id >= model.vocab) {
            let message = format!("{id} is no token: they are whole numbers below {}", model.vocab);
            return Err(error::field(name, message));
        }
        if tokens.is_empty() {
            return Err(error::field(name, "the prompt is empty"));
        }
        Ok(tokens)
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
            Self::Text(text) => text.len(),
            Self::Tokens(_) => 0,
        }
    }
}

fn conversation(fields: &mut Fields<'_>) -> Result<Vec<ChatMessage>, ApiError> {
    let list: Option<Vec<&RawValue>> = fields.take("messages", "a list of messages")?;
    let Some(list) = list else {
        return Err(error::field("messages", "`messages` is missing"));
    };
    if list.is_empty() || list.len() > MESSAGES_MAX {
        let message = format!("{} messages, not 1 to {MESSAGES_MAX}", list.len());
        return Err(error::field("messages", message));
    }
    list.into_iter().enumerate().map(|(index, raw)| message(index, raw)).collect()
}

fn message(index: usize, raw: &RawValue) -> Result<ChatMessage, ApiError> {
    let at = format!("messages[{index}]");
    let mut fields: BTreeMap<String, &RawValue> = parse(&at, raw, "a message")?;
    let role = fields.remove("role");
    let role: String = match role {
        Some(raw) => parse(&format!("{at}.role"), raw, "a text")?,
        None => return Err(error::field(&at, format!("{at} has no role"))),
    };
    let content = fields.remove("content").filter(|raw| raw.get() != "null");
    let Some(content) = content else {
        return Err(error::field(&at, format!("{at} has no content")));
    };
    let content = self::content(&format!("{at}.content"), content)?;
    // What clients send back of an answer holds empty fields; a name changes nothing here.
    let neutral = |raw: &RawValue| matches!(raw.get(), "null" | "[]" | "\"\"");
    if let Some((name, _)) = fields.iter().find(|(name, raw)| *name != "name" && !neutral(raw)) {
        let name: String = name.chars().take(60).collect();
        let message = format!("{at} has `{name}`, which is not supported");
        return Err(error::unsupported(&format!("{at}.{name}"), message));
    }
    Ok(ChatMessage { role: self::role(&at, &role)?.to_owned(), content })
}

/// The roles that a template knows. Any other would be written into the prompt as it came, control
/// tokens included.
fn role(at: &str, role: &str) -> Result<&'static str, ApiError> {
    match role {
        // What newer clients call the system's part.
        "system" | "developer" => Ok("system"),
        "user" => Ok("user"),
        "assistant" => Ok("assistant"),
        _ => {
            let role: String = role.chars().take(60).collect();
            let message =
                format!("the role `{role}` is not supported: system, developer, user, assistant");
            Err(error::unsupported(&format!("{at}.role"), message))
        }
    }
}

/// A part of a content.
#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

fn content(at: &str, raw: &RawValue) -> Result<String, ApiError> {
    let what = "a text or a list of parts of type `text`";
    if raw.get().starts_with('"') {
        return parse(at, raw, what);
    }
    let parts: Vec<Part> = parse(at, raw, what)?;
    let mut content = String::new();
    for part in parts {
        match (part.kind.as_str(), part.text) {
            ("text", Some(text)) => content += &text,
            (kind, _) => {
                let kind: String = kind.chars().take(60).collect();
                let message = format!("{at} has a part of type `{kind}`; only text is supported");
                return Err(error::unsupported(at, message));
            }
        }
    }
    Ok(content)
}

fn texts(fields: &mut Fields<'_>) -> Result<Vec<Prompt>, ApiError> {
    let what = "a text, a list of token ids, or a list of either";
    let Some(raw) = fields.raw("prompt") else {
        return Err(error::field("prompt", format!("`prompt` is missing: {what}")));
    };
    let mut opening = raw.get().bytes().filter(|byte| !byte.is_ascii_whitespace());
    match (opening.next(), opening.next()) {
        (Some(b'"'), _) => Ok(vec![Prompt::Text(parse("prompt", raw, what)?)]),
        (Some(b'['), Some(b'"')) => {
            let texts: Vec<String> = parse("prompt", raw, what)?;
            Ok(texts.into_iter().map(Prompt::Text).collect())
        }
        (Some(b'['), Some(b'[')) => {
            let lists: Vec<Vec<u32>> = parse("prompt", raw, what)?;
            Ok(lists.into_iter().map(Prompt::Tokens).collect())
        }
        _ => Ok(vec![Prompt::Tokens(parse("prompt", raw, what)?)]),
    }
}
