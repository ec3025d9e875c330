//! Answers, whole or as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Json,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use rand::RngExt;
use serde_json::{Value, json};
use swarm_proto::Sampled;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    ApiState,
    answer::{Choice, Next},
    error::{self, ApiError},
    request::{Kind, Request},
    token,
};

/// Events that may wait for a slow client.
const EVENTS_MAX: usize = 64;

/// Answers a request. `turn` is held until the answer is over.
pub(super) async fn reply(
    state: &ApiState,
    request: Request,
    turn: OwnedSemaphorePermit,
) -> Result<Response, ApiError> {
    let mut choices = Vec::new();
    for number in 0..request.choices {
        let mut ask = request.ask.clone();
        ask.sampling.seed = ask.sampling.seed.wrapping_add(u64::from(number));
        let answering = state.handle.ask(ask).map_err(|_| error::busy())?;
        choices.push(Choice::new(answering, state.text.stream(), request.stops.clone()));
    }
    let telling = Telling::new(state, request);
    if telling.request.stream {
        return telling.stream(choices, turn).await;
    }
    let _turn = turn;
    telling.whole(choices).await
}

/// What is told of an answer whatever its form.
struct Telling {
    state: ApiState,
    request: Request,
    id: String,
    created: u64,
    began: Instant,
}

/// A whole choice.
#[derive(Default)]
struct Told {
    text: String,
    tokens: Vec<Sampled>,
    reason: &'static str,
}

impl Telling {
    fn new(state: &ApiState, request: Request) -> Self {
        let word = if request.kind == Kind::Chat { "chatcmpl" } else { "cmpl" };
        let id = format!("{word}-{:016x}", rand::rng().random::<u64>());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let created = now.unwrap_or_default().as_secs();
        Self { state: state.clone(), request, id, created, began: Instant::now() }
    }

    async fn whole(self, choices: Vec<Choice>) -> Result<Response, ApiError> {
        let (mut told, mut tokens, mut cached) = (Vec::new(), 0, 0);
        let all = choices.into_iter().map(|choice| self.gather(choice));
        for (choice, one) in futures::future::try_join_all(all).await? {
            tokens += choice.tokens;
            cached = cached.max(choice.cached_tokens);
            told.push(one);
        }
        let told: Vec<_> = told.iter().enumerate().map(|(i, one)| self.choice(i, one)).collect();
        let mut document = self.object(false);
        document["choices"] = told.into();
        document["usage"] = self.usage(tokens, cached);
        Ok(Json(document).into_response())
    }

    async fn gather(&self, mut choice: Choice) -> Result<(Choice, Told), ApiError> {
        let mut told = Told::default();
        let mut first = true;
        loop {
            match choice.next().await {
                Next::Piece { text, token } => {
                    self.state.metrics.token(self.began, std::mem::take(&mut first));
                    told.text += &text;
                    told.tokens.extend(token);
                }
                Next::End { text, reason } => {
                    told.text += &text;
                    told.reason = reason;
                    self.state.metrics.answered();
                    return Ok((choice, told));
                }
                Next::Refused(refusal) => return Err(error::refusal(&refusal)),
            }
        }
    }

    fn choice(&self, index: usize, told: &Told) -> Value {
        let logprobs = self.logprobs(&told.tokens, 0);
        let mut choice = match self.request.kind {
            Kind::Chat => json!({
                "index": index,
                "message": { "role": "assistant", "content": told.text, "refusal": null },
                "logprobs": logprobs,
                "finish_reason": told.reason,
            }),
            Kind::Text => json!({
                "index": index,
                "text": told.text,
                "logprobs": logprobs,
                "finish_reason": told.reason,
            }),
        };
        if self.request.token_ids {
            choice["token_ids"] = told.tokens.iter().map(|sampled| sampled.token).collect();
        }
        choice
    }

    fn logprobs(&self, tokens: &[Sampled], offset: usize) -> Value {
        match (self.request.ask.sampling.logprobs, self.request.kind) {
            (None, _) => Value::Null,
            (Some(_), Kind::Chat) => {
                let list: Vec<_> =
                    tokens.iter().map(|t| token::chat(t, &self.state.text)).collect();
                json!({ "content": list, "refusal": null })
            }
            (Some(_), Kind::Text) => token::text(tokens, offset, &self.state.text),
        }
    }

    fn object(&self, chunk: bool) -> Value {
        let object = match (self.request.kind, chunk) {
            (Kind::Chat, true) => "chat.completion.chunk",
            (Kind::Chat, false) => "chat.completion",
            (Kind::Text, _) => "text_completion",
        };
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.state.model.name,
            "system_fingerprint": null,
        })
    }

    fn usage(&self, tokens: u32, cached: u32) -> Value {
        let prompt = self.request.ask.tokens.len() as u64;
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + u64::from(tokens),
            "prompt_tokens_details": { "cached_tokens": cached },
        })
    }

    /// The answer as events. A refusal before the first token is a plain error.
    async fn stream(
        self,
        mut choices: Vec<Choice>,
        turn: OwnedSemaphorePermit,
    ) -> Result<Response, ApiError> {
        let mut begun = Vec::new();
        for choice in &mut choices {
            match choice.next().await {
                Next::Refused(refusal) => return Err(error::refusal(&refusal)),
                next => begun.push(next),
            }
        }
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(async move {
            let _turn = turn;
            let telling = Arc::new(self);
            let all = choices.into_iter().zip(begun).enumerate().map(|(index, (choice, first))| {
                Arc::clone(&telling).tell(index, choice, first, events.clone())
            });
            let counts: Option<Vec<_>> = futures::future::join_all(all).await.into_iter().collect();
            // A client that has gone away gets nothing more, and its sessions are free.
            let Some(counts) = counts else { return };
            if telling.request.include_usage {
                let tokens = counts.iter().map(|(tokens, _)| tokens).sum();
                let cached = counts.iter().map(|(_, cached)| *cached).max().unwrap_or(0);
                let mut chunk = telling.object(true);
                chunk["choices"] = json!([]);
                chunk["usage"] = telling.usage(tokens, cached);
                let _ = events.send(data(&chunk)).await;
            }
            let _ = events.send(Ok(Event::default().data("[DONE]"))).await;
        });
        let sse = Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default());
        Ok(sse.into_response())
    }

    /// Tells one choice to its end; `None` if nobody listens any more.
    async fn tell(
        self: Arc<Self>,
        index: usize,
        mut choice: Choice,
        first: Next,
        events: mpsc::Sender<Result<Event, Infallible>>,
    ) -> Option<(u32, u32)> {
        if self.request.kind == Kind::Chat {
            let delta = json!({ "role": "assistant", "content": "" });
            events.send(data(&self.chunk(index, delta, &[], 0, None))).await.ok()?;
        }
        let (mut next, mut offset, mut is_first) = (first, 0, true);
        loop {
            let (text, token, reason) = match next {
                Next::Piece { text, token } => (text, token, None),
                Next::End { text, reason } => (text, None, Some(reason)),
                Next::Refused(refusal) => {
                    events.send(data(&error::refusal(&refusal).object())).await.ok()?;
                    return None;
                }
            };
            let tokens: Vec<_> = token.into_iter().collect();
            if !tokens.is_empty() {
                self.state.metrics.token(self.began, std::mem::take(&mut is_first));
            }
            let wanted = self.request.token_ids || self.request.ask.sampling.logprobs.is_some();
            if !text.is_empty() || (wanted && !tokens.is_empty()) {
                let length = text.chars().count();
                let delta = json!({ "content": text });
                events.send(data(&self.chunk(index, delta, &tokens, offset, None))).await.ok()?;
                offset += length;
            }
            if let Some(reason) = reason {
                self.state.metrics.answered();
                let chunk = self.chunk(index, json!({}), &[], offset, Some(reason));
                events.send(data(&chunk)).await.ok()?;
                return Some((choice.tokens, choice.cached_tokens));
            }
            tokio::select! {
                following = choice.next() => next = following,
                () = events.closed() => return None,
            }
        }
    }

    fn chunk(
        &self,
        index: usize,
        delta: Value,
        tokens: &[Sampled],
        offset: usize,
        reason: Option<&str>,
    ) -> Value {
        let logprobs = if tokens.is_empty() { Value::Null } else { self.logprobs(tokens, offset) };
        let mut choice = json!({ "index": index, "logprobs": logprobs, "finish_reason": reason });
        match self.request.kind {
            Kind::Chat => choice["delta"] = delta,
            Kind::Text => choice["text"] = delta.get("content").cloned().unwrap_or("".into()),
        }
        if self.request.token_ids && !tokens.is_empty() {
            choice["token_ids"] = tokens.iter().map(|sampled| sampled.token).collect();
        }
        let mut chunk = self.object(true);
        chunk["choices"] = json!([choice]);
        if self.request.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

fn data(value: &Value) -> Result<Event, Infallible> {
    Ok(Event::default().data(value.to_string()))
}
