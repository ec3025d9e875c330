//! Who is connected, by which connections, and what we know of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use swarm_proto::NodeId;
use tokio::sync::Semaphore;

use crate::arrivals::Reading;
use crate::book::Way;
use crate::lane::Lane;
use crate::line::Line;

/// Plain streams that one peer may have open to us: one for each device it shares a stage with,
/// and a few that are just being replaced.
const PIPES_MAX: usize = 32;

/// A connected peer, for those who ask.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Who it is.
    pub node: NodeId,
    /// Where we are connected with it.
    pub addrs: Vec<Multiaddr>,
    /// The last round trip measured.
    pub rtt: Option<Duration>,
    /// Whether every connection with it goes through a relay.
    pub relayed: bool,
    /// Whether it is a door.
    pub door: bool,
    /// What it calls itself.
    pub agent: String,
}

/// What a peer has shown itself to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It has not said yet.
    Unknown,
    Node,
    Door,
    /// Not one of us; it is let go a little later, so that it can learn why.
    Refused(Instant),
}

/// A connected peer.
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) kind: Kind,
    pub(crate) links: Vec<Link>,
    pub(crate) agent: String,
    pub(crate) rtt: Option<Duration>,
    pub(crate) since: Instant,
    /// Whether we last told that it is reached through a relay.
    pub(crate) told_relayed: bool,
    pub(crate) readings: BTreeMap<Lane, Reading>,
    pub(crate) pipes: Arc<Semaphore>,
}

/// One connection.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) addr: Multiaddr,
    pub(crate) line: Line,
    pub(crate) since: Instant,
    /// Whether we made it, and not the peer.
    pub(crate) ours: bool,
    /// Whether the peer with the lesser id made it: what both ends agree on.
    pub(crate) by_lesser: bool,
    /// When we last set out to replace it.
    pub(crate) renewed: Option<Instant>,
}

/// All connected peers. The connection limits bound it.
#[derive(Default)]
pub(crate) struct Crowd {
    pub(crate) peers: BTreeMap<PeerId, Peer>,
}

impl Peer {
    /// The connection to use: a direct one if there is one, and of several the oldest. Of relayed
    /// ones, which do not last, the newest of those that one end made, the same for both ends.
    pub(crate) fn best(&self) -> Option<&Link> {
        let direct = self.links.iter().filter(|link| link.line.way() != Way::Relay);
        let relayed = self.links.iter().max_by_key(|link| (link.by_lesser, link.since));
        direct.min_by_key(|link| link.line.way()).or(relayed)
    }

    /// The connection with this id, for a stream on it.
    pub(crate) fn line(&self, id: ConnectionId) -> Option<Line> {
        self.links.iter().find(|link| link.id == id).map(|link| link.line.clone())
    }

    /// Whether there are only connections through relays.
    pub(crate) fn is_relayed(&self) -> bool {
        self.links.iter().all(|link| link.line.way() == Way::Relay)
    }

    fn info(&self) -> PeerInfo {
        PeerInfo {
            node: self.node,
            addrs: self.links.iter().map(|link| link.addr.clone()).collect(),
            rtt: self.rtt,
            relayed: self.is_relayed(),
            door: self.kind == Kind::Door,
            agent: self.agent.clone(),
        }
    }
}

impl Crowd {
    /// Notes a new connection.
    pub(crate) fn connected(&mut self, peer: PeerId, node: NodeId, link: Link) {
        let now = link.since;
        let peer = self.peers.entry(peer).or_insert_with(|| Peer {
            node,
            kind: Kind::Unknown,
            links: Vec::new(),
            agent: String::new(),
            rtt: None,
            since: now,
            told_relayed: false,
            readings: BTreeMap::new(),
            pipes: Arc::new(Semaphore::new(PIPES_MAX)),
        });
        peer.links.push(link);
    }

    /// Notes a lost connection. The peer, if it was the last.
    pub(crate) fn lost(&mut self, peer: PeerId, connection: ConnectionId) -> Option<Peer> {
        let known = self.peers.get_mut(&peer)?;
        known.links.retain(|link| link.id != connection);
        if known.links.is_empty() { self.peers.remove(&peer) } else { None }
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    pub(crate) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&peer)
    }

    /// How many nodes are connected.
    pub(crate) fn nodes(&self) -> usize {
        self.peers.values().filter(|peer| peer.kind == Kind::Node).count()
    }

    /// Those that have not said what they are for `patience`, and those refused whose time is up.
    pub(crate) fn unwanted(&self, now: Instant, patience: Duration) -> Vec<(PeerId, Kind)> {
        let unwanted = |peer: &Peer| match peer.kind {
            Kind::Unknown => now.duration_since(peer.since) >= patience,
            Kind::Refused(leave_at) => leave_at <= now,
            Kind::Node | Kind::Door => false,
        };
        let all = self.peers.iter();
        all.filter(|(_, peer)| unwanted(peer)).map(|(id, peer)| (*id, peer.kind)).collect()
    }

    /// The nodes and doors, for those who ask.
    pub(crate) fn infos(&self) -> Vec<PeerInfo> {
        let ours = |peer: &&Peer| matches!(peer.kind, Kind::Node | Kind::Door);
        self.peers.values().filter(ours).map(Peer::info).collect()
    }
}
