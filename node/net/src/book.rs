//! Where peers may be found, which way to try next, and when to try again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::circuits::relay_of;

/// Peers remembered: many times what a mesh holds, so that a liar cannot crowd out a swarm's own.
const PEERS_MAX: usize = 1024;

/// Addresses remembered of a peer: a few interfaces, each by TCP and QUIC, and some relays.
const ADDRS_MAX: usize = 16;

/// Bytes of an address: the longest honest ones, through a relay, have about 150.
const ADDR_BYTES_MAX: usize = 512;

/// Rounds without success after which a peer is forgotten. Others may bring it to mind again.
const FAILURES_MAX: u32 = 8;

/// The addresses of the peers that were heard of.
#[derive(Default)]
pub(crate) struct Book {
    entries: BTreeMap<PeerId, Entry>,
}

struct Entry {
    addrs: Vec<Multiaddr>,
    /// The ways of this round that are still to be tried; empty between rounds.
    ways: Vec<Way>,
    failures: u32,
    rest_until: Instant,
}

/// How an address is reached: the earlier, the better the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Half the latency and two thirds of the processor time of QUIC.
    Tcp,
    /// Gets through more networks.
    Quic,
    /// Through a third party.
    Relay,
}

/// What to do after a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// There is another way to try at once.
    Another,
    /// Rest first.
    Rest,
    /// The peer was forgotten.
    Forgotten,
}

impl Way {
    pub(crate) fn of(addr: &Multiaddr) -> Self {
        let relayed = addr.iter().any(|part| part == Protocol::P2pCircuit);
        let quic = addr.iter().any(|part| part == Protocol::QuicV1);
        match (relayed, quic) {
            (true, _) => Self::Relay,
            (false, true) => Self::Quic,
            (false, false) => Self::Tcp,
        }
    }
}

/// The pause after so many failures in a row: a quarter of a second, doubled up to half a minute.
pub(crate) fn rest(failures: u32) -> Duration {
    Duration::from_millis(250 << failures.min(7))
}

impl Book {
    /// Notes that `peer` may be at `addr`. True if that is news.
    pub(crate) fn learn(&mut self, peer: PeerId, addr: &Multiaddr, now: Instant) -> bool {
        let Some(addr) = plain(peer, addr) else { return false };
        if !self.entries.contains_key(&peer) && self.entries.len() >= PEERS_MAX {
            return false;
        }
        let entry = self.entries.entry(peer).or_insert_with(|| Entry {
            addrs: Vec::new(),
            ways: Vec::new(),
            failures: 0,
            rest_until: now,
        });
        // A relay listens at several addresses; a call to each would be a connection of its own.
        let relay = relay_of(&addr);
        let same =
            |known: &Multiaddr| *known == addr || (relay.is_some() && relay_of(known) == relay);
        let news = entry.addrs.len() < ADDRS_MAX && !entry.addrs.iter().any(same);
        if news {
            entry.addrs.push(addr);
        }
        news
    }

    /// The addresses of `peer` to try now, all of the same way; none if it is unknown or resting.
    pub(crate) fn next(&mut self, peer: PeerId, now: Instant) -> Option<Vec<Multiaddr>> {
        let entry = self.entries.get_mut(&peer).filter(|entry| entry.rest_until <= now)?;
        if entry.ways.is_empty() {
            entry.ways = [Way::Relay, Way::Quic, Way::Tcp].to_vec();
            entry.ways.retain(|way| entry.addrs.iter().any(|addr| Way::of(addr) == *way));
        }
        let way = entry.ways.pop()?;
        Some(entry.addrs.iter().filter(|addr| Way::of(addr) == way).cloned().collect())
    }

    /// Notes that a call failed.
    pub(crate) fn failed(&mut self, peer: PeerId, now: Instant) -> Outlook {
        let Some(entry) = self.entries.get_mut(&peer) else { return Outlook::Forgotten };
        if !entry.ways.is_empty() {
            return Outlook::Another;
        }
        entry.rest_until = now + rest(entry.failures);
        entry.failures += 1;
        if entry.failures < FAILURES_MAX {
            return Outlook::Rest;
        }
        self.entries.remove(&peer);
        Outlook::Forgotten
    }

    /// Notes that the peer is connected.
    pub(crate) fn connected(&mut self, peer: PeerId) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.failures = 0;
            entry.ways.clear();
        }
    }

    /// Notes that the last connection was lost: the next round is after a short rest.
    pub(crate) fn lost(&mut self, peer: PeerId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.rest_until = now + rest(0);
        }
    }

    /// Removes what is known of `peer`.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.entries.remove(&peer);
    }

    /// Whether any address of `peer` is known.
    pub(crate) fn knows(&self, peer: PeerId) -> bool {
        self.entries.contains_key(&peer)
    }

    /// All addresses of `peer`.
    pub(crate) fn addrs(&self, peer: PeerId) -> Vec<Multiaddr> {
        self.entries.get(&peer).map(|entry| entry.addrs.clone()).unwrap_or_default()
    }

    /// The peers that may be called now.
    pub(crate) fn due(&self, now: Instant) -> Vec<PeerId> {
        self.entries.iter().filter(|(_, entry)| entry.rest_until <= now).map(|(p, _)| *p).collect()
    }
}

/// `addr` without the name of `peer` at its end; none if nobody could be called there.
fn plain(peer: PeerId, addr: &Multiaddr) -> Option<Multiaddr> {
    if addr.len() > ADDR_BYTES_MAX {
        return None;
    }
    let mut addr = addr.clone();
    if let Some(Protocol::P2p(named)) = addr.iter().last() {
        if named != peer {
            return None;
        }
        addr.pop();
    }
    let callable = addr.iter().all(|part| match part {
        Protocol::Ip4(host) => !host.is_unspecified(),
        Protocol::Ip6(host) => !host.is_unspecified(),
        Protocol::Tcp(port) | Protocol::Udp(port) => port != 0,
        _ => true,
    });
    (callable && !addr.is_empty()).then_some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "/ip4/10.0.0.1/tcp/4001";
    const QUIC: &str = "/ip4/10.0.0.1/udp/4001/quic-v1";

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn book(addrs: &[&str]) -> (Book, PeerId, Instant) {
        let (mut book, peer, now) = (Book::default(), PeerId::random(), Instant::now());
        for text in addrs {
            assert!(book.learn(peer, &addr(text), now));
        }
        (book, peer, now)
    }

    #[test]
    fn tcp_is_tried_before_quic() {
        let (mut book, peer, now) = book(&[QUIC, TCP]);
        assert_eq!(book.next(peer, now), Some(vec![addr(TCP)]));
        assert_eq!(book.failed(peer, now), Outlook::Another);
        assert_eq!(book.next(peer, now), Some(vec![addr(QUIC)]));
        assert_eq!(book.failed(peer, now), Outlook::Rest);
    }

    #[test]
    fn a_peer_that_does_not_answer_is_left_alone_for_longer_and_longer_then_forgotten() {
        let (mut book, peer, mut now) = book(&[TCP]);
        let mut rests = Vec::new();
        loop {
            assert!(book.next(peer, now).is_some());
            match book.failed(peer, now) {
                Outlook::Rest => {}
                Outlook::Forgotten => break,
                Outlook::Another => panic!("there is only one way"),
            }
            assert_eq!(book.next(peer, now), None);
            let rest = rest(rests.len() as u32);
            now += rest;
            rests.push(rest);
        }
        assert_eq!(rests.len(), FAILURES_MAX as usize - 1);
        assert!(rests.is_sorted() && !book.knows(peer));
    }

    #[test]
    fn what_cannot_be_called_is_not_noted() {
        let (mut book, peer, now) = book(&[]);
        let other = PeerId::random();
        let long = format!("/dns4/{}/tcp/1", "x".repeat(600));
        for text in [
            "/ip4/0.0.0.0/tcp/4001",
            "/ip4/10.0.0.1/tcp/0",
            &format!("{TCP}/p2p/{other}"),
            &format!("/p2p/{peer}"),
            &long,
        ] {
            assert!(!book.learn(peer, &addr(text), now), "{text}");
        }
        assert!(book.learn(peer, &addr(&format!("{TCP}/p2p/{peer}")), now));
        assert!(!book.learn(peer, &addr(TCP), now), "the same without its name");
    }

    #[test]
    fn one_way_through_a_relay_is_enough() {
        let (mut book, peer, now) = book(&[TCP]);
        let (relay, other) = (PeerId::random(), PeerId::random());
        let through = |addr: &str, relay| self::addr(&format!("{addr}/p2p/{relay}/p2p-circuit"));
        assert!(book.learn(peer, &through(TCP, relay), now));
        assert!(!book.learn(peer, &through(QUIC, relay), now));
        assert!(book.learn(peer, &through(QUIC, other), now));
    }

    #[test]
    fn a_liar_cannot_fill_the_memory() {
        let (mut book, peer, now) = book(&[]);
        for port in 1..=100 {
            book.learn(peer, &addr(&format!("/ip4/10.0.0.1/tcp/{port}")), now);
        }
        assert_eq!(book.addrs(peer).len(), ADDRS_MAX);
        for _ in 0..2 * PEERS_MAX {
            book.learn(PeerId::random(), &addr(TCP), now);
        }
        assert_eq!(book.entries.len(), PEERS_MAX);
    }
}
