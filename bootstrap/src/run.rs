//! Opens a door and keeps it open.

use tokio::io::AsyncReadExt as _;

use crate::{Options, report};

/// Opens a door, prints where it is, and keeps it open until Ctrl-C or SIGTERM.
pub async fn run(options: Options) -> color_eyre::Result<()> {
    let (net, mut events) = swarm_net::start(options.config()?).await?;
    report::opened(net.node_id(), &net.addrs().await, options.json);
    let stop = stop(options.leash);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            event = events.next() => match event {
                Some(event) => report::log(&event),
                None => break,
            },
        }
    }
    net.shutdown().await;
    Ok(())
}

/// Waits until someone wants the door shut.
async fn stop(leash: bool) -> std::io::Result<()> {
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        terminated = terminated() => terminated,
        () = slipped(), if leash => Ok(()),
    }
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    std::future::pending().await
}

/// Waits for the end of standard input.
async fn slipped() {
    let mut bytes = [0; 64];
    let mut input = tokio::io::stdin();
    while input.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}
