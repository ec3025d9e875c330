//! The addresses that we were told to join: called until they answer, and again when they are lost.

use std::time::{Duration, Instant};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use crate::book;

/// Addresses to join: more would be a list of the swarm, which is what doors are for.
const JOINS_MAX: usize = 64;

/// Everyone to stay connected with.
#[derive(Default)]
pub(crate) struct Joins {
    all: Vec<Join>,
}

struct Join {
    addr: Multiaddr,
    state: State,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resting(Instant),
    Calling(ConnectionId),
    /// Connected, and not yet known to be one of us.
    Connected(PeerId),
    Joined(PeerId),
    /// It was let go, since nobody wanted the connection.
    Parted,
}

impl Joins {
    /// Adds an address, to be called at once. False if there are too many.
    pub(crate) fn add(&mut self, addr: Multiaddr, now: Instant) -> bool {
        if self.all.iter().any(|join| join.addr == addr) {
            return true;
        }
        let room = self.all.len() < JOINS_MAX;
        if room {
            self.all.push(Join { addr, state: State::Resting(now), failures: 0 });
        }
        room
    }

    /// The addresses to call now.
    pub(crate) fn due(&self, now: Instant) -> Vec<Multiaddr> {
        let due = |join: &&Join| matches!(join.state, State::Resting(until) if until <= now);
        self.all.iter().filter(due).map(|join| join.addr.clone()).collect()
    }

    /// Notes that `addr` is being called.
    pub(crate) fn calling(&mut self, addr: &Multiaddr, call: ConnectionId) {
        if let Some(join) = self.all.iter_mut().find(|join| join.addr == *addr) {
            join.state = State::Calling(call);
        }
    }

    /// Notes that a call was answered by `peer`.
    pub(crate) fn answered(&mut self, call: ConnectionId, peer: PeerId) {
        if let Some(join) = self.all.iter_mut().find(|join| join.state == State::Calling(call)) {
            join.state = State::Connected(peer);
        }
    }

    /// Notes that a call failed: which address it was to, and when it is called again.
    pub(crate) fn failed(
        &mut self,
        call: ConnectionId,
        now: Instant,
    ) -> Option<(Multiaddr, Duration)> {
        let join = self.all.iter_mut().find(|join| join.state == State::Calling(call))?;
        let rest = book::rest(join.failures);
        join.failures = join.failures.saturating_add(1);
        join.state = State::Resting(now + rest);
        Some((join.addr.clone(), rest))
    }

    /// Stops calling the address that this call was to.
    pub(crate) fn drop_call(&mut self, call: ConnectionId) -> Option<Multiaddr> {
        let at = self.all.iter().position(|join| join.state == State::Calling(call))?;
        Some(self.all.remove(at).addr)
    }

    /// Notes that `peer` is one of us: which addresses it was joined at.
    pub(crate) fn joined(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        let mut addrs = Vec::new();
        for join in &mut self.all {
            if join.state == State::Connected(peer) {
                join.state = State::Joined(peer);
                join.failures = 0;
                addrs.push(join.addr.clone());
            }
        }
        addrs
    }

    /// Notes that `peer` is let go: it is not called again as long as others are here.
    pub(crate) fn part(&mut self, peer: PeerId) {
        for join in &mut self.all {
            if join.state == State::Joined(peer) {
                join.state = State::Parted;
            }
        }
    }

    /// Notes that too few others are here: those that were let go are called again.
    pub(crate) fn seek_again(&mut self, now: Instant) {
        for join in &mut self.all {
            if join.state == State::Parted {
                join.state = State::Resting(now);
            }
        }
    }

    /// Notes that the last connection with `peer` was lost.
    ///
    /// One that was turned away before it was known to be one of us is called less and less often.
    pub(crate) fn lost(&mut self, peer: PeerId, now: Instant) {
        for join in &mut self.all {
            if join.state == State::Joined(peer) || join.state == State::Connected(peer) {
                join.state = State::Resting(now + book::rest(join.failures));
                join.failures = join.failures.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_called_until_it_answers_and_again_when_it_is_lost() {
        let (mut joins, mut now) = (Joins::default(), Instant::now());
        let addr: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        assert!(joins.add(addr.clone(), now));
        for call in 1..5 {
            assert_eq!(joins.due(now), std::slice::from_ref(&addr));
            joins.calling(&addr, ConnectionId::new_unchecked(call));
            assert!(joins.due(now).is_empty(), "one call at a time");
            let (_, rest) = joins.failed(ConnectionId::new_unchecked(call), now).unwrap();
            assert!(joins.due(now).is_empty(), "it is left alone for a while");
            now += rest;
        }
        let (call, peer) = (ConnectionId::new_unchecked(9), PeerId::random());
        joins.calling(&addr, call);
        joins.answered(call, peer);
        assert_eq!(joins.joined(peer), std::slice::from_ref(&addr));
        assert!(joins.due(now + Duration::from_secs(100)).is_empty());
        joins.lost(peer, now);
        assert_eq!(joins.due(now + book::rest(0)), [addr]);
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let (mut joins, now) = (Joins::default(), Instant::now());
        let added = (1..=100)
            .filter(|port| joins.add(format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap(), now))
            .count();
        assert_eq!(added, JOINS_MAX);
    }
}
