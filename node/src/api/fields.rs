//! The fields of a request, taken out one by one: what is left at the end was not understood.
//!
//! Fields stay the text that came until each is read as what it must be, so that no body takes
//! much more memory than its bytes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    error::{self, ApiError},
    request::Kind,
};

/// Bytes of a field's value that a message repeats.
const SHOWN_BYTES_MAX: usize = 60;

/// Fields that change nothing, whatever they hold.
const IGNORED: &[&str] = &[
    "user",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
];

/// A field that is not supported, and whether it changes nothing at a value.
type Neutral = (&'static str, fn(&Value) -> bool);

/// Fields that are not supported unless they change nothing.
const NEUTRAL: &[Neutral] = &[
    ("frequency_penalty", is_zero),
    ("presence_penalty", is_zero),
    ("logit_bias", is_empty),
    ("best_of", is_one),
    ("suffix", is_empty),
    ("echo", is_false),
    ("store", is_false),
    ("tools", is_empty),
    ("functions", is_empty),
    ("tool_choice", is_none_or_auto),
    ("function_call", is_none_or_auto),
    ("response_format", is_text_format),
    ("modalities", is_text_only),
    ("audio", Value::is_null),
    ("prediction", Value::is_null),
    ("web_search_options", Value::is_null),
    ("reasoning_effort", |value| value == "none"),
    ("verbosity", |value| value == "medium"),
];

/// Fields of both endpoints.
const KNOWN: &[&str] = &[
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "stop",
    "logprobs",
    "n",
    "stream",
    "stream_options",
    "return_token_ids",
];

impl Kind {
    /// Fields of this endpoint alone.
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &["messages", "max_completion_tokens", "top_logprobs"],
            Self::Text => &["prompt"],
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Chat => Self::Text,
            Self::Text => Self::Chat,
        }
    }

    /// Where requests of this kind go.
    fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Text => "/v1/completions",
        }
    }
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

fn is_false(value: &Value) -> bool {
    value == &Value::Bool(false)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn is_none_or_auto(value: &Value) -> bool {
    value == "none" || value == "auto"
}

fn is_text_format(value: &Value) -> bool {
    value["type"] == "text"
}

fn is_text_only(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(|kind| kind == "text"))
}

/// What a client sent.
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Reads a body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body)
            .map_err(|e| error::malformed(format!("the body is not UTF-8: {e}")))?;
        match serde_json::from_str(text) {
            Ok(fields) => Ok(Self(fields)),
            Err(e) if e.is_data() => {
                Err(error::malformed("the body is not a JSON object".to_owned()))
            }
            Err(e) => Err(error::malformed(format!("the body is not JSON: {e}"))),
        }
    }

    /// Takes a field out as it came; null is as good as absent.
    pub(super) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name).filter(|raw| raw.get() != "null")
    }

    /// Takes a field out as what it must be; `what` says so in words.
    pub(super) fn take<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, ApiError> {
        self.raw(name).map(|raw| parse(name, raw, what)).transpose()
    }

    /// A number within bounds.
    pub(super) fn number(
        &mut self,
        name: &str,
        low: f64,
        high: f64,
    ) -> Result<Option<f32>, ApiError> {
        let what = format!("a number from {low} to {high}");
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let number: f64 = parse(name, raw, &what)?;
        if !(low..=high).contains(&number) {
            return Err(error::field(name, format!("`{name}` is {number}, not {what}")));
        }
        Ok(Some(number as f32))
    }

    /// A whole number within bounds.
    pub(super) fn count(
        &mut self,
        name: &str,
        low: u64,
        high: u64,
    ) -> Result<Option<u64>, ApiError> {
        let what = format!("a whole number from {low} to {high}");
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let number: u64 = parse(name, raw, &what)?;
        if !(low..=high).contains(&number) {
            return Err(error::field(name, format!("`{name}` is {number}, not {what}")));
        }
        Ok(Some(number))
    }

    /// A switch; off if absent.
    pub(super) fn switch(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.take(name, "true or false")?.unwrap_or(false))
    }

    /// Refuses what is left, unless it changes nothing.
    pub(super) fn finish(self, kind: Kind) -> Result<(), ApiError> {
        for (name, raw) in self.0 {
            if raw.get() == "null" || IGNORED.contains(&name.as_str()) {
                continue;
            }
            let Some((_, neutral)) = NEUTRAL.iter().find(|(field, _)| *field == name) else {
                return Err(unknown(&name, kind));
            };
            // Every neutral value is short.
            let short = raw.get().len() <= SHOWN_BYTES_MAX;
            let value = short.then(|| serde_json::from_str(raw.get()).ok()).flatten();
            if !value.is_some_and(|value| neutral(&value)) {
                return Err(error::unsupported(
                    &name,
                    format!(
                        "`{name}` is not supported here, and {} would change the answer",
                        shown(raw)
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// Reads a value as what it must be.
pub(super) fn parse<'a, T: Deserialize<'a>>(
    name: &str,
    raw: &'a RawValue,
    what: &str,
) -> Result<T, ApiError> {
    serde_json::from_str(raw.get())
        .map_err(|_| error::field(name, format!("`{name}` is {}, not {what}", shown(raw))))
}

/// The beginning of a value, for a message.
fn shown(raw: &RawValue) -> String {
    let text = raw.get();
    match text.char_indices().map(|(at, _)| at).find(|at| *at >= SHOWN_BYTES_MAX) {
        Some(at) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn unknown(name: &str, kind: Kind) -> ApiError {
    if kind.other().own().contains(&name) {
        let path = kind.other().path();
        return error::unsupported(name, format!("`{name}` is a field of {path}, not of this"));
    }
    let mut known = KNOWN.iter().chain(kind.own()).chain(NEUTRAL.iter().map(|(field, _)| field));
    let near = known.find(|known| strsim::damerau_levenshtein(known, name) <= 2);
    let near = near.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    let name_shown: String = name.chars().take(SHOWN_BYTES_MAX).collect();
    error::unsupported(&name_shown, format!("unknown field `{name_shown}`{near}"))
}
