//! Connections between two nodes: who is told that one stands, and that it is gone.

use std::time::Duration;

use swarm_core::Input;
use swarm_proto::{LinkReport, NodeId};

use crate::{World, check::Broken, host::Host, keys::number_of, model, world::Event};

impl World {
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
        let there = |id: NodeId| self.hosts.get(&id).is_some_and(Host::is_there);
        let reach = self.links.open(a, b) && self.links.open(b, a);
        if !(there(a) && there(b) && reach) {
            return;
        }
        let delay = self.between(50.0, 300.0);
        for (near, far) in [(a, b), (b, a)] {
            self.push_via(self.now + delay, near, Some(far), Event::Connected(far));
        }
    }

    /// A connection stands: the near end is told, unless it never knew that the last was gone.
    pub(crate) fn connected(&mut self, near: NodeId, far: NodeId) -> Result<(), Broken> {
        let there = self.hosts.get(&far).is_some_and(Host::is_there);
        if !there || std::mem::replace(&mut self.links.get(near, far).up, true) {
            return Ok(());
        }
        let quality = self.links.get(near, far).quality;
        let one_way = quality.latency + quality.jitter / 2;
        let rtt_ms = one_way.as_secs_f64() * 2e3;
        let report = match self.setup.believed.get(&(number_of(near), number_of(far))) {
            Some(believed) => LinkReport { to: far, ..believed.clone() },
            None => model::link(far, rtt_ms, quality.bytes_per_s),
        };
        let measured = Event::Input(Input::LinkMeasured(report));
        self.push_via(self.now + Duration::from_millis(100), near, Some(far), measured);
        self.feed(near, Input::PeerUp(far))
    }
}
