//! Adverts, as gossipsub carries them: each node hands what is new to it to a few of those that it is
//! connected with (its mesh), and offers it to some of the others at its next heartbeat. Heartbeats
//! are reckoned when there is something to carry, so a swarm that says nothing costs nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::RngExt;
use swarm_core::Input;
use swarm_proto::{Advert, NodeId, Signed, Time, codec};

use crate::{World, check::Broken, keys::number_of, world::Event};

/// Peers that a node hands everything to, at least and at most, and how many it seeks to have.
const MESH: usize = 6;
const MESH_MIN: usize = 5;
const MESH_MAX: usize = 12;
/// Peers that are offered what they may lack.
const OFFERED: usize = 6;
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What a message weighs beside what is said: author, number, topic, key and signature.
const ENVELOPE_BYTES: usize = 170;
/// What an offer, or a request for what was offered, weighs.
const OFFER_BYTES: usize = 70;

/// What a host's network knows of gossip.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    mesh: Vec<NodeId>,
    /// The latest advert of each author that came by, by the author's number.
    seen: BTreeMap<u32, u64>,
    heartbeat_at: Time,
}

/// An advert on its way over one link, or only the offer of one.
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
    /// A node gossips its advert.
    pub(crate) fn gossip(&mut self, from: NodeId, advert: Signed<Advert>) {
        let bytes = codec::sealed_bytes(&advert) + ENVELOPE_BYTES;
        let rumour = Rumour { from, advert: Arc::new(advert), bytes, offer: false };
        if let Some(host) = self.hosts.get_mut(&from) {
            host.gossip.is_new(&rumour.advert);
        }
        self.spread(from, &rumour);
    }

    /// Something of it comes to a node.
    pub(crate) fn rumoured(&mut self, at: NodeId, rumour: Rumour) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&at) else { return Ok(()) };
        if rumour.offer {
            if host.gossip.lacks(&rumour.advert) {
                let from = rumour.from;
                self.traffic.carried(at, from, OFFER_BYTES);
                // There and back.
                let asked = self.way(at, from).unwrap_or_default();
                self.hand(from, at, asked, Rumour { offer: false, ..rumour });
            }
            return Ok(());
        }
        if !host.gossip.is_new(&rumour.advert) {
            return Ok(());
        }
        self.spread(at, &rumour);
        self.feed(at, Input::Heard(Box::new((*rumour.advert).clone())))
    }

    fn spread(&mut self, by: NodeId, rumour: &Rumour) {
        let connected: Vec<_> =
            self.links.ends(by).into_iter().filter(|peer| self.links.is_up(by, *peer)).collect();
        self.heartbeat(by, &connected);
        let Some(host) = self.hosts.get(&by) else { return };
        let mesh = host.gossip.mesh.clone();
        let (author, from) = (rumour.advert.by, rumour.from);
        for peer in mesh.iter().filter(|peer| **peer != author && **peer != from) {
            self.hand(by, *peer, Duration::ZERO, rumour.clone());
        }
        let mut others: Vec<_> = connected.into_iter().filter(|p| !mesh.contains(p)).collect();
        while others.len() > OFFERED {
            others.swap_remove(self.rng.random_range(0..others.len()));
        }
        for peer in others {
            let until = HEARTBEAT.mul_f64(self.rng.random_range(0.0..1.0));
            self.hand(by, peer, until, Rumour { offer: true, ..rumour.clone() });
        }
    }

    /// The mesh as the last heartbeat would have left it: of peers that are connected, enough and not
    /// too many, each in the other's.
    fn heartbeat(&mut self, by: NodeId, connected: &[NodeId]) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&by) else { return };
        let due = now >= host.gossip.heartbeat_at;
        let mesh = &mut host.gossip.mesh;
        mesh.retain(|peer| {
            connected.binary_search_by_key(&number_of(*peer), |p| number_of(*p)).is_ok()
        });
        if !due && !mesh.is_empty() {
            return;
        }
        host.gossip.heartbeat_at = now + HEARTBEAT;
        let mut mesh = std::mem::take(&mut host.gossip.mesh);
        while mesh.len() > MESH_MAX {
            let gone = mesh.swap_remove(self.rng.random_range(0..mesh.len()));
            if let Some(other) = self.hosts.get_mut(&gone) {
                other.gossip.mesh.retain(|peer| *peer != by);
            }
        }
        let mut others: Vec<_> =
            connected.iter().filter(|peer| !mesh.contains(peer)).copied().collect();
        while mesh.len() < MESH_MIN.max(MESH.min(mesh.len() + others.len())) && !others.is_empty() {
            let peer = others.swap_remove(self.rng.random_range(0..others.len()));
            if let Some(other) = self.hosts.get_mut(&peer)
                && (other.gossip.mesh.len() < MESH_MAX || other.gossip.mesh.contains(&by))
            {
                if !other.gossip.mesh.contains(&by) {
                    other.gossip.mesh.push(by);
                }
                mesh.push(peer);
            }
        }
        if let Some(host) = self.hosts.get_mut(&by) {
            host.gossip.mesh = mesh;
        }
    }

    /// Carries it over one link, after a while.
    fn hand(&mut self, from: NodeId, to: NodeId, wait: Duration, rumour: Rumour) {
        let lost = self.links.gossip_loss;
        let gone = lost > 0.0 && self.rng.random_bool(lost);
        let bytes = if rumour.offer { OFFER_BYTES } else { rumour.bytes };
        self.traffic.carried(from, to, bytes);
        if let Some(way) = self.way(from, to).filter(|_| !gone) {
            let rumour = Event::Rumour(Rumour { from, ..rumour });
            self.push_via(self.now + wait + way, to, Some(from), rumour);
        }
    }

    /// How long something small takes from one node to another, if it gets there.
    fn way(&mut self, from: NodeId, to: NodeId) -> Option<Duration> {
        let link = self.links.get(from, to);
        let (cut, quality) = (link.cut, link.quality);
        let lost = quality.loss > 0.0 && self.rng.random_bool(quality.loss);
        let jitter = quality.jitter.mul_f64(self.rng.random_range(0.0..1.0));
        (!cut && !lost).then(|| quality.latency + jitter)
    }
}
