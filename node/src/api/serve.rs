//! Connections: how many, and how long one may be silent.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, Place};

/// How long a connection may take to send the head of a request, from the end of the last one on.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes that the head of a request may have.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Lines that it may have.
const HEADERS_MAX: usize = 100;
/// How long to wait when the system has no connection to give, such as out of files.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// What a connection is told for which there is no room, since all others are being answered.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves until `closing` is cancelled and nothing is under way any more, or until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, closing: CancellationToken) {
    let mut crowd = Crowd::default();
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            () = crowd.one_left() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => admit(&mut crowd, stream, &router, &closing),
                Err(error) => {
                    tracing::debug!(%error, "no connection accepted");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            },
        }
    }
    drop(listener);
    crowd.all_left().await;
}

fn admit(crowd: &mut Crowd, stream: TcpStream, router: &Router, closing: &CancellationToken) {
    if !crowd.make_room() {
        // A fresh connection has room for it; if not, its end says the same.
        let _ = stream.try_write(FULL);
        return;
    }
    crowd.admit(|place| connection(stream, router.clone(), place, closing.clone()));
}

/// Serves one connection. Its end drops the request that was being answered on it, and with that
/// the session.
async fn connection(
    stream: TcpStream,
    router: Router,
    place: Arc<Place>,
    closing: CancellationToken,
) {
    // Tokens are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let visit = place.visit();
        let answer = router.call(request);
        async move {
            answer.await.map(|response| response.map(|body| Body::new(visit.until_end_of(body))))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
