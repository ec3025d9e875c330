//! Refusals, in the shape that OpenAI's clients expect.

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use swarm_core::Refusal;

use super::request::Kind;

/// Something that cannot be done, and why.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    param: Option<String>,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: String) -> Self {
        Self { status, kind, code, param: None, message }
    }

    /// The object that says it.
    pub(super) fn object(&self) -> Value {
        json!({
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.object())).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A field that cannot be.
pub(super) fn field(name: &str, message: impl Into<String>) -> ApiError {
    let message = message.into();
    let status = StatusCode::BAD_REQUEST;
    let error = ApiError::new(status, "invalid_request_error", "invalid_value", message);
    ApiError { param: Some(name.to_owned()), ..error }
}

/// A field that would change the answer, and that is not supported.
pub(super) fn unsupported(name: &str, message: String) -> ApiError {
    ApiError { code: "unsupported_parameter", ..field(name, message) }
}

/// A body that is no request.
pub(super) fn malformed(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_json", message)
}

/// A body that could not be read.
pub(super) fn body(refused: &BytesRejection, bytes_max: usize) -> ApiError {
    match refused.status() {
        StatusCode::PAYLOAD_TOO_LARGE => large_body(bytes_max),
        status => invalid_body(status, refused.body_text()),
    }
}

/// A body of too many bytes.
pub(super) fn large_body(bytes_max: usize) -> ApiError {
    let message = format!("the body is larger than {bytes_max} bytes");
    invalid_body(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// A body that took too long to come.
pub(super) fn slow_body() -> ApiError {
    invalid_body(StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned())
}

fn invalid_body(status: StatusCode, message: String) -> ApiError {
    ApiError::new(status, "invalid_request_error", "invalid_body", message)
}

/// A prompt that does not fit, alone or with the answer asked for.
pub(super) fn too_long(kind: Kind, tokens: usize, answer: u64, context_max: u32) -> ApiError {
    let message = format!(
        "this model's context is {context_max} tokens; the prompt has {tokens} and the answer may \
         have {answer}"
    );
    let name = if kind == Kind::Chat { "messages" } else { "prompt" };
    let error = field(name, message);
    ApiError { code: "context_length_exceeded", ..error }
}

/// Another model than the one served.
pub(super) fn no_model(asked: &str, served: &str) -> ApiError {
    let message = format!("no model `{asked}` here; this swarm serves `{served}`");
    let error = field("model", message);
    ApiError { status: StatusCode::NOT_FOUND, code: "model_not_found", ..error }
}

/// Too many requests.
pub(super) fn busy() -> ApiError {
    refusal(&Refusal::Busy)
}

/// An answer that nobody brings to its end.
pub(super) fn interrupted() -> ApiError {
    let message = "the answer was cut off: it was not read in time, or this node is stopping";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    ApiError::new(status, "server_error", "interrupted", message.to_owned())
}

/// A path that leads nowhere.
pub(super) fn nowhere(path: &str) -> ApiError {
    let message =
        format!("nothing at {path}; see /v1/chat/completions, /v1/completions, /v1/models");
    ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", "not_found", message)
}

/// A path that wants another method.
pub(super) fn not_so(method: &str, path: &str) -> ApiError {
    let message = format!("{path} does not take {method}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    ApiError::new(status, "invalid_request_error", "method_not_allowed", message)
}

/// A web page that may not ask.
pub(super) fn wrong_origin(origin: Option<&str>) -> ApiError {
    let origin: String = origin.unwrap_or("an origin that is no text").chars().take(100).collect();
    let message = format!(
        "pages of {origin} may not ask this node; whoever runs it can allow them with --api-origins"
    );
    forbidden("wrong_origin", message)
}

/// A name that this node does not go by.
pub(super) fn wrong_host(host: &str) -> ApiError {
    let host: String = host.chars().take(100).collect();
    let message = format!(
        "this node serves its own machine and is not called `{host}`: ask 127.0.0.1 or localhost; \
         whoever runs it can allow another name with --api-origins"
    );
    forbidden("wrong_host", message)
}

fn forbidden(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "invalid_request_error", code, message)
}

/// What the core refuses.
pub(super) fn refusal(refusal: &Refusal) -> ApiError {
    let (status, kind, code) = match refusal {
        Refusal::NoPlan(_) => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "not_ready"),
        Refusal::Draining => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "draining"),
        Refusal::Failed(_) => (StatusCode::BAD_GATEWAY, "server_error", "swarm_failed"),
        Refusal::Busy => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "busy"),
        Refusal::TooLong { .. } | Refusal::NoRoom { .. } => {
            (StatusCode::BAD_REQUEST, "invalid_request_error", "context_length_exceeded")
        }
        Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_value"),
    };
    ApiError::new(status, kind, code, refusal.to_string())
}
