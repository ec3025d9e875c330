//! Listening through relays, for a node that others cannot call.

use std::time::Instant;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

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
    /// Adds a relay, to be asked at once. One way to each will do.
    pub(crate) fn add(&mut self, addr: Multiaddr, now: Instant) {
        let known = |circuit: &Circuit| relay_of(&circuit.addr) == relay_of(&addr);
        if self.all.len() < CIRCUITS_MAX && !self.all.iter().any(known) {
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

/// The relay that an address goes through; none if it goes through none, or does not name it.
pub(crate) fn relay_of(addr: &Multiaddr) -> Option<PeerId> {
    let mut relay = None;
    for part in addr {
        match part {
            Protocol::P2p(peer) => relay = Some(peer),
            Protocol::P2pCircuit => return relay,
            _ => {}
        }
    }
    None
}
