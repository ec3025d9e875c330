//! How the swarm's task gets by with relays: it has them listen for a node that others cannot
//! call, opens the next relayed connection before one has had its day, and leaves both as soon as
//! there is a direct way.

use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{PeerId, dcutr, relay};

use crate::book::Way;
use crate::calls::deepest;
use crate::circuits::relay_of;
use crate::crowd::{Kind, Link, Peer};
use crate::event::Event;
use crate::task::Task;

/// Relays whose terms are remembered.
const ALLOWANCES_MAX: usize = 256;

/// How long an attempt to replace a relayed connection may take before the next.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// How long a better connection must have stood before the one that it replaced is closed: by
/// then the other end uses it too.
const SETTLING: Duration = Duration::from_secs(5);

/// What a relay lets one connection through it do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    duration_max: Option<Duration>,
    bytes_max: Option<u64>,
}

impl Allowance {
    /// Whether half of it is used up.
    fn is_waning(self, link: &Link, now: Instant) -> bool {
        let old = |max: Duration| now.duration_since(link.since) >= max / 2;
        let heavy = |max: u64| max > 0 && link.line.carried_bytes() >= max / 2;
        self.duration_max.is_some_and(old) || self.bytes_max.is_some_and(heavy)
    }
}

impl Task {
    /// If we cannot be reached, has every door that we called listen for us.
    pub(crate) fn use_relays(&mut self) {
        if !(self.hidden && self.config.relay) {
            return;
        }
        let doors = self.crowd.peers.iter().filter(|(_, peer)| peer.kind == Kind::Door);
        for (id, door) in doors {
            let Some(link) = door.links.iter().find(|link| link.ours) else { continue };
            let addr = link.addr.clone().with_p2p(*id).unwrap_or_else(|addr| addr);
            self.circuits.add(addr.with(Protocol::P2pCircuit), Instant::now());
        }
    }

    /// Asks relays to listen for us.
    pub(crate) fn ask_relays(&mut self, now: Instant) {
        for addr in self.circuits.due(now) {
            let listener = self.swarm.listen_on(addr.clone()).ok();
            self.circuits.asked(&addr, listener, now);
        }
    }

    /// A relay granted something, on its terms.
    pub(crate) fn relay_said(&mut self, event: &relay::client::Event) {
        let (relay::client::Event::ReservationReqAccepted { relay_peer_id, limit, .. }
        | relay::client::Event::OutboundCircuitEstablished { relay_peer_id, limit }) = event
        else {
            return;
        };
        let known = self.allowances.contains_key(relay_peer_id);
        if known || self.allowances.len() < ALLOWANCES_MAX {
            let allowance = limit.as_ref().map(|limit| Allowance {
                duration_max: limit.duration(),
                bytes_max: limit.data_in_bytes(),
            });
            self.allowances.insert(*relay_peer_id, allowance.unwrap_or_default());
        }
    }

    /// An attempt to get past two routers is over. Its success shows in the connection it made.
    pub(crate) fn punched(&mut self, event: &dcutr::Event) {
        let Err(error) = &event.result else { return };
        let reason = deepest(error);
        let relayed = self.crowd.get_mut(event.remote_peer_id).filter(|peer| peer.is_relayed());
        if let Some(node) = relayed.map(|peer| peer.node) {
            self.tell(Event::NotPunched { node, reason });
        }
    }

    /// The connections with `peer` have changed: its streams are to use the best of them.
    pub(crate) fn settle(&mut self, peer: PeerId) {
        let Some(known) = self.crowd.get_mut(peer) else { return };
        let best = known.best().map(|link| link.id);
        for link in &known.links {
            link.line.set_outdated(link.line.way() == Way::Relay && Some(link.id) != best);
        }
        let (node, relayed) = (known.node, known.is_relayed());
        if known.kind == Kind::Node && known.told_relayed != relayed {
            known.told_relayed = relayed;
            self.tell(Event::Path { node, relayed });
        }
    }

    /// Replaces relayed connections that will soon have had their day, and closes those that
    /// nothing uses any more.
    pub(crate) fn tend_circuits(&mut self, now: Instant) {
        let waning: Vec<PeerId> = self
            .crowd
            .peers
            .iter()
            .filter(|(_, peer)| self.wanes(peer, now))
            .map(|(id, _)| *id)
            .collect();
        for peer in waning {
            self.renew(peer, now);
        }
        for id in self.crowd.peers.values().flat_map(|peer| left(peer, now)).collect::<Vec<_>>() {
            self.swarm.close_connection(id);
        }
    }

    /// Whether it is up to us, and time, to replace the connection with `peer`.
    fn wanes(&self, peer: &Peer, now: Instant) -> bool {
        let best = peer.best().filter(|link| link.ours && link.line.way() == Way::Relay);
        let Some(link) = best else { return false };
        let allowance = relay_of(&link.addr).and_then(|relay| self.allowances.get(&relay));
        let rests = link.renewed.is_some_and(|at| now.duration_since(at) < RENEWAL_PAUSE);
        !rests && allowance.is_some_and(|allowance| allowance.is_waning(link, now))
    }

    /// Calls `peer` through the same relay once more.
    fn renew(&mut self, peer: PeerId, now: Instant) {
        let Some(known) = self.crowd.get_mut(peer) else { return };
        let Some(best) = known.best().map(|link| link.id) else { return };
        let Some(link) = known.links.iter_mut().find(|link| link.id == best) else { return };
        link.renewed = Some(now);
        let addr = link.addr.clone();
        let call = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![addr]);
        if let Err(error) = self.swarm.dial(call.build()) {
            tracing::debug!(%peer, %error, "a relayed connection was not replaced");
        }
    }
}

/// Relayed connections that others have replaced, and that no stream uses.
fn left(peer: &Peer, now: Instant) -> Vec<ConnectionId> {
    let settled = |best: &Link| now.duration_since(best.since) >= SETTLING;
    let left = |link: &&Link| link.line.is_outdated() && !link.line.is_used();
    match peer.best() {
        Some(best) if settled(best) => peer.links.iter().filter(left).map(|link| link.id).collect(),
        _ => Vec::new(),
    }
}
