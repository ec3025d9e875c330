//! The fields of a request, taken out one by one: what is left at the end was not understood.

use serde_json::{Map, Value};

use super::error::{self, ApiError};

/// A field, and whether a value of it changes nothing.
type Neutral = (&'static str, fn(&Value) -> bool);

/// Fields that are not supported, with the values at which they change nothing.
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
    ("tool_choice", is_none_word),
    ("function_call", is_none_word),
    ("parallel_tool_calls", Value::is_boolean),
    ("response_format", is_text_format),
    ("modalities", is_text_only),
    ("audio", Value::is_null),
    ("prediction", Value::is_null),
    ("reasoning_effort", is_none_word),
    ("user", |_| true),
    ("metadata", |_| true),
    ("service_tier", |_| true),
    ("safety_identifier", |_| true),
    ("prompt_cache_key", |_| true),
];

/// Every field that is understood, for whoever mistypes one.
const KNOWN: &[&str] = &[
    "model",
    "messages",
    "prompt",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "seed",
    "stop",
    "logprobs",
    "top_logprobs",
    "n",
    "stream",
    "stream_options",
    "return_token_ids",
];

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

fn is_none_word(value: &Value) -> bool {
    value == "none" || value == "auto"
}

fn is_text_format(value: &Value) -> bool {
    value["type"] == "text"
}

fn is_text_only(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(|kind| kind == "text"))
}

/// What a client sent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let text = std::str::from_utf8(body)
            .map_err(|e| error::malformed(format!("the body is not UTF-8: {e}")))?;
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(error::malformed("the body is not a JSON object".to_owned())),
            Err(e) => Err(error::malformed(format!("the body is not JSON: {e}"))),
        }
    }

    /// Takes a field out; null is as good as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A number within bounds.
    pub(super) fn number(
        &mut self,
        name: &str,
        low: f64,
        high: f64,
    ) -> Result<Option<f32>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if (low..=high).contains(&number) => Ok(Some(number as f32)),
            _ => Err(error::field(
                name,
                format!("`{name}` is {value}, not a number from {low} to {high}"),
            )),
        }
    }

    /// A whole number within bounds.
    pub(super) fn count(
        &mut self,
        name: &str,
        low: u64,
        high: u64,
    ) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64() {
            Some(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(error::field(
                name,
                format!("`{name}` is {value}, not a whole number from {low} to {high}"),
            )),
        }
    }

    /// A switch; off if absent.
    pub(super) fn switch(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(on),
            Some(value) => {
                Err(error::field(name, format!("`{name}` is {value}, not true or false")))
            }
        }
    }

    /// Refuses what is left, unless it changes nothing.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        for (name, value) in &self.0 {
            if value.is_null() {
                continue;
            }
            match NEUTRAL.iter().find(|(field, _)| field == name) {
                Some((_, neutral)) if neutral(value) => {}
                Some(_) => {
                    let message = format!(
                        "`{name}` is not supported here, and {value} would change the answer"
                    );
                    return Err(error::unsupported(name, message));
                }
                None => return Err(unknown(name)),
            }
        }
        Ok(())
    }
}

fn unknown(name: &str) -> ApiError {
    let near = KNOWN.iter().max_by_key(|known| (strsim::jaro(known, name) * 1e6) as u64);
    let near = near.filter(|known| strsim::jaro(known, name) > 0.75);
    let hint = near.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
    error::unsupported(name, format!("unknown field `{name}`{hint}"))
}
