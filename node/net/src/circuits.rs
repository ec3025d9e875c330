//! Listening through relays, for a node that others cannot call.

use std::time::Instant;

use libp2p::Multiaddr;
use libp2p::core::transport::ListenerId;

use crate::book;

/// Relays at once: the second stands in when the first dies.
const CIRCUITS_MAX: usize = 4;

/// The relays that listen for us, or should.
#[derive(Default)]
pub(crate) struct Circuits {
    all: Vec<Circuit>,
}

struct Circuit {
    /// The relay's address, with `/p2p-circuit` at its end.
    addr: Multiaddr,
    listener: Option<ListenerId>,
    failures: u32,
    retry_at: Instant,
}

impl Circuits {
    /// Adds a relay, to be asked at once.
    pub(crate) fn add(&mut self, addr: Multiaddr, now: Instant) {
        if self.all.len() < CIRCUITS_MAX && self.all.iter().all(|circuit| circuit.addr != addr) {
            self.all.push(Circuit { addr, listener: None, failures: 0, retry_at: now });
        }
    }

    /// The relays to ask now.
    pub(crate) fn due(&self, now: Instant) -> Vec<Multiaddr> {
        let due = |circuit: &&Circuit| circuit.listener.is_none() && circuit.retry_at <= now;
        self.all.iter().filter(due).map(|circuit| circuit.addr.clone()).collect()
    }

    /// Notes that a relay was asked.
    pub(crate) fn asked(&mut self, addr: &Multiaddr, listener: Option<ListenerId>, now: Instant) {
        if let Some(circuit) = self.all.iter_mut().find(|circuit| circuit.addr == *addr) {
            circuit.listener = listener;
            circuit.retry_at = now + book::rest(circuit.failures);
        }
    }

    /// Notes that a relay listens for us.
    pub(crate) fn granted(&mut self, listener: ListenerId) {
        if let Some(circuit) = self.find(listener) {
            circuit.failures = 0;
        }
    }

    /// Notes that a relay does not, or no longer. Its address, if the listener was a relay's.
    pub(crate) fn closed(&mut self, listener: ListenerId, now: Instant) -> Option<Multiaddr> {
        let circuit = self.find(listener)?;
        circuit.listener = None;
        circuit.retry_at = now + book::rest(circuit.failures);
        circuit.failures = circuit.failures.saturating_add(1);
        Some(circuit.addr.clone())
    }

    fn find(&mut self, listener: ListenerId) -> Option<&mut Circuit> {
        self.all.iter_mut().find(|circuit| circuit.listener == Some(listener))
    }
}
