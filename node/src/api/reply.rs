//! Answers, whole or as server-sent events.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::future::{try_join_all, try_select};
use rand::RngExt;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    ApiState,
    answer::{Choice, Piece},
    document::{Counts, Document},
    error::{self, ApiError},
    request::{Kind, Request},
};

/// Events that may wait for a slow client.
const EVENTS_MAX: usize = 64;

/// How long a client may leave events unread.
const UNREAD_MAX: Duration = Duration::from_secs(60);

/// Where events go.
type Events = mpsc::Sender<Result<Event, Infallible>>;

/// The client is gone, or was told of an error: nothing follows.
struct Over;

/// Answers a request. `turn` is held until the answer is over.
pub(super) async fn reply(
    state: &ApiState,
    request: Request,
    turn: OwnedSemaphorePermit,
) -> Result<Response, ApiError> {
    let Request { asks, prompt_tokens, stops, stream, include_usage, .. } = request;
    let document = Document {
        kind: request.kind,
        id: id(request.kind),
        created: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        model: state.model.name.clone(),
        text: Arc::clone(&state.text),
        logprobs: request.logprobs,
        token_ids: request.token_ids,
        include_usage,
    };
    let mut counts = Counts::of_prompts(prompt_tokens);
    let mut choices = Vec::new();
    for ask in asks {
        let answering = state.handle.ask(ask).map_err(|_| error::busy())?;
        let metrics = Arc::clone(&state.metrics);
        choices.push(Choice::new(answering, state.text.stream(), stops.clone(), metrics));
    }
    // Whoever is refused is told so by the status of the response.
    try_join_all(choices.iter_mut().map(Choice::started)).await?;
    if stream {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(tell_all(document, choices, counts, events, turn));
        let sse = Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default());
        return Ok(sse.into_response());
    }
    let mut told = Vec::new();
    for (piece, one) in try_join_all(choices.into_iter().map(gather)).await? {
        counts.add(one);
        told.push(document.choice(told.len(), &piece));
    }
    drop(turn);
    Ok(Json(document.whole(told, counts)).into_response())
}

fn id(kind: Kind) -> String {
    let word = if kind == Kind::Chat { "chatcmpl" } else { "cmpl" };
    format!("{word}-{:016x}", rand::rng().random::<u64>())
}

/// A whole choice as one piece. Its session is free as soon as it has ended.
async fn gather(mut choice: Choice) -> Result<(Piece, Counts), ApiError> {
    let mut told = Piece::default();
    while told.reason.is_none() {
        let piece = choice.next().await?;
        told.text += &piece.text;
        told.tokens.extend(piece.tokens);
        told.reason = piece.reason;
    }
    Ok((told, Counts::of(&choice)))
}

/// Tells all choices as events, to the last or until nobody listens.
async fn tell_all(
    document: Document,
    choices: Vec<Choice>,
    mut counts: Counts,
    events: Events,
    _turn: OwnedSemaphorePermit,
) {
    let all = choices.into_iter().enumerate();
    let all = try_join_all(all.map(|(index, choice)| tell(&document, index, choice, &events)));
    let gone = async {
        events.closed().await;
        Err::<(), Over>(Over)
    };
    let (all, gone) = (std::pin::pin!(all), std::pin::pin!(gone));
    let Ok(futures::future::Either::Left((told, _))) = try_select(all, gone).await else { return };
    told.into_iter().for_each(|one| counts.add(one));
    if document.include_usage {
        let _ = send(&events, &document.last_chunk(counts)).await;
    }
    let _ = events.send_timeout(Ok(Event::default().data("[DONE]")), UNREAD_MAX).await;
}

/// Tells one choice to its end.
async fn tell(
    document: &Document,
    index: usize,
    mut choice: Choice,
    events: &Events,
) -> Result<Counts, Over> {
    if document.kind == Kind::Chat {
        let delta = json!({ "role": "assistant", "content": "" });
        send(events, &document.chunk(index, delta, &Piece::default())).await?;
    }
    loop {
        let mut piece = match choice.next().await {
            Ok(piece) => piece,
            Err(error) => {
                let _ = send(events, &error.object()).await;
                return Err(Over);
            }
        };
        let reason = piece.reason.take();
        if !piece.text.is_empty() || (document.names_tokens() && !piece.tokens.is_empty()) {
            let delta = json!({ "content": piece.text });
            send(events, &document.chunk(index, delta, &piece)).await?;
        }
        if reason.is_some() {
            let end = Piece { reason, ..Piece::default() };
            send(events, &document.chunk(index, json!({}), &end)).await?;
            return Ok(Counts::of(&choice));
        }
    }
}

async fn send(events: &Events, value: &serde_json::Value) -> Result<(), Over> {
    let event = Event::default().data(value.to_string());
    events.send_timeout(Ok(event), UNREAD_MAX).await.map_err(|_| Over)
}
