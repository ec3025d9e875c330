//! Log-probabilities, in the two shapes that OpenAI's endpoints have.

use serde_json::{Value, json};
use swarm_proto::Sampled;

use crate::text::ModelText;

/// One token as `/v1/chat/completions` shows it.
pub(super) fn chat(sampled: &Sampled, text: &ModelText) -> Value {
    let one = |token: u32, logprob: f32| {
        let (text, bytes) = text.token(token);
        json!({ "token": text, "logprob": logprob, "bytes": bytes })
    };
    let mut entry = one(sampled.token, sampled.logprob.unwrap_or_default());
    let top: Vec<_> = sampled.top.iter().map(|(token, logprob)| one(*token, *logprob)).collect();
    entry["top_logprobs"] = top.into();
    entry
}

/// Tokens as `/v1/completions` shows them; `offset` is where their text begins.
pub(super) fn text(tokens: &[Sampled], offset: usize, model: &ModelText) -> Value {
    let (mut names, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    let mut at = offset;
    for sampled in tokens {
        let (name, _) = model.token(sampled.token);
        offsets.push(at);
        at += name.chars().count();
        let top = sampled.top.iter().map(|(token, logprob)| (model.token(*token).0, *logprob));
        let top: serde_json::Map<_, _> =
            top.map(|(name, logprob)| (name, logprob.into())).collect();
        tops.push(top);
        logprobs.push(sampled.logprob);
        names.push(name);
    }
    json!({
        "tokens": names,
        "token_logprobs": logprobs,
        "top_logprobs": tops,
        "text_offset": offsets,
    })
}
