//! Adverts, as gossipsub carries them: an author tells all that it is connected with, each node hands
//! what is new to it to a few of them (its mesh), and offers it to some of the others at its next
//! heartbeat. Heartbeats are reckoned when there is something to carry, so a swarm that says nothing
//! costs nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::RngExt;
use swarm_core::Input;
use swarm_proto::{Advert, NodeId, Signed, Time, codec};

use crate::{
    World,
    check::Broken,
    keys::{node_id, number_of},
    world::Event,
};

/// Peers that a node hands everything to: if they are fewer than the least, it seeks to have so many;
/// if they are the most, it keeps so many.
const MESH: usize = 6;
const MESH_MIN: usize = 5;
const MESH_MAX: usize = 12;
/// Peers that are offered what they may lack.
const OFFERED: usize = 6;
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What a message weighs beside what is said: author, number, topic and signature.
const ENVELOPE_BYTES: usize = 140;
/// What an offer, or a request for what was offered, weighs.
const OFFER_BYTES: usize = 70;

/// What a host's network knows of gossip.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    mesh: Vec<NodeId>,
    /// The latest advert of each author that came by, by the author's number.
    seen: BTreeMap<u32, u64>,
    heartbeat_at: Time,
    counts: GossipCounts,
}

/// What gossip came to at a node since it started, as a real node counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Peers in the mesh.
    pub mesh_peers: u64,
    /// Adverts that were handed to peers, each as often as it was.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Adverts that came, each as often as it did.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Those of them that were here already.
    pub duplicates: u64,
    /// Adverts that were offered, and asked for.
    pub asked: u64,
}

/// An advert on its way over one link, or only word of one.
#[derive(Clone, Debug)]
pub(crate) struct Rumour {
    pub(crate) from: NodeId,
    advert: Arc<Signed<Advert>>,
    bytes: usize,
    offer: bool,
}

impl Gossip {
    /// Whether this is the first time that it comes by.
    fn is_new(&mut self, advert: &Signed<Advert>) -> bool {
        let (author, number) = (number_of(advert.by) as u32, advert.statement.sequence);
        let latest = self.seen.entry(author).or_default();
        std::mem::replace(latest, number.max(*latest)) < number
    }

    fn lacks(&self, advert: &Signed<Advert>) -> bool {
        let author = number_of(advert.by) as u32;
        self.seen.get(&author).is_none_or(|latest| *latest < advert.statement.sequence)
    }
}

impl World {
    /// What gossip came to at a node.
    pub fn gossiped(&self, number: usize) -> GossipCounts {
        let gossip = self.hosts.get(&node_id(number)).map(|host| &host.gossip);
        gossip.map_or_else(GossipCounts::default, |gossip| GossipCounts {
            mesh_peers: gossip.mesh.len() as u64,
            ..gossip.counts
        })
    }

    /// A node gossips its advert.
    pub(crate) fn gossip(&mut self, from: NodeId, advert: Signed<Advert>) {
        let bytes = codec::sealed_bytes(&advert) + ENVELOPE_BYTES;
        let rumour = Rumour { from, advert: Arc::new(advert), bytes, offer: false };
        if let Some(host) = self.hosts.get_mut(&from) {
            host.gossip.is_new(&rumour.advert);
        }
        let connected = self.heartbeat(from);
        for peer in &connected {
            self.hand(from, *peer, Duration::ZERO, rumour.clone());
        }
        self.offer(from, connected, &rumour);
    }

    /// Something of it comes to a node.
    pub(crate) fn rumoured(&mut self, at: NodeId, rumour: Rumour) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&at) else { return Ok(()) };
        let gossip = &mut host.gossip;
        if rumour.offer {
            if gossip.lacks(&rumour.advert) {
                gossip.counts.asked += 1;
                let from = rumour.from;
                self.traffic.carried(at, from, OFFER_BYTES);
                // There and back.
                let asked = self.way(at, from).unwrap_or_default();
                self.hand(from, at, asked, Rumour { offer: false, ..rumour });
            }
            return Ok(());
        }
        gossip.counts.received += 1;
        gossip.counts.received_bytes += rumour.bytes as u64;
        if !gossip.is_new(&rumour.advert) {
            gossip.counts.duplicates += 1;
            return Ok(());
        }
        self.spread(at, &rumour);
        self.feed(at, Input::Heard(Box::new((*rumour.advert).clone())))
    }

    /// A node hands on what is new to it.
    fn spread(&mut self, by: NodeId, rumour: &Rumour) {
        let connected = self.heartbeat(by);
        let Some(host) = self.hosts.get(&by) else { return };
        let mesh = host.gossip.mesh.clone();
        let (author, from) = (rumour.advert.by, rumour.from);
        for peer in mesh.into_iter().filter(|peer| *peer != author && *peer != from) {
            self.hand(by, peer, Duration::ZERO, rumour.clone());
        }
        self.offer(by, connected, rumour);
    }

    /// Offers it to some of those that are not in the mesh.
    fn offer(&mut self, by: NodeId, mut others: Vec<NodeId>, rumour: &Rumour) {
        let Some(host) = self.hosts.get(&by) else { return };
        others.retain(|peer| !host.gossip.mesh.contains(peer));
        while others.len() > OFFERED {
            others.swap_remove(self.rng.random_range(0..others.len()));
        }
        for peer in others {
            let until = HEARTBEAT.mul_f64(self.rng.random_range(0.0..1.0));
            self.hand(by, peer, until, Rumour { offer: true, ..rumour.clone() });
        }
    }

    /// Whom a node is connected with; its mesh is as the last heartbeat would have left it: enough of
    /// them and not too many, each in the other's.
    fn heartbeat(&mut self, by: NodeId) -> Vec<NodeId> {
        let mut connected = self.links.ends(by);
        connected.retain(|peer| self.links.is_up(by, *peer));
        let Some(host) = self.hosts.get_mut(&by) else { return connected };
        let mut mesh = std::mem::take(&mut host.gossip.mesh);
        mesh.retain(|peer| {
            connected.binary_search_by_key(&number_of(*peer), |p| number_of(*p)).is_ok()
        });
        if self.now >= host.gossip.heartbeat_at || mesh.is_empty() {
            host.gossip.heartbeat_at = self.now + HEARTBEAT;
            match mesh.len() {
                // A newcomer takes those that it meets first.
                0 => self.graft(by, &mut mesh, &connected, MESH_MIN),
                1..MESH_MIN => self.graft(by, &mut mesh, &connected, MESH),
                MESH_MAX.. => self.prune(by, &mut mesh),
                _ => {}
            }
        }
        if let Some(host) = self.hosts.get_mut(&by) {
            host.gossip.mesh = mesh;
        }
        connected
    }

    fn prune(&mut self, by: NodeId, mesh: &mut Vec<NodeId>) {
        while mesh.len() > MESH {
            let gone = mesh.swap_remove(self.rng.random_range(0..mesh.len()));
            if let Some(other) = self.hosts.get_mut(&gone) {
                other.gossip.mesh.retain(|peer| *peer != by);
            }
        }
    }

    fn graft(&mut self, by: NodeId, mesh: &mut Vec<NodeId>, connected: &[NodeId], enough: usize) {
        let others = connected.iter().filter(|peer| !mesh.contains(peer));
        let mut others: Vec<_> = others.copied().collect();
        while mesh.len() < enough && !others.is_empty() {
            let peer = others.swap_remove(self.rng.random_range(0..others.len()));
            let Some(other) = self.hosts.get_mut(&peer) else { continue };
            let has = other.gossip.mesh.contains(&by);
            if has || other.gossip.mesh.len() < MESH_MAX {
                if !has {
                    other.gossip.mesh.push(by);
                }
                mesh.push(peer);
            }
        }
    }

    /// Carries it over one link, after a while.
    fn hand(&mut self, from: NodeId, to: NodeId, wait: Duration, rumour: Rumour) {
        let lost = self.links.gossip_loss;
        let gone = lost > 0.0 && self.rng.random_bool(lost);
        let bytes = if rumour.offer { OFFER_BYTES } else { rumour.bytes };
        if let (false, Some(host)) = (rumour.offer, self.hosts.get_mut(&from)) {
            host.gossip.counts.sent += 1;
            host.gossip.counts.sent_bytes += bytes as u64;
        }
        self.traffic.carried(from, to, bytes);
        if let Some(way) = self.way(from, to).filter(|_| !gone) {
            let rumour = Event::Rumour(Rumour { from, ..rumour });
            self.push_via(self.now + wait + way, to, Some(from), rumour);
        }
    }

    /// How long something small takes from one node to another, if it gets there.
    fn way(&mut self, from: NodeId, to: NodeId) -> Option<Duration> {
        let link = self.links.get(from, to);
        let (cut, quality) = (link.is_cut(), link.quality);
        let lost = quality.loss > 0.0 && self.rng.random_bool(quality.loss);
        let jitter = quality.jitter.mul_f64(self.rng.random_range(0.0..1.0));
        (!cut && !lost).then(|| quality.latency + jitter)
    }
}
