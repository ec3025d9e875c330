//! The HTTP API of every node: OpenAI's, and a few pages for people and programs.
//!
//! Decides nothing about the swarm: a request is checked, turned into tokens and handed to the
//! driver; what comes back is turned into text.

mod answer;
mod crowd;
mod document;
mod error;
mod fields;
mod metrics;
mod origins;
mod prompt;
mod reply;
mod request;
mod serve;
mod stops;
mod token;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::{Body, HttpBody},
    extract::{DefaultBodyLimit, FromRequest, Path, Request as HttpRequest, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use swarm_net::Gossip;
use swarm_proto::ModelSpec;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{handle::Handle, text::ModelText};
use error::ApiError;
use metrics::Metrics;
pub use origins::Origins;
use request::{Kind, Request};

/// Bytes of a request's body at most: a prompt of the longest context, several times over.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Requests for answers at a time; more are told to try again.
const ANSWERS_MAX: usize = 256;

/// Bodies read at a time: cutting a long text into tokens takes a core, and a node has other work.
const READS_MAX: usize = 2;
/// How long a body may take to come.
const BODY_MAX: Duration = Duration::from_secs(30);

/// How much of a body that is too long is let past, and for how long.
const SPILL_BYTES_MAX: usize = 64 << 20;
const SPILL_MAX: Duration = Duration::from_secs(5);

/// What the API works with.
#[derive(Clone)]
pub struct ApiState {
    handle: Handle,
    text: Arc<ModelText>,
    model: Arc<ModelInfo>,
    metrics: Arc<Metrics>,
    gossip: Gossip,
    origins: Arc<Origins>,
    turns: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

/// The model as the API tells of it.
#[derive(Clone, Debug)]
struct ModelInfo {
    name: String,
    context_max: u32,
    vocab: u32,
    created: u64,
}

impl ApiState {
    /// An API for the node behind `handle`, which gossips, and for pages of these origins.
    pub fn new(
        handle: Handle,
        gossip: Gossip,
        text: Arc<ModelText>,
        spec: &ModelSpec,
        origins: Origins,
    ) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let model = ModelInfo {
            name: spec.name.clone(),
            context_max: spec.context_max,
            vocab: spec.vocab,
            created: since.as_secs(),
        };
        Self {
            handle,
            text,
            model: Arc::new(model),
            metrics: Arc::default(),
            gossip,
            origins: Arc::new(origins),
            turns: Arc::new(Semaphore::new(ANSWERS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }
}

/// Serves the API until `closing` is cancelled and all requests under way are answered. Dropping
/// the future ends every connection at once.
pub async fn serve(listener: TcpListener, state: ApiState, closing: CancellationToken) {
    serve::serve(listener, router(state), closing).await;
}

/// Every path of the API.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completion))
        .route("/v1/models", get(models))
        .route("/v1/models/{model}", get(model))
        .route("/status", get(status))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(state.origins.cors())
        .layer(axum::middleware::from_fn_with_state(state.clone(), origins::guard))
        .with_state(state)
}

async fn page() -> Html<&'static str> {
    Html(include_str!("api/page.html"))
}

async fn chat(State(state): State<ApiState>, request: HttpRequest) -> Response {
    ask(state, Kind::Chat, request).await
}

async fn completion(State(state): State<ApiState>, request: HttpRequest) -> Response {
    ask(state, Kind::Text, request).await
}

async fn ask(state: ApiState, kind: Kind, request: HttpRequest) -> Response {
    state.metrics.asked();
    let answered = async {
        // Before the body, so that bodies take a bounded amount of memory.
        let turn = Arc::clone(&state.turns).try_acquire_owned().map_err(|_| error::busy())?;
        let request = read(&state, kind, request).await?;
        state.metrics.prompted(request.prompt_tokens);
        reply::reply(&state, request, turn).await
    };
    answered.await.unwrap_or_else(|refused: ApiError| {
        state.metrics.refused();
        refused.into_response()
    })
}

/// Reads a request on a thread that may take its time: the network runs on the others.
async fn read(state: &ApiState, kind: Kind, request: HttpRequest) -> Result<Request, ApiError> {
    // One that says so beforehand is not kept.
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        drop(tokio::time::timeout(SPILL_MAX, spill(request.into_body())).await);
        return Err(error::large_body(BODY_BYTES_MAX));
    }
    let body = tokio::time::timeout(BODY_MAX, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| error::slow_body())?;
    let body = body.map_err(|refused| error::body(&refused, BODY_BYTES_MAX))?;
    let reading = Arc::clone(&state.reads).acquire_owned().await;
    let (model, text) = (Arc::clone(&state.model), Arc::clone(&state.text));
    let read = tokio::task::spawn_blocking(move || {
        let _reading = reading;
        request::read(kind, &body, &model, &text)
    });
    read.await.unwrap_or_else(|_| Err(error::interrupted()))
}

/// Lets a body run past: most clients hear nothing before they have said everything.
async fn spill(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut left = SPILL_BYTES_MAX;
    while let Some(Ok(chunk)) = chunks.next().await {
        match left.checked_sub(chunk.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn model_object(model: &ModelInfo) -> serde_json::Value {
    json!({
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "hexswarm",
        "context_length": model.context_max,
    })
}

async fn models(State(state): State<ApiState>) -> Response {
    Json(json!({ "object": "list", "data": [model_object(&state.model)] })).into_response()
}

async fn model(State(state): State<ApiState>, Path(name): Path<String>) -> Response {
    if name == state.model.name {
        return Json(model_object(&state.model)).into_response();
    }
    error::no_model(&name, &state.model.name).into_response()
}

async fn status(State(state): State<ApiState>) -> Response {
    Json(&*state.handle.status()).into_response()
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(state): State<ApiState>) -> Response {
    let status = state.handle.status();
    if status.ready {
        return "ready\n".into_response();
    }
    let reason = status.trouble.as_deref().unwrap_or("no plan is live yet");
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
}

async fn figures(State(state): State<ApiState>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = state.metrics.text(&state.handle.status(), state.gossip.counts());
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn nowhere(uri: axum::http::Uri) -> ApiError {
    error::nowhere(uri.path())
}

async fn not_so(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    error::not_so(method.as_str(), uri.path())
}
