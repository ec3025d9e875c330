//! Connections: how many, and how long one may be silent.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// Connections at a time; the next waits until one ends. Far fewer than a process may have files
/// open, for the network needs some as well.
const CONNECTIONS_MAX: usize = 512;
/// How long a connection may take to send the head of a request, from the end of the last one on.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// How long to wait when the system has no connection to give, such as out of files.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Serves until the task is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), place));
            }
            Err(error) => {
                tracing::debug!(%error, "no connection accepted");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection. Its end drops the request that was being answered on it, and with that
/// the session.
async fn connection(stream: TcpStream, router: Router, _place: OwnedSemaphorePermit) {
    // Tokens are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
