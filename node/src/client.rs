//! A client of any node's API: `run`, `chat`, `status` and the demo speak through it.

pub mod chat;
pub mod document;
mod plan_text;
pub mod run;
mod sse;
pub mod status;

use std::time::{Duration, Instant};

use color_eyre::eyre::{Context, bail, eyre};
use futures::StreamExt;
pub(crate) use plan_text::bar;
pub use plan_text::plan_text;
use reqwest::Response;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sse::Splitter;
pub(crate) use status::links;

use crate::status::Status;

/// Where a node's API is if nobody says otherwise.
pub const VIA: &str = "http://127.0.0.1:8080";
/// How long a node may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The body, but for the model's name.
    pub body: Value,
    /// Whether it is a conversation or a plain text.
    pub chat: bool,
    /// The prompt, for whoever prints it again.
    pub prompt: String,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The model's name.
    pub model: String,
    /// The whole text.
    pub text: String,
    /// Its tokens.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: String,
    /// Time to the first token.
    pub ttft_ms: f64,
    /// Time for each token after it.
    pub tpot_ms: f64,
    /// Tokens of the prompt that were in the KV cache.
    pub cached_tokens: u64,
}

impl Request {
    /// A greedy answer to one question.
    pub fn chat(prompt: &str, max_tokens: u32) -> Self {
        let messages = json!([{ "role": "user", "content": prompt }]);
        let body = json!({ "messages": messages, "max_tokens": max_tokens, "temperature": 0 });
        Self { body, chat: true, prompt: prompt.to_owned() }
    }
}

/// A node's own words for why it will not.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What it says.
    pub message: String,
    /// Its short name for that, as in `docs/api.md`.
    pub code: String,
}

impl Refused {
    /// Whether an error is one of the swarm's at this moment, so that to ask again may help.
    pub fn may_pass(error: &color_eyre::Report) -> bool {
        let codes = ["not_ready", "swarm_failed"];
        error.downcast_ref::<Self>().is_some_and(|refused| codes.contains(&refused.code.as_str()))
    }

    fn of(body: &Value) -> Option<Self> {
        let message = body["error"]["message"].as_str()?.to_owned();
        let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
        Some(Self { message, code })
    }
}

fn http() -> color_eyre::Result<reqwest::Client> {
    // Nodes are reached directly: a proxy knows nothing of them.
    Ok(reqwest::Client::builder().connect_timeout(CONNECT_MAX).no_proxy().build()?)
}

/// Sends a request; an error says what a person can do about it.
async fn send(via: &str, request: reqwest::RequestBuilder) -> color_eyre::Result<Response> {
    let response = request.send().await.wrap_err_with(|| {
        format!("cannot reach {via}: is a node running there? Start one with `hexswarm node`")
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let refused: Value = response.json().await.unwrap_or_default();
    match Refused::of(&refused) {
        Some(refused) => Err(refused.into()),
        None => bail!("{via} answers {status}: is that a node's API?"),
    }
}

async fn get<T: DeserializeOwned>(via: &str, path: &str) -> color_eyre::Result<T> {
    let response = send(via, http()?.get(url(via, path))).await?;
    response.json().await.wrap_err_with(|| format!("{via} speaks otherwise than this version"))
}

/// Where a path of a node's API is. People leave `http://` out, and write the `/v1` that clients of
/// OpenAI's are given.
fn url(via: &str, path: &str) -> String {
    let via = via.trim_end_matches('/');
    let via = via.strip_suffix("/v1").unwrap_or(via);
    let scheme = if via.contains("://") { "" } else { "http://" };
    format!("{scheme}{via}{path}")
}

/// What a node knows.
pub async fn status(via: &str) -> color_eyre::Result<Status> {
    get(via, "/status").await
}

/// The model that a node serves.
pub async fn model(via: &str) -> color_eyre::Result<String> {
    let models: Value = get(via, "/v1/models").await?;
    let name = models["data"][0]["id"].as_str();
    name.map(str::to_owned).ok_or_else(|| eyre!("{via} serves no model"))
}

/// Asks, and tells `show` each piece of text as it comes.
pub async fn stream(
    via: &str,
    request: &Request,
    mut show: impl FnMut(&str),
) -> color_eyre::Result<Answer> {
    let mut body = request.body.clone();
    let model = model(via).await?;
    body["model"] = model.clone().into();
    body["stream"] = true.into();
    body["stream_options"] = json!({ "include_usage": true });
    body["return_token_ids"] = true.into();
    let path = if request.chat { "/v1/chat/completions" } else { "/v1/completions" };
    let began = Instant::now();
    let response = send(via, http()?.post(url(via, path)).json(&body)).await?;
    let mut answer = Answer { model, ..Answer::default() };
    let (mut bytes, mut splitter) = (response.bytes_stream(), Splitter::default());
    let (mut first, mut last) = (None, began);
    while let Some(chunk) = bytes.next().await {
        for event in splitter.push(&chunk?)? {
            if event == "[DONE]" {
                answer.time(began, first, last);
                return Ok(answer);
            }
            let event: Value = serde_json::from_str(&event)?;
            if answer.take(&event, &mut show)? {
                last = Instant::now();
                first.get_or_insert(last);
            }
        }
    }
    bail!("the node went away in mid-answer")
}

impl Answer {
    /// Takes an event in; whether it brought a token.
    fn take(&mut self, event: &Value, show: &mut impl FnMut(&str)) -> color_eyre::Result<bool> {
        if let Some(refused) = Refused::of(event) {
            return Err(refused.into());
        }
        if let Some(cached) = event["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64() {
            self.cached_tokens = cached;
        }
        let choice = &event["choices"][0];
        let text = choice["delta"]["content"].as_str().or(choice["text"].as_str());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            show(text);
            self.text += text;
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            reason.clone_into(&mut self.finish_reason);
        }
        let ids = choice["token_ids"].as_array().into_iter().flatten();
        let before = self.token_ids.len();
        self.token_ids.extend(ids.filter_map(Value::as_u64).map(|id| id as u32));
        Ok(self.token_ids.len() > before)
    }

    fn time(&mut self, began: Instant, first: Option<Instant>, last: Instant) {
        let Some(first) = first else { return };
        self.ttft_ms = (first - began).as_secs_f64() * 1e3;
        let gaps = self.token_ids.len().saturating_sub(1);
        if gaps > 0 {
            self.tpot_ms = (last - first).as_secs_f64() * 1e3 / gaps as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn a_node_is_found_however_its_address_is_written() {
        let wanted = "http://127.0.0.1:8080/v1/models";
        for via in ["http://127.0.0.1:8080", "127.0.0.1:8080/", "http://127.0.0.1:8080/v1/"] {
            assert_eq!(url(via, "/v1/models"), wanted);
        }
        assert_eq!(url("https://a.example", "/status"), "https://a.example/status");
    }
}
