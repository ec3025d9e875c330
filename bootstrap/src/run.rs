//! Opens a door and keeps it open.

use std::{future::Future, io};

use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{SignalKind, signal},
};

use crate::{Options, report};

/// Opens a door, prints where it is, and keeps it open until Ctrl-C or SIGTERM.
pub async fn run(options: Options) -> color_eyre::Result<()> {
    let stop = stop(options.leash)?;
    tokio::pin!(stop);
    let config = options.config()?;
    let started = tokio::select! {
        () = &mut stop => return Ok(()),
        started = swarm_net::start(config) => started,
    };
    let (net, mut events) = started?;
    report::opened(net.node_id(), &net.addrs().await, options.json);
    loop {
        tokio::select! {
            () = &mut stop => break,
            event = events.next() => match event {
                Some(event) => report::log(&event),
                None => break,
            },
        }
    }
    net.shutdown().await;
    Ok(())
}

/// Waits until someone wants the door shut. It listens from the call on, not from the first wait:
/// whoever reads the address may send a signal at once.
fn stop(leash: bool) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = slipped(), if leash => {}
        }
    })
}

/// Waits for the end of standard input.
async fn slipped() {
    let mut bytes = [0; 64];
    let mut input = tokio::io::stdin();
    while input.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}
