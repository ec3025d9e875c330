//! Links: directed, each with its latency, rate and faults. What goes one way keeps its order within
//! its lane; control and data overtake each other, as they do on two streams.

use std::{collections::BTreeMap, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{NodeId, Time};

/// How far away one node is from another, in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// What every message takes at least.
    pub latency: Duration,
    /// What it may take beside that.
    pub jitter: Duration,
    /// How fast a frame goes onto the link.
    pub bytes_per_s: f64,
    /// The share of messages that are lost.
    pub loss: f64,
    /// Whether losses stay unsaid; otherwise the sender hears that they could not be delivered.
    pub silent: bool,
}

impl Default for Quality {
    /// A LAN on a busy day.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            jitter: Duration::from_millis(5),
            bytes_per_s: 100e6,
            loss: 0.0,
            silent: false,
        }
    }
}

/// Which of a link's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Control,
    Data,
}

/// One direction between two nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) quality: Quality,
    /// Nothing gets through, and nobody says so.
    pub(crate) cut: bool,
    /// Number of the connection: what an earlier one carried is lost.
    pub(crate) connection: u64,
    /// Whether the near end has been told that the far end is here.
    pub(crate) up: bool,
    /// When the last message of each lane arrives.
    arrives: BTreeMap<Lane, Time>,
    /// Until when frames before are being written.
    busy: Time,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives(Time),
    Vanishes,
    Undeliverable,
}

impl Link {
    /// Puts `bytes` on the link at `now`.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        lane: Lane,
        bytes: u64,
        rng: &mut ChaCha8Rng,
    ) -> Fate {
        let Quality { latency, jitter, bytes_per_s, loss, silent } = self.quality;
        if self.cut {
            return Fate::Vanishes;
        }
        if loss > 0.0 && rng.random_bool(loss) {
            return if silent { Fate::Vanishes } else { Fate::Undeliverable };
        }
        let writing = Duration::from_secs_f64(bytes as f64 / bytes_per_s);
        let written = match lane {
            Lane::Control => now + writing,
            Lane::Data => self.busy.max(now) + writing,
        };
        if lane == Lane::Data {
            self.busy = written;
        }
        let jitter = jitter.mul_f64(rng.random_range(0.0..1.0));
        let last = self.arrives.get(&lane).copied().unwrap_or(Time::ZERO);
        let at = (written + latency + jitter).max(last);
        self.arrives.insert(lane, at);
        Fate::Arrives(at)
    }

    /// The connection is gone, and all that it carried.
    pub(crate) fn reset(&mut self) {
        self.connection += 1;
        self.arrives.clear();
        self.busy = Time::ZERO;
    }
}

/// All links.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<(NodeId, NodeId), Link>,
    /// What a link is like that nobody has said anything of.
    pub(crate) quality: Quality,
    /// The share of adverts that gossip loses.
    pub(crate) gossip_loss: f64,
}

impl Links {
    /// From one node to another.
    pub(crate) fn get(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let quality = self.quality;
        self.links.entry((from, to)).or_insert_with(|| Link { quality, ..Link::default() })
    }

    /// Whether something may have been lost that way without a word.
    pub(crate) fn torn(&self, from: NodeId, to: NodeId) -> bool {
        let silent = |link: &Link| link.cut || (link.quality.silent && link.quality.loss > 0.0);
        self.links.get(&(from, to)).is_some_and(silent)
    }

    /// Whether messages go that way.
    pub(crate) fn open(&self, from: NodeId, to: NodeId) -> bool {
        self.links.get(&(from, to)).is_none_or(|link| !link.cut)
    }

    /// Every link becomes what it was.
    pub(crate) fn mend(&mut self) {
        let quality = self.quality;
        self.gossip_loss = 0.0;
        for link in self.links.values_mut() {
            link.quality = quality;
            link.cut = false;
        }
    }
}
