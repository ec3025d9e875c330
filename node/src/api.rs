//! The HTTP API of every node: OpenAI's, and a few pages for people and programs.
//!
//! Decides nothing about the swarm: a request is checked, turned into tokens and handed to the
//! driver; what comes back is turned into text.

mod answer;
mod error;
mod fields;
mod metrics;
mod reply;
mod request;
mod stops;
mod token;

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::json;
use swarm_proto::ModelSpec;
use tokio::sync::Semaphore;
use tower_http::cors::CorsLayer;

use crate::{handle::Handle, text::ModelText};
use error::ApiError;
use metrics::Metrics;
use request::Kind;

/// Bytes of a request's body at most: a prompt of the longest context, several times over.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Requests for answers at a time; more are told to try again.
const ANSWERS_MAX: usize = 256;

/// What the API works with.
#[derive(Clone)]
pub struct ApiState {
    handle: Handle,
    text: Arc<ModelText>,
    model: Arc<ModelInfo>,
    metrics: Arc<Metrics>,
    turns: Arc<Semaphore>,
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
    /// An API for the node behind `handle`.
    pub fn new(handle: Handle, text: Arc<ModelText>, spec: &ModelSpec) -> Self {
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
            turns: Arc::new(Semaphore::new(ANSWERS_MAX)),
        }
    }
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
        .layer(CorsLayer::permissive())
        .with_state(state)
}

async fn page() -> Html<&'static str> {
    Html(include_str!("api/page.html"))
}

async fn chat(State(state): State<ApiState>, body: Result<Bytes, BodyRejection>) -> Response {
    ask(state, Kind::Chat, body).await
}

async fn completion(State(state): State<ApiState>, body: Result<Bytes, BodyRejection>) -> Response {
    ask(state, Kind::Text, body).await
}

type BodyRejection = axum::extract::rejection::BytesRejection;

async fn ask(state: ApiState, kind: Kind, body: Result<Bytes, BodyRejection>) -> Response {
    let answered = async {
        let body = body.map_err(|refused| error::body(&refused, BODY_BYTES_MAX))?;
        let request = request::read(kind, &body, &state.model, &state.text)?;
        let turn = Arc::clone(&state.turns).try_acquire_owned().map_err(|_| error::busy())?;
        reply::reply(&state, request, turn).await
    };
    answered.await.unwrap_or_else(|refused: ApiError| {
        state.metrics.refused();
        refused.into_response()
    })
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
    let text = state.metrics.text(&state.handle.status());
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn nowhere(uri: axum::http::Uri) -> ApiError {
    error::nowhere(uri.path())
}

async fn not_so(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    error::not_so(method.as_str(), uri.path())
}
