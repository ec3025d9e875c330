//! Log-probabilities, in the two shapes that OpenAI's endpoints have.

use serde_json::{Map, Value, json};

use super::answer::Placed;
use crate::text::ModelText;

/// What stands for a log-probability that no JSON number can be, as OpenAI has it.
const LOGPROB_MIN: f32 = -9999.0;

/// A token's name: its text; its bytes if they are no text; its number if it has none.
fn name(token: u32, model: &ModelText) -> String {
    let bytes = model.bytes(token);
    match std::str::from_utf8(bytes) {
        Ok("") => format!("token_id:{token}"),
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("bytes:".to_owned(), |name, b| name + &format!("\\x{b:02x}")),
    }
}

/// A number that JSON can hold.
fn logprob(logprob: f32) -> f32 {
    if logprob.is_finite() { logprob } else { LOGPROB_MIN }
}

/// Tokens as `/v1/chat/completions` shows them.
pub(super) fn chat(tokens: &[Placed], model: &ModelText) -> Value {
    let one = |token: u32, value: f32| {
        json!({
            "token": name(token, model),
            "logprob": logprob(value),
            "bytes": model.bytes(token),
        })
    };
    let entry = |Placed { sampled, .. }: &Placed| {
        let mut entry = one(sampled.token, sampled.logprob.unwrap_or_default());
        entry["top_logprobs"] = sampled.top.iter().map(|(token, p)| one(*token, *p)).collect();
        entry
    };
    json!({ "content": tokens.iter().map(entry).collect::<Vec<_>>(), "refusal": null })
}

/// Tokens as `/v1/completions` shows them.
pub(super) fn text(tokens: &[Placed], model: &ModelText) -> Value {
    let top = |token: &Placed| {
        let top = token.sampled.top.iter();
        top.map(|(token, p)| (name(*token, model), logprob(*p).into())).collect::<Map<_, _>>()
    };
    let own = |token: &Placed| token.sampled.logprob.map(logprob);
    json!({
        "tokens": tokens.iter().map(|token| name(token.sampled.token, model)).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(own).collect::<Vec<_>>(),
        "top_logprobs": tokens.iter().map(top).collect::<Vec<_>>(),
        "text_offset": tokens.iter().map(|token| token.first).collect::<Vec<_>>(),
    })
}
