//! What a connection and the streams on it know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::book::Way;

/// One connection, as its streams see it. Whoever holds a clone uses the connection.
#[derive(Clone, Debug)]
pub(crate) struct Line(Arc<State>);

#[derive(Debug)]
struct State {
    way: Way,
    carried_bytes: AtomicU64,
    outdated: AtomicBool,
}

impl Line {
    /// That of a new connection.
    pub(crate) fn new(way: Way) -> Self {
        let (carried_bytes, outdated) = Default::default();
        Self(Arc::new(State { way, carried_bytes, outdated }))
    }

    /// How the connection reaches its peer.
    pub(crate) fn way(&self) -> Way {
        self.0.way
    }

    /// Notes that so many bytes went over it, either way.
    pub(crate) fn carried(&self, bytes: usize) {
        self.0.carried_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of our streams that went over it, without what libp2p adds.
    pub(crate) fn carried_bytes(&self) -> u64 {
        self.0.carried_bytes.load(Ordering::Relaxed)
    }

    /// Says whether there is a better connection, to which the streams on this one are to move at
    /// a moment when nothing waits.
    pub(crate) fn set_outdated(&self, outdated: bool) {
        self.0.outdated.store(outdated, Ordering::Relaxed);
    }

    /// Whether there is a better connection.
    pub(crate) fn is_outdated(&self) -> bool {
        self.0.outdated.load(Ordering::Relaxed)
    }

    /// Whether any stream is on it: then there are clones.
    pub(crate) fn is_used(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}
