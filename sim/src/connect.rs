//! Connections between two nodes: who wants them, who is told that one stands, and that it is gone.

use std::time::Duration;

use rand::RngExt;
use swarm_core::{Input, probe_pause};
use swarm_proto::{LinkReport, NodeId};

use crate::{
    World,
    check::Broken,
    host::Host,
    keys::{node_id, number_of},
    model,
    world::Event,
};

/// Nodes that a newcomer to a large swarm is introduced to.
const INTRODUCED: usize = 6;
/// How long until a peer that a node wants and cannot reach is called again.
const CALL_AGAIN: Duration = Duration::from_secs(2);
/// How long a call takes that a message waits for.
const CALL_MS: u64 = 30;

impl World {
    /// Whether there are so few nodes that all find and call each other.
    pub(crate) fn all_meet(&self) -> bool {
        self.hosts.len() <= self.setup.told.mesh_max
    }

    /// A node that starts finds others: all of them if they are few, some if they are many.
    pub(crate) fn introduce(&mut self, number: usize) {
        let id = node_id(number);
        if self.all_meet() {
            for other in self.others(number) {
                self.connect(id, other);
            }
            return;
        }
        let there = |other: &&Host| other.is_there() && other.number != number;
        let here = self.hosts.values().filter(there).map(Host::id);
        let here: Vec<_> = here.take(self.setup.told.mesh_max + 1).collect();
        if here.len() <= self.setup.told.mesh_max {
            return here.into_iter().for_each(|other| self.connect(id, other));
        }
        for _ in 0..INTRODUCED {
            // By lot among those that are there, most of the time.
            let drawn = (0..64).map(|_| self.rng.random_range(0..self.hosts.len()));
            let drawn: Vec<_> = drawn.collect();
            let other = drawn.into_iter().find(|other| {
                *other != number && self.hosts.get(&node_id(*other)).is_some_and(Host::is_there)
            });
            let first = || self.hosts.values().find(there).map(|host| host.number);
            if let Some(other) = other.or_else(first) {
                self.connect(id, node_id(other));
            }
        }
    }

    /// A node says whom it wants to be connected with.
    pub(crate) fn wished(&mut self, by: NodeId, peers: Vec<NodeId>) {
        if let Some(host) = self.hosts.get_mut(&by) {
            host.wished = peers;
            self.seek(by);
        }
    }

    /// Calls those that a node wants and is not connected with, and again if they cannot be reached.
    pub(crate) fn seek(&mut self, by: NodeId) {
        let Some(host) = self.hosts.get(&by) else { return };
        let missed = host.wished.iter().filter(|peer| !self.links.is_up(by, **peer));
        let missed: Vec<_> = missed.copied().collect();
        for peer in &missed {
            self.connect(by, *peer);
        }
        if !missed.is_empty()
            && let Some(host) = self.hosts.get_mut(&by)
            && !std::mem::replace(&mut host.seeks, true)
        {
            self.push(self.now + CALL_AGAIN, by, Event::Seek);
        }
    }

    /// A connection closes, and whoever had it is told.
    pub(crate) fn disconnect(&mut self, a: NodeId, b: NodeId) {
        for (near, far) in [(a, b), (b, a)] {
            self.links.get(near, far).reset();
            if std::mem::take(&mut self.links.get(near, far).up) {
                let delay = self.between(1.0, 20.0);
                self.push(self.now + delay, near, Event::Input(Input::PeerDown(far)));
            }
        }
    }

    /// What two nodes had under way to each other is lost, and nobody is told.
    pub(crate) fn reset(&mut self, a: NodeId, b: NodeId) {
        self.links.get(a, b).reset();
        self.links.get(b, a).reset();
    }

    /// Two nodes that reach each other connect.
    pub(crate) fn connect(&mut self, a: NodeId, b: NodeId) {
        let delay = self.between(50.0, 300.0);
        self.connect_in(a, b, delay);
    }

    fn connect_in(&mut self, a: NodeId, b: NodeId, delay: Duration) {
        let there = |id: NodeId| self.hosts.get(&id).is_some_and(Host::is_there);
        let reach = self.links.open(a, b) && self.links.open(b, a);
        if !(there(a) && there(b) && reach) {
            return;
        }
        for (near, far) in [(a, b), (b, a)] {
            self.push_via(self.now + delay, near, Some(far), Event::Connected(far));
        }
    }

    /// How long a message waits for a connection, which is called for if there is none: where all meet
    /// they find each other anyway.
    pub(crate) fn on_demand(&mut self, from: NodeId, to: NodeId) -> Duration {
        if self.all_meet() || self.links.get(from, to).up {
            return Duration::ZERO;
        }
        let delay = Duration::from_millis(CALL_MS);
        self.connect_in(from, to, delay);
        delay + Duration::from_micros(1)
    }

    /// A connection stands: the near end is told, unless it never knew that the last was gone.
    pub(crate) fn connected(&mut self, near: NodeId, far: NodeId) -> Result<(), Broken> {
        let there = self.hosts.get(&far).is_some_and(Host::is_there);
        if !there || std::mem::replace(&mut self.links.get(near, far).up, true) {
            return Ok(());
        }
        let probe = Event::Probe { peer: far, again: false };
        self.push_via(self.now + Duration::from_millis(100), near, Some(far), probe);
        self.feed(near, Input::PeerUp(far))
    }

    /// A node measures the way to a peer, exactly, and will again.
    pub(crate) fn probe(&mut self, near: NodeId, far: NodeId, again: bool) -> Result<(), Broken> {
        let pause = probe_pause(self.connections(number_of(near)));
        // A connection's second measurement comes at a moment of its own, as in a swarm that has been
        // there for long; without dice, which others draw from.
        let part = (number_of(near) * 37 + number_of(far) * 61) % 100;
        let next = if again { pause } else { pause * (part as u32 + 1) / 100 };
        let probe = Event::Probe { peer: far, again: true };
        self.push_via(self.now + next, near, Some(far), probe);
        let there = self.hosts.get(&far).is_some_and(Host::is_there);
        if !(there && self.links.open(near, far) && self.links.open(far, near)) {
            return Ok(());
        }
        self.traffic.probed(near);
        let quality = self.links.get(near, far).quality;
        let one_way = quality.latency + quality.jitter / 2;
        let rtt_ms = one_way.as_secs_f64() * 2e3;
        let report = match self.setup.believed.get(&(number_of(near), number_of(far))) {
            Some(believed) => LinkReport { to: far, ..believed.clone() },
            None => model::link(far, rtt_ms, quality.bytes_per_s),
        };
        self.feed(near, Input::LinkMeasured(report))
    }
}
