//! A request for answers: read, checked, and turned into tokens.

use rand::RngExt;
use serde::Deserialize;
use serde_json::Number;
use swarm_core::Ask;
use swarm_proto::{LOGPROBS_MAX, Sampling};

use super::{
    ModelInfo,
    error::{self, ApiError},
    fields::Fields,
    prompt,
};
use crate::text::ModelText;

/// Answers of one request, over all its prompts.
const CHOICES_MAX: usize = 8;
/// Strings that end an answer.
const STOPS_MAX: usize = 16;
/// Bytes of each.
const STOP_BYTES_MAX: usize = 256;
/// Tokens of an answer to a plain text if nothing is asked for, as OpenAI has it.
const TEXT_ANSWER_TOKENS: u64 = 16;

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
    /// What the driver is asked: an ask a choice, prompt by prompt.
    pub(super) asks: Vec<Ask>,
    /// Tokens of all prompts together, each counted once.
    pub(super) prompt_tokens: u64,
    pub(super) stops: Vec<String>,
    /// Whether tokens are told with their log-probabilities.
    pub(super) logprobs: bool,
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
    served(&mut fields, model)?;
    let wanted = wanted(kind, &mut fields)?;
    let sampling = sampling(kind, &mut fields)?;
    let choices = fields.count("n", 1, CHOICES_MAX as u64)?.unwrap_or(1) as usize;
    let stops = stops(&mut fields)?;
    let stream = fields.switch("stream")?;
    let include_usage = usage_wanted(&mut fields, stream)?;
    let token_ids = fields.switch("return_token_ids")?;
    // Prompts last: they are the work.
    let written = prompt::take(kind, &mut fields)?;
    fields.finish(kind)?;
    if written.len() * choices > CHOICES_MAX {
        let message = format!(
            "{} prompts with {choices} answers each; at most {CHOICES_MAX} answers a request",
            written.len()
        );
        return Err(error::field("n", message));
    }
    let (mut asks, mut prompt_tokens) = (Vec::new(), 0);
    for prompt in written {
        let tokens = prompt.tokens(model, text)?;
        prompt_tokens += tokens.len() as u64;
        let answer_tokens_max = answer_length(kind, wanted, tokens.len(), model)?;
        let end_tokens = text.end_tokens().to_vec();
        let ask = Ask { tokens, answer_tokens_max, sampling: sampling.clone(), end_tokens };
        asks.extend((0..choices).map(|number| again(&ask, number)));
    }
    let logprobs = sampling.logprobs.is_some();
    Ok(Request { kind, asks, prompt_tokens, stops, logprobs, stream, include_usage, token_ids })
}

/// The same question, with dice of its own.
fn again(ask: &Ask, number: usize) -> Ask {
    let mut ask = ask.clone();
    ask.sampling.seed = ask.sampling.seed.wrapping_add(number as u64);
    ask
}

fn served(fields: &mut Fields<'_>, model: &ModelInfo) -> Result<(), ApiError> {
    match fields.take::<String>("model", "the name of a model")? {
        Some(name) if name == model.name => Ok(()),
        Some(name) => Err(error::no_model(&name, &model.name)),
        None => {
            Err(error::field("model", format!("`model` is missing; `{}` is served", model.name)))
        }
    }
}

/// How long the answer may be, if the client says.
fn wanted(kind: Kind, fields: &mut Fields<'_>) -> Result<Option<u64>, ApiError> {
    let high = u64::from(u32::MAX);
    let old = fields.count("max_tokens", 1, high)?;
    let new = match kind {
        Kind::Chat => fields.count("max_completion_tokens", 1, high)?,
        Kind::Text => None,
    };
    Ok(new.or(old))
}

/// How long the answer may be: what was asked for, if prompt and answer fit the context. If
/// nothing was asked for, what OpenAI gives: the rest of the context, or 16 tokens of plain text.
fn answer_length(
    kind: Kind,
    wanted: Option<u64>,
    prompt: usize,
    model: &ModelInfo,
) -> Result<u32, ApiError> {
    let room = u64::from(model.context_max).saturating_sub(prompt as u64);
    let default = if kind == Kind::Chat { room } else { room.min(TEXT_ANSWER_TOKENS) };
    let wanted = wanted.unwrap_or(default);
    if wanted > room || room == 0 {
        return Err(error::too_long(kind, prompt, wanted.max(1), model.context_max));
    }
    // At most the context, which is a u32.
    Ok(wanted as u32)
}

fn sampling(kind: Kind, fields: &mut Fields<'_>) -> Result<Sampling, ApiError> {
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
    // Each rule begins with the name of its field.
    let named = |reason: &'static str| reason.split(' ').next().unwrap_or(reason);
    sampling.check().map_err(|reason| error::field(named(reason), reason))?;
    Ok(sampling)
}

/// Any whole number; drawn if absent.
fn seed(fields: &mut Fields<'_>) -> Result<u64, ApiError> {
    let Some(number) = fields.take::<Number>("seed", "a whole number")? else {
        return Ok(rand::rng().random());
    };
    let seed = number.as_u64().or(number.as_i64().map(|number| number as u64));
    seed.ok_or_else(|| error::field("seed", format!("`seed` is {number}, not a whole number")))
}

fn logprobs(kind: Kind, fields: &mut Fields<'_>) -> Result<Option<u8>, ApiError> {
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

fn stops(fields: &mut Fields<'_>) -> Result<Vec<String>, ApiError> {
    let what = format!("a text or a list of at most {STOPS_MAX} texts");
    let Some(raw) = fields.raw("stop") else { return Ok(Vec::new()) };
    let stops: Vec<String> = match raw.get().starts_with('"') {
        true => vec![super::fields::parse("stop", raw, &what)?],
        false => super::fields::parse("stop", raw, &what)?,
    };
    let fits = |stop: &String| (1..=STOP_BYTES_MAX).contains(&stop.len());
    if stops.len() > STOPS_MAX || !stops.iter().all(fits) {
        let message =
            format!("`stop` takes up to {STOPS_MAX} texts of 1 to {STOP_BYTES_MAX} bytes");
        return Err(error::field("stop", message));
    }
    Ok(stops)
}

/// What a streaming client may choose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
    /// Padding against listeners that measure lengths; ours has none.
    #[serde(default)]
    include_obfuscation: bool,
}

fn usage_wanted(fields: &mut Fields<'_>, stream: bool) -> Result<bool, ApiError> {
    let name = "stream_options";
    let options: Option<StreamOptions> = fields.take(name, "an object with `include_usage`")?;
    match options {
        None => Ok(false),
        Some(_) if !stream => Err(error::field(name, "`stream_options` needs `stream: true`")),
        Some(options) if options.include_obfuscation => {
            Err(error::unsupported(name, "`include_obfuscation` is not supported here".to_owned()))
        }
        Some(options) => Ok(options.include_usage),
    }
}
