//! How the swarm's task turns peers away: it says why, lets them learn why, and shuts them out.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};

use crate::arrivals::Reading;
use crate::crowd::Kind;
use crate::event::{Event, Refusal};
use crate::task::Task;

/// Refusals that are told between two ticks; a flood of them would only drown the log.
const REFUSALS_MAX: usize = 8;

/// A peer that does not say what it is for so long is let go.
const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused peer may stay: long enough to learn our version from us.
const REFUSED_STAY: Duration = Duration::from_secs(1);

/// How long a refused peer cannot come back.
const SHUN_TIME: Duration = Duration::from_secs(60);

/// Peers shunned at once; beyond it the earliest may come back sooner.
const SHUNNED_MAX: usize = 1024;

impl Task {
    /// Lets go of those who are not one of us, and lets those back in whose time is up.
    pub(crate) fn let_go(&mut self, now: Instant) {
        for (peer, kind) in self.crowd.unwanted(now, IDENTIFY_TIMEOUT) {
            if kind == Kind::Unknown {
                self.refuse(peer, Refusal::Silent);
            }
            self.shun(peer, now);
        }
        while self.shunned.front().is_some_and(|(until, _)| *until <= now) {
            self.unshun();
        }
    }

    /// Says that `peer` is not one of us; it is let go a little later.
    pub(crate) fn refuse(&mut self, peer: PeerId, reason: Refusal) {
        let Some(known) = self.crowd.get_mut(peer) else { return };
        if matches!(known.kind, Kind::Refused(_)) {
            return;
        }
        let was_up = known.kind == Kind::Node;
        known.kind = Kind::Refused(Instant::now() + REFUSED_STAY);
        known.readings.values().for_each(Reading::stop);
        let node = known.node;
        let addr = known.best().map_or_else(Multiaddr::empty, |link| link.addr.clone());
        self.book.forget(peer);
        self.swarm.behaviour_mut().kad.remove_peer(&peer);
        if was_up {
            self.tell(Event::PeerDown { node });
        }
        self.tell_refusal(Event::Refused { node: Some(node), addr, reason });
    }

    pub(crate) fn tell_refusal(&mut self, refusal: Event) {
        self.refusals += 1;
        if self.refusals <= REFUSALS_MAX {
            self.tell(refusal);
        }
    }

    /// Cuts the connections with `peer`, and lets it make no other for a while.
    fn shun(&mut self, peer: PeerId, now: Instant) {
        if self.shunned.len() >= SHUNNED_MAX {
            self.unshun();
        }
        self.swarm.behaviour_mut().shunned.block_peer(peer);
        self.shunned.push_back((now + SHUN_TIME, peer));
    }

    fn unshun(&mut self) {
        if let Some((_, peer)) = self.shunned.pop_front() {
            self.swarm.behaviour_mut().shunned.unblock_peer(peer);
        }
    }
}
