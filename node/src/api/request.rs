//! A request for an answer: read, checked, and turned into tokens.

use rand::RngExt;
use serde_json::Value;
use swarm_core::Ask;
use swarm_engine::ChatMessage;
use swarm_proto::{LOGPROBS_MAX, Sampling};

use super::{
    ModelInfo,
    error::{self, ApiError},
    fields::Fields,
};
use crate::text::ModelText;

/// Answers to one prompt.
const CHOICES_MAX: u64 = 8;
/// Strings that end an answer.
const STOPS_MAX: usize = 16;
/// Bytes of each.
const STOP_BYTES_MAX: usize = 256;
/// Messages of a conversation.
const MESSAGES_MAX: usize = 4096;

/// Which of the two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Text,
}

/// A request that can be answered.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// What the driver is asked, but for the seed.
    pub(super) ask: Ask,
    pub(super) choices: u32,
    pub(super) stops: Vec<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) token_ids: bool,
}

/// Reads a request.
pub(super) fn read(
    kind: Kind,
    body: &[u8],
    model: &ModelInfo,
    text: &ModelText,
) -> Result<Request, ApiError> {
    let mut fields = Fields::read(body)?;
    let wanted = fields.take("model");
    let name = wanted.as_ref().and_then(Value::as_str);
    match name {
        Some(name) if name == model.name => {}
        Some(name) => return Err(error::no_model(name, &model.name)),
        None => {
            return Err(error::field(
                "model",
                format!("`model` is missing; `{}` is served", model.name),
            ));
        }
    }
    let tokens = match kind {
        Kind::Chat => conversation(&mut fields, text)?,
        Kind::Text => prompt(&mut fields, text, model.vocab)?,
    };
    if tokens.is_empty() {
        return Err(error::field("prompt", "the prompt is empty"));
    }
    let answer_tokens_max = answer_length(kind, &mut fields, tokens.len(), model)?;
    let sampling = sampling(kind, &mut fields)?;
    let choices = fields.count("n", 1, CHOICES_MAX)?.unwrap_or(1) as u32;
    let stops = stops(&mut fields)?;
    let stream = fields.switch("stream")?;
    let include_usage = usage_wanted(&mut fields, stream)?;
    let token_ids = fields.switch("return_token_ids")?;
    fields.finish()?;
    let end_tokens = text.end_tokens().to_vec();
    let ask = Ask { tokens, answer_tokens_max, sampling, end_tokens };
    Ok(Request { kind, ask, choices, stops, stream, include_usage, token_ids })
}

fn conversation(fields: &mut Fields, text: &ModelText) -> Result<Vec<u32>, ApiError> {
    let Some(Value::Array(list)) = fields.take("messages") else {
        return Err(error::field("messages", "`messages` is missing, or no list"));
    };
    if list.is_empty() || list.len() > MESSAGES_MAX {
        return Err(error::field(
            "messages",
            format!("{} messages, not 1 to {MESSAGES_MAX}", list.len()),
        ));
    }
    let messages = list.iter().enumerate().map(|(index, value)| message(index, value));
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    text.chat(&messages).map_err(|refused| error::field("messages", refused.to_string()))
}

fn message(index: usize, value: &Value) -> Result<ChatMessage, ApiError> {
    let at = format!("messages[{index}]");
    let Some(fields) = value.as_object() else {
        return Err(error::field(&at, format!("{at} is no object")));
    };
    for name in fields.keys() {
        let neutral = fields[name].is_null() || name == "name";
        if !matches!(name.as_str(), "role" | "content") && !neutral {
            return Err(error::unsupported(
                &at,
                format!("{at} has `{name}`, which is not supported"),
            ));
        }
    }
    let role = fields.get("role").and_then(Value::as_str);
    let role = role.ok_or_else(|| error::field(&at, format!("{at} has no role")))?;
    // What newer clients call the system's part.
    let role = if role == "developer" { "system" } else { role };
    let content = match fields.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().map(|part| text_part(&at, part)).collect::<Result<_, _>>()?
        }
        _ => return Err(error::field(&at, format!("{at} has no text as its content"))),
    };
    Ok(ChatMessage { role: role.to_owned(), content })
}

fn text_part(at: &str, part: &Value) -> Result<String, ApiError> {
    match (part["type"].as_str(), part["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        (kind, _) => {
            let kind = kind.unwrap_or("no type");
            Err(error::unsupported(
                at,
                format!("{at} has a part of type `{kind}`; only text is supported"),
            ))
        }
    }
}

fn prompt(fields: &mut Fields, text: &ModelText, vocab: u32) -> Result<Vec<u32>, ApiError> {
    match fields.take("prompt") {
        Some(Value::String(prompt)) => Ok(text.plain(&prompt)),
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(prompt)] => Ok(text.plain(prompt)),
            [Value::Array(ids)] => token_ids(ids, vocab),
            ids if ids.iter().all(Value::is_number) => token_ids(ids, vocab),
            _ => Err(error::field("prompt", "one prompt a request: a text or a list of token ids")),
        },
        _ => Err(error::field("prompt", "`prompt` is missing: a text or a list of token ids")),
    }
}

fn token_ids(list: &[Value], vocab: u32) -> Result<Vec<u32>, ApiError> {
    let id = |value: &Value| value.as_u64().filter(|id| *id < u64::from(vocab)).map(|id| id as u32);
    let ids: Option<Vec<u32>> = list.iter().map(id).collect();
    ids.ok_or_else(|| error::field("prompt", format!("token ids are whole numbers below {vocab}")))
}

/// How long the answer may be: what was asked for, if prompt and answer fit the context. If
/// nothing was asked for, what OpenAI gives: the rest of the context, or 16 tokens of plain text.
fn answer_length(
    kind: Kind,
    fields: &mut Fields,
    prompt: usize,
    model: &ModelInfo,
) -> Result<u32, ApiError> {
    let high = u64::from(u32::MAX);
    let old = fields.count("max_tokens", 1, high)?;
    let new = match kind {
        Kind::Chat => fields.count("max_completion_tokens", 1, high)?,
        Kind::Text => None,
    };
    let room = u64::from(model.context_max).saturating_sub(prompt as u64);
    let default = if kind == Kind::Chat { room } else { room.min(16) };
    let wanted = new.or(old).unwrap_or(default);
    if wanted > room || room == 0 {
        let wanted = u32::try_from(wanted.max(1)).unwrap_or(u32::MAX);
        return Err(error::too_long(prompt, wanted, model.context_max));
    }
    Ok(wanted as u32)
}

fn sampling(kind: Kind, fields: &mut Fields) -> Result<Sampling, ApiError> {
    let neutral = Sampling::default();
    let sampling = Sampling {
        temperature: fields.number("temperature", 0.0, 2.0)?.unwrap_or(1.0),
        top_k: fields.count("top_k", 0, u64::from(u32::MAX))?.unwrap_or(0) as u32,
        top_p: fields.number("top_p", 0.0, 1.0)?.unwrap_or(neutral.top_p),
        min_p: fields.number("min_p", 0.0, 1.0)?.unwrap_or(neutral.min_p),
        repetition_penalty: fields.number("repetition_penalty", 0.01, 100.0)?.unwrap_or(1.0),
        seed: seed(fields)?,
        logprobs: logprobs(kind, fields)?,
    };
    let sound = sampling.check();
    sound
        .map(|()| sampling)
        .map_err(|reason| error::field(reason.split(' ').next().unwrap_or("top_p"), reason))
}

/// Any whole number; drawn if absent.
fn seed(fields: &mut Fields) -> Result<u64, ApiError> {
    match fields.take("seed") {
        None => Ok(rand::rng().random()),
        Some(value) => {
            let number = value.as_u64().or(value.as_i64().map(|number| number as u64));
            number.ok_or_else(|| {
                error::field("seed", format!("`seed` is {value}, not a whole number"))
            })
        }
    }
}

fn logprobs(kind: Kind, fields: &mut Fields) -> Result<Option<u8>, ApiError> {
    let high = u64::from(LOGPROBS_MAX);
    if kind == Kind::Text {
        return Ok(fields.count("logprobs", 0, high)?.map(|count| count as u8));
    }
    let on = fields.switch("logprobs")?;
    let top = fields.count("top_logprobs", 0, high)?;
    match (on, top) {
        (true, top) => Ok(Some(top.unwrap_or(0) as u8)),
        (false, Some(top)) if top > 0 => {
            Err(error::field("top_logprobs", "`top_logprobs` needs `logprobs: true`"))
        }
        (false, _) => Ok(None),
    }
}

fn stops(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let list = match fields.take("stop") {
        None => return Ok(Vec::new()),
        Some(Value::String(stop)) => vec![Value::String(stop)],
        Some(Value::Array(list)) => list,
        Some(value) => return Err(error::field("stop", format!("`stop` is {value}, not text"))),
    };
    let stop = |value: &Value| {
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= STOP_BYTES_MAX);
        text.map(str::to_owned)
    };
    let stops: Option<Vec<_>> = list.iter().map(stop).collect();
    stops.filter(|stops| stops.len() <= STOPS_MAX).ok_or_else(|| {
        error::field("stop", format!("at most {STOPS_MAX} texts of 1 to {STOP_BYTES_MAX} bytes"))
    })
}

fn usage_wanted(fields: &mut Fields, stream: bool) -> Result<bool, ApiError> {
    match fields.take("stream_options") {
        None => Ok(false),
        Some(_) if !stream => {
            Err(error::field("stream_options", "`stream_options` needs `stream: true`"))
        }
        Some(options) => Ok(options["include_usage"] == true),
    }
}
