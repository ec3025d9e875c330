//! Which web pages may ask this node: its own, and those of the origins that its owner named.
//!
//! A browser lets any page send requests anywhere, and says whose page it is in `Origin`. Programs
//! that are no browsers say nothing, and are let through: this keeps pages out, not people.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::{ApiState, error};

/// The origin that stands for all.
const ANY: &str = "*";

/// Whose pages may ask.
#[derive(Clone, Debug)]
pub struct Origins {
    named: Vec<String>,
    /// Whether only this machine can reach the API. Then a page that reaches it by another name
    /// was led here by its own name server (DNS rebinding).
    loopback: bool,
}

impl Origins {
    /// These origins, and the pages of the API itself, which listens at `api`.
    pub fn new(named: Vec<String>, api: SocketAddr) -> Self {
        Self { named, loopback: api.ip().is_loopback() }
    }

    fn names(&self, origin: &str) -> bool {
        self.named.iter().any(|named| named == ANY || named.eq_ignore_ascii_case(origin))
    }

    /// Whether a page of this origin, seen at this host, may ask.
    fn admits(&self, origin: &str, host: Option<&str>) -> bool {
        let own = |host: &str| {
            let of = origin.split_once("://");
            of.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
        };
        host.is_some_and(own) || self.names(origin)
    }

    /// Whether this node may be called by this name.
    fn answers_to(&self, host: &str) -> bool {
        let name = name_of(host);
        let here = name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let named = |origin: &String| {
            let of = origin.split_once("://");
            origin == ANY || of.is_some_and(|(_, a)| name_of(a).eq_ignore_ascii_case(name))
        };
        !self.loopback || here || self.named.iter().any(named)
    }

    /// What tells browsers that pages of the named origins may read answers.
    pub(super) fn cors(&self) -> CorsLayer {
        let origins = self.clone();
        let named = move |origin: &HeaderValue, _: &Parts| {
            origin.to_str().is_ok_and(|origin| origins.names(origin))
        };
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(named))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
    }
}

/// The host without its port; an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.split(':').next().unwrap_or(host)
}

/// Turns away requests of pages that may not ask.
pub(super) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let host = text(request.headers(), header::HOST);
    if let Some(host) = host
        && !state.origins.answers_to(host)
    {
        return error::wrong_host(host).into_response();
    }
    let origin = request.headers().get(header::ORIGIN);
    let admitted = origin.is_none_or(|origin| {
        origin.to_str().is_ok_and(|origin| state.origins.admits(origin, host))
    });
    if !admitted {
        return error::wrong_origin(origin.and_then(|o| o.to_str().ok())).into_response();
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(named: &[&str], api: &str) -> Origins {
        let named = named.iter().map(|origin| (*origin).to_owned()).collect();
        Origins::new(named, api.parse().unwrap())
    }

    #[test]
    fn own_pages_and_named_ones_may_ask() {
        let own = origins(&["https://app.example"], "127.0.0.1:8080");
        for (origin, host, admitted) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://LOCALHOST:8080", "localhost:8080", true),
            ("https://app.example", "127.0.0.1:8080", true),
            ("https://app.example:444", "127.0.0.1:8080", false),
            ("http://app.example", "127.0.0.1:8080", false),
            ("http://127.0.0.1:3000", "127.0.0.1:8080", false),
            ("https://evil.example", "127.0.0.1:8080", false),
            ("null", "127.0.0.1:8080", false),
        ] {
            assert_eq!(own.admits(origin, Some(host)), admitted, "{origin} at {host}");
        }
        assert!(!own.admits("http://127.0.0.1:8080", None));
        assert!(origins(&["*"], "127.0.0.1:8080").admits("https://evil.example", None));
    }

    #[test]
    fn a_node_of_this_machine_alone_has_only_its_names() {
        let here = origins(&["https://app.example"], "127.0.0.1:8080");
        for (host, answers) in [
            ("127.0.0.1:8080", true),
            ("127.9.9.9", true),
            ("[::1]:8080", true),
            ("localhost:1234", true),
            ("app.example", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("192.168.1.5:8080", false),
            ("", false),
        ] {
            assert_eq!(here.answers_to(host), answers, "{host}");
        }
        assert!(origins(&[], "0.0.0.0:8080").answers_to("node.example"));
        assert!(origins(&["*"], "127.0.0.1:8080").answers_to("node.example"));
    }
}
