//! Whom our user wants us to be connected with, and whom we call besides.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use libp2p::PeerId;

use crate::task::Task;

/// Peers that can be wished for: more than one node can be connected with.
pub(crate) const WISHES_MAX: usize = 512;

/// Nodes that we call by ourselves if no more than the wished ones are wanted: who is connected with
/// nobody hears of nobody.
const FEW: usize = 4;

/// How long until a peer that could not be found is looked for again.
const SEEK_AGAIN: Duration = Duration::from_secs(5);

/// What was wished for last.
pub(crate) struct Wishes {
    /// With the time before which each is not looked for again.
    peers: BTreeMap<PeerId, Instant>,
    /// Whether whoever else is found is called too.
    others: bool,
}

impl Default for Wishes {
    /// Everyone who is found.
    fn default() -> Self {
        Self { peers: BTreeMap::new(), others: true }
    }
}

impl Wishes {
    /// Takes the place of what was wished for before.
    pub(crate) fn set(&mut self, peers: Vec<PeerId>, others: bool, now: Instant) {
        let old = std::mem::take(&mut self.peers);
        let seek_at = |peer: &PeerId| old.get(peer).copied().unwrap_or(now);
        let peers = peers.into_iter().take(WISHES_MAX);
        self.peers = peers.map(|peer| (peer, seek_at(&peer))).collect();
        self.others = others;
    }

    /// How many nodes to be connected with, out of as many as there may be.
    pub(crate) fn nodes(&self, mesh_max: usize) -> usize {
        if self.others { mesh_max } else { FEW.min(mesh_max) }
    }

    fn due(&mut self, now: Instant) -> Vec<PeerId> {
        self.peers.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect()
    }

    fn rest(&mut self, peer: PeerId, now: Instant) {
        if let Some(at) = self.peers.get_mut(&peer) {
            *at = now + SEEK_AGAIN;
        }
    }
}

/// Peers in an order that is another for each of us: else all would call the same few.
pub(crate) fn shuffled(own: PeerId, mut peers: Vec<PeerId>) -> Vec<PeerId> {
    peers.sort_by_cached_key(|peer| {
        let mut hasher = DefaultHasher::new();
        (own.to_bytes(), peer.to_bytes()).hash(&mut hasher);
        hasher.finish()
    });
    peers
}

impl Task {
    /// Calls those who are wished for and not here, and looks for those of whom no address is known.
    pub(crate) fn call_wished(&mut self, now: Instant) {
        for peer in self.wishes.due(now) {
            let here = self.crowd.has(peer) || peer == *self.swarm.local_peer_id();
            if here || self.calls.values().any(|called| *called == peer) {
                continue;
            }
            if self.book.knows(peer) {
                // If it rests, it is called when it has.
                self.call(peer);
            } else if self.seek(peer) {
                self.wishes.rest(peer, now);
            }
        }
    }

    /// Closes all connections with `peer`. It is called again only if it is wished for, or if hardly
    /// anyone else is here.
    pub(crate) fn part(&mut self, peer: PeerId) {
        self.joins.part(peer);
        if self.swarm.disconnect_peer_id(peer).is_err() {
            tracing::debug!(%peer, "was not connected any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_an_order_of_its_own() {
        let peers: Vec<_> = (0..50).map(|_| PeerId::random()).collect();
        let firsts: std::collections::BTreeSet<_> =
            (0..50).map(|_| shuffled(PeerId::random(), peers.clone())[0]).collect();
        assert!(firsts.len() > 15, "{} are called first by someone", firsts.len());
        let own = PeerId::random();
        assert_eq!(shuffled(own, peers.clone()), shuffled(own, peers));
    }

    #[test]
    fn a_wish_is_sought_again_only_after_a_while_even_if_it_is_repeated() {
        let (mut wishes, now, peer) = (Wishes::default(), Instant::now(), PeerId::random());
        wishes.set(vec![peer], false, now);
        assert_eq!((wishes.due(now), wishes.nodes(64)), (vec![peer], FEW));
        wishes.rest(peer, now);
        wishes.set(vec![peer, PeerId::random()], true, now);
        assert!(!wishes.due(now).contains(&peer) && wishes.due(now).len() == 1);
        assert_eq!((wishes.due(now + SEEK_AGAIN).len(), wishes.nodes(64)), (2, 64));
    }
}
