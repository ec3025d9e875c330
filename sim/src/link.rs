//! Links: directed, each with its latency, rate and faults. What goes one way keeps its order within
//! its lane; control and data overtake each other, as they do on two streams.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{NodeId, Time};
use swarm_scheduler::Ways;

use crate::{
    keys::{node_id, number_of},
    world::Via,
};

/// What a message over a way of a pool file may take beside its delay, of that.
const JITTER: f64 = 0.05;

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
    pub(crate) connection: u32,
    /// Whether the near end has been told that the far end is here.
    pub(crate) up: bool,
    /// When the last message of each lane arrives.
    arrives: [Time; 2],
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
        let writing =
            Duration::try_from_secs_f64(bytes as f64 / bytes_per_s).unwrap_or(Duration::MAX);
        let written = match lane {
            Lane::Control => now + writing,
            Lane::Data => self.busy.max(now) + writing,
        };
        if lane == Lane::Data {
            self.busy = written;
        }
        let jitter = jitter.mul_f64(rng.random_range(0.0..1.0));
        let last = &mut self.arrives[lane as usize];
        *last = (written + latency + jitter).max(*last);
        Fate::Arrives(*last)
    }

    /// The connection as it is now, of which `from` is the near end.
    pub(crate) fn via(&self, from: NodeId) -> Via {
        Via { from: number_of(from) as u32, connection: self.connection }
    }

    /// The connection is gone, and all that it carried.
    pub(crate) fn reset(&mut self) {
        self.connection = self.connection.wrapping_add(1);
        self.arrives = [Time::ZERO; 2];
        self.busy = Time::ZERO;
    }
}

fn pair(from: NodeId, to: NodeId) -> (usize, usize) {
    (number_of(from), number_of(to))
}

/// All links out of one node, in the order of the numbers of their far ends.
#[derive(Clone, Debug, Default)]
struct Spokes {
    ends: Vec<u32>,
    links: Vec<Link>,
}

/// All links, both directions of a pair at once.
#[derive(Debug, Default)]
pub(crate) struct Links {
    ways: Option<Arc<Ways>>,
    /// By the numbers of their near ends.
    links: Vec<Spokes>,
    /// What a link is like that nobody has said anything of.
    pub(crate) quality: Quality,
    /// The share of adverts that gossip loses.
    pub(crate) gossip_loss: f64,
}

/// A link as it is meant to be.
fn new((from, to): (usize, usize), ways: Option<&Ways>, quality: Quality) -> Link {
    let Some(ways) = ways else { return Link { quality, ..Link::default() } };
    match ways.between(from, to) {
        Some(way) => {
            let latency = Duration::from_secs_f64(way.ms / 1e3);
            let bytes_per_s = way.bytes_per_ms * 1e3;
            let jitter = latency.mul_f64(JITTER);
            let quality = Quality { latency, jitter, bytes_per_s, loss: 0.0, silent: false };
            Link { quality, ..Link::default() }
        }
        None => Link { quality, cut: true, ..Link::default() },
    }
}

impl Spokes {
    fn find(&self, to: usize) -> Option<&Link> {
        self.ends.binary_search(&(to as u32)).ok().map(|place| &self.links[place])
    }
}

impl Links {
    /// Links over these ways.
    pub(crate) fn of(ways: Option<Arc<Ways>>) -> Self {
        Self { ways, ..Self::default() }
    }

    /// From one node to another.
    pub(crate) fn get(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        self.numbered(pair(from, to))
    }

    /// The same, of nodes with these numbers.
    pub(crate) fn numbered(&mut self, (from, to): (usize, usize)) -> &mut Link {
        let place = match self.links.get(from).map(|spokes| spokes.ends.binary_search(&(to as u32)))
        {
            Some(Ok(place)) => place,
            _ => {
                self.add(to, from);
                self.add(from, to)
            }
        };
        &mut self.links[from].links[place]
    }

    fn add(&mut self, from: usize, to: usize) -> usize {
        if self.links.len() <= from {
            self.links.resize_with(from + 1, Spokes::default);
        }
        let link = new((from, to), self.ways.as_deref(), self.quality);
        let spokes = &mut self.links[from];
        let place = spokes.ends.binary_search(&(to as u32)).unwrap_or_else(|place| place);
        if spokes.ends.get(place) != Some(&(to as u32)) {
            spokes.ends.insert(place, to as u32);
            spokes.links.insert(place, link);
        }
        place
    }

    /// Whoever a node has or had something to do with.
    pub(crate) fn ends(&self, from: NodeId) -> Vec<NodeId> {
        let spokes = self.links.get(number_of(from));
        spokes.map_or(Vec::new(), |s| s.ends.iter().map(|to| node_id(*to as usize)).collect())
    }

    fn find(&self, from: NodeId, to: NodeId) -> Option<&Link> {
        let (from, to) = pair(from, to);
        self.links.get(from)?.find(to)
    }

    /// When the last word of one node comes to another, of those that are on their way or came.
    pub(crate) fn last_word(&self, from: NodeId, to: NodeId) -> Time {
        self.find(from, to).map_or(Time::ZERO, |link| link.arrives[0].max(link.arrives[1]))
    }

    /// Whether something may have been lost that way without a word.
    pub(crate) fn torn(&self, from: NodeId, to: NodeId) -> bool {
        let silent = |link: &Link| link.cut || (link.quality.silent && link.quality.loss > 0.0);
        self.find(from, to).is_some_and(silent)
    }

    /// Whether messages go that way.
    pub(crate) fn open(&self, from: NodeId, to: NodeId) -> bool {
        let meant = || new(pair(from, to), self.ways.as_deref(), self.quality).cut;
        !self.find(from, to).map_or_else(meant, |link| link.cut)
    }

    /// Whether the near end has been told that the far end is here.
    pub(crate) fn is_up(&self, from: NodeId, to: NodeId) -> bool {
        self.find(from, to).is_some_and(|link| link.up)
    }

    /// Every link becomes what it was.
    pub(crate) fn mend(&mut self) {
        let quality = self.quality;
        self.gossip_loss = 0.0;
        let ways = self.ways.as_deref();
        for (from, spokes) in self.links.iter_mut().enumerate() {
            for (to, link) in spokes.ends.iter().zip(&mut spokes.links) {
                let Link { quality, cut, .. } = new((from, *to as usize), ways, quality);
                (link.quality, link.cut) = (quality, cut);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    fn still(latency_ms: u64, bytes_per_s: f64) -> Link {
        let (latency, jitter) = (Duration::from_millis(latency_ms), Duration::ZERO);
        let quality = Quality { latency, jitter, bytes_per_s, ..Quality::default() };
        Link { quality, ..Link::default() }
    }

    #[test]
    fn frames_take_their_size_over_the_rate_and_wait_for_those_before() {
        let (mut link, mut rng) = (still(5, 1e6), ChaCha8Rng::seed_from_u64(0));
        let mut carry = |bytes| link.carry(at(0), Lane::Data, bytes, &mut rng);
        assert_eq!(carry(10_000), Fate::Arrives(at(15)));
        assert_eq!(carry(20_000), Fate::Arrives(at(35)));
    }

    #[test]
    fn control_does_not_wait_behind_data() {
        let (mut link, mut rng) = (still(5, 1e6), ChaCha8Rng::seed_from_u64(0));
        link.carry(at(0), Lane::Data, 1_000_000, &mut rng);
        assert_eq!(link.carry(at(0), Lane::Control, 1_000, &mut rng), Fate::Arrives(at(6)));
    }

    #[test]
    fn a_lane_keeps_its_order_whatever_the_jitter() {
        let (mut link, mut rng) = (still(1, 1e9), ChaCha8Rng::seed_from_u64(0));
        link.quality.jitter = Duration::from_millis(50);
        let mut last = Time::ZERO;
        for sent in 0..200 {
            let fate = link.carry(at(sent), Lane::Control, 100, &mut rng);
            let Fate::Arrives(arrives) = fate else { panic!("{fate:?}") };
            assert!(arrives >= last && arrives > at(sent));
            last = arrives;
        }
    }

    #[test]
    fn losses_are_told_unless_the_link_is_silent() {
        let (mut link, mut rng) = (still(1, 1e9), ChaCha8Rng::seed_from_u64(0));
        link.quality.loss = 1.0;
        assert_eq!(link.carry(at(0), Lane::Data, 1, &mut rng), Fate::Undeliverable);
        link.quality.silent = true;
        assert_eq!(link.carry(at(0), Lane::Data, 1, &mut rng), Fate::Vanishes);
        link.quality.loss = 0.0;
        link.cut = true;
        assert_eq!(link.carry(at(0), Lane::Data, 1, &mut rng), Fate::Vanishes);
    }
}
