//! Whom the swarm's task calls, and for whom it opens streams.

use std::time::Instant;

use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use crate::OpenError;
use crate::book::Outlook;
use crate::event::Event;
use crate::streams::Reply;
use crate::task::Task;
use crate::wishes::shuffled;

/// Streams that may wait for one peer to answer.
const WAITING_MAX: usize = 64;

/// Peers called unasked at once.
const CALLS_MAX: usize = 16;

/// Searches for single peers at once.
const LOOKUPS_MAX: usize = 32;

impl Task {
    /// Opens a stream, after calling or finding its peer if need be.
    pub(crate) fn open(&mut self, peer: PeerId, protocol: StreamProtocol, reply: Reply) {
        if let Some(known) = self.crowd.get_mut(peer) {
            if let Some(link) = known.best().map(|link| (link.id, link.line.clone())) {
                self.swarm.behaviour_mut().streams.open(peer, link, protocol, reply);
            }
            return;
        }
        if !self.reach_out(peer) {
            let reason = "it does not answer at any known address".to_owned();
            return drop(reply.send(Err(OpenError::Unreachable(reason))));
        }
        let waiting = self.waiting.entry(peer).or_default();
        if waiting.len() < WAITING_MAX {
            waiting.push((protocol, reply));
        }
    }

    /// Whether `peer` is being called or looked for now.
    fn reach_out(&mut self, peer: PeerId) -> bool {
        if self.calls.values().any(|called| *called == peer) || self.waiting.contains_key(&peer) {
            return true;
        }
        if self.book.knows(peer) {
            return self.call(peer);
        }
        self.seek(peer)
    }

    /// Looks for a peer of whom no address is known. False if there is no room for that, or nobody to
    /// ask.
    pub(crate) fn seek(&mut self, peer: PeerId) -> bool {
        let room = self.lookups.len() < LOOKUPS_MAX && !self.crowd.peers.is_empty();
        if room && !self.lookups.values().any(|sought| *sought == peer) {
            let query = self.swarm.behaviour_mut().kad.get_closest_peers(peer);
            self.lookups.insert(query, peer);
        }
        room
    }

    /// Calls `peer` the best way that was not tried yet. False if there is none.
    pub(crate) fn call(&mut self, peer: PeerId) -> bool {
        let now = Instant::now();
        while let Some(addrs) = self.book.next(peer, now) {
            let options = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addrs)
                .build();
            let call = options.connection_id();
            match self.swarm.dial(options) {
                Ok(()) => {
                    self.calls.insert(call, peer);
                    return true;
                }
                // Another part of libp2p was quicker.
                Err(DialError::DialPeerConditionFalse(_)) => return true,
                Err(_) if self.book.failed(peer, now) == Outlook::Another => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// Calls the addresses that we are to join.
    pub(crate) fn call_joins(&mut self, now: Instant) {
        for addr in self.joins.due(now) {
            // Always: only this call tells us that the address answers.
            let options = match addr.iter().last() {
                Some(Protocol::P2p(peer)) => DialOpts::peer_id(peer)
                    .condition(PeerCondition::Always)
                    .addresses(vec![addr.clone()])
                    .build(),
                _ => DialOpts::unknown_peer_id().address(addr.clone()).build(),
            };
            let call = options.connection_id();
            self.joins.calling(&addr, call);
            if let Err(error) = self.swarm.dial(options) {
                self.call_failed(call, &error);
            }
        }
    }

    /// Calls the peers that were heard of, until the mesh is full.
    pub(crate) fn call_mesh(&mut self, now: Instant) {
        let nodes = self.wishes.nodes(self.config.limits.mesh_max);
        let wanted = nodes.saturating_sub(self.crowd.nodes());
        if wanted == 0 {
            return;
        }
        self.joins.seek_again(now);
        for peer in shuffled(*self.swarm.local_peer_id(), self.book.due(now)) {
            if self.calls.len() >= CALLS_MAX.min(wanted) {
                return;
            }
            if !self.crowd.has(peer) && !self.calls.values().any(|called| *called == peer) {
                self.call(peer);
            }
        }
    }

    /// A call failed: tries another way, or tells those who wait.
    pub(crate) fn call_failed(&mut self, call: ConnectionId, error: &DialError) {
        let now = Instant::now();
        if let DialError::LocalPeerId { .. } = error
            && let Some(addr) = self.joins.drop_call(call)
        {
            tracing::info!(%addr, "this address to join is our own");
        }
        if let Some((addr, retry_in)) = self.joins.failed(call, now) {
            let reason = reason(error);
            self.tell(Event::JoinFailed { addr, reason, retry_in });
        }
        let Some(peer) = self.calls.remove(&call) else { return };
        if self.crowd.has(peer) {
            return;
        }
        match self.book.failed(peer, now) {
            Outlook::Another if self.call(peer) => return,
            Outlook::Another | Outlook::Rest => {}
            Outlook::Forgotten => drop(self.swarm.behaviour_mut().kad.remove_peer(&peer)),
        }
        self.give_up(peer, &reason(error));
    }

    /// Tells those who wait for `peer` that it cannot be reached.
    pub(crate) fn give_up(&mut self, peer: PeerId, reason: &str) {
        for (_, reply) in self.waiting.remove(&peer).unwrap_or_default() {
            // Whoever asked may have given up before.
            let _ = reply.send(Err(OpenError::Unreachable(reason.to_owned())));
        }
    }

    /// A search for `peer` is over.
    pub(crate) fn looked_up(&mut self, peer: PeerId) {
        let hopeful = self.crowd.has(peer) || (self.book.knows(peer) && self.call(peer));
        if !hopeful {
            self.give_up(peer, "nobody knows where it is");
        }
    }
}

/// Why a call failed, in a line.
fn reason(error: &DialError) -> String {
    match error {
        DialError::Transport(failures) => {
            let each = |(addr, error): &(Multiaddr, TransportError<std::io::Error>)| {
                format!("{addr}: {}", deepest(error))
            };
            failures.iter().map(each).collect::<Vec<_>>().join("; ")
        }
        DialError::WrongPeerId { obtained, address } => {
            format!("{address}: another peer answers there: {obtained}")
        }
        DialError::Denied { cause } => deepest(cause),
        other => other.to_string(),
    }
}

/// The first cause of an error, which says most.
pub(crate) fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    crate::dialect::quote(&error.to_string())
}
