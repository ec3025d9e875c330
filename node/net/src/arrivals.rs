//! Streams that peers open to us: who reads them, and what happens when one breaks the protocol.

use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinError};

use crate::Limits;
use crate::crowd::Kind;
use crate::error::Fault;
use crate::event::{Event, Refusal};
use crate::inbox::{self, Inbox};
use crate::lane::Lane;
use crate::pipe::Duplex;
use crate::streams::Arrived;
use crate::task::Task;

/// How long the reader of a replaced stream may take to finish.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// A lane of a peer: one of its streams is read at a time, in the order in which they came.
pub(crate) struct Reading {
    turn: Arc<Semaphore>,
    last: Option<AbortHandle>,
    bytes: Arc<Semaphore>,
}

impl Reading {
    fn new(lane: Lane, limits: &Limits) -> Self {
        let bytes = inbox::budget(lane, limits);
        Self { turn: Arc::new(Semaphore::new(1)), last: None, bytes }
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        self.turn.close();
        if let Some(last) = &self.last {
            last.abort();
        }
    }
}

impl Task {
    /// Has a stream read that a peer opened.
    pub(crate) fn stream_arrived(&mut self, arrived: Arrived) {
        let Arrived { peer, connection, protocol, stream } = arrived;
        // Only nodes of this swarm and version have these protocols, so it has said what it is.
        self.node_up(peer);
        let Some(known) = self.crowd.get_mut(peer) else { return };
        if let Kind::Refused(_) = known.kind {
            return;
        }
        let Some(line) = known.line(connection) else { return };
        let from = known.node;
        let lane = Lane::ALL.into_iter().find(|lane| self.dialect.lane(*lane) == protocol);
        let Some(lane) = lane else {
            // Beyond the bound the stream is dropped, which resets it.
            if let Ok(slot) = known.pipes.clone().try_acquire_owned() {
                let outlet = self.outlet.clone();
                tokio::spawn(async move {
                    match Duplex::hear(stream, line, slot).await {
                        Ok((purpose, stream)) => {
                            outlet.tell(Event::Opened { from, purpose, stream }).await;
                        }
                        Err(error) => tracing::debug!(?from, %error, "a stream said nothing"),
                    }
                });
            }
            return;
        };
        let limits = &self.config.limits;
        let reading = known.readings.entry(lane).or_insert_with(|| Reading::new(lane, limits));
        let inbox = Inbox {
            from,
            lane,
            line,
            outlet: self.outlet.clone(),
            patience: limits.progress_timeout,
            bytes: Arc::clone(&reading.bytes),
        };
        let (turn, previous) = (Arc::clone(&reading.turn), reading.last.take());
        let reader = self.readers.spawn(async move {
            let early = tokio::time::timeout(HANDOVER_TIMEOUT, turn.acquire()).await;
            let mine = match (early, previous) {
                (Ok(mine), _) => mine,
                (Err(_), previous) => {
                    previous.inspect(AbortHandle::abort);
                    turn.acquire().await
                }
            };
            let end = if mine.is_ok() { inbox.read(stream).await } else { Ok(()) };
            (peer, lane, end)
        });
        reading.last = Some(reader);
    }

    /// A reader is done.
    pub(crate) fn read(&mut self, end: Result<(PeerId, Lane, Result<(), Fault>), JoinError>) {
        // An error means that we stopped the reader ourselves.
        let Ok((peer, lane, Err(fault))) = end else { return };
        tracing::debug!(%peer, %lane, %fault, "a stream ended");
        if let Fault::Garbage { .. } = fault {
            self.refuse(peer, Refusal::Garbage(fault.to_string()));
        }
    }
}
