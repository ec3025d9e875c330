//! Links: directed, each with its latency, rate and faults. What goes one way keeps its order within
//! its lane; control and data overtake each other, as they do on two streams. What goes over several
//! ways of a machine shares its port.

mod port;

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{NodeId, Time};
use swarm_scheduler::{Way, Ways};

use self::port::{Port, writing};
use crate::{
    keys::{node_id, number_of},
    world::Via,
};

/// What ways of a pool file are like beside their delays and rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// What a message may take beside a way's delay, as a part of that.
    pub jitter: f64,
    /// The share of messages that are lost, of which senders hear.
    pub loss: f64,
}

impl Default for Weather {
    fn default() -> Self {
        Self { jitter: 0.05, loss: 0.0 }
    }
}

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

/// Bytes of frames that wait to be written to a peer, at most, as nodes have it.
const QUEUE_BYTES_MAX: u64 = 64 << 20;

/// One direction between two nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) quality: Quality,
    /// How many things cut it: then nothing gets through, and nobody says so.
    cuts: u32,
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
    /// Nothing gets through any more, until whatever cuts it is over.
    pub(crate) fn cut(&mut self) {
        self.cuts = self.cuts.saturating_add(1);
    }

    /// One thing less cuts it.
    pub(crate) fn uncut(&mut self) {
        self.cuts = self.cuts.saturating_sub(1);
    }

    /// Whether nothing gets through.
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts > 0
    }

    /// Puts `bytes` on the link at `now`.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        lane: Lane,
        bytes: u64,
        rng: &mut ChaCha8Rng,
    ) -> Fate {
        let Quality { latency, jitter, bytes_per_s, loss, silent } = self.quality;
        if self.is_cut() {
            return Fate::Vanishes;
        }
        if loss > 0.0 && rng.random_bool(loss) {
            return if silent { Fate::Vanishes } else { Fate::Undeliverable };
        }
        let writing = writing(bytes, bytes_per_s);
        // A node refuses what its queue for a peer has no room for.
        let queued = self.busy.since(now).as_secs_f64() * bytes_per_s;
        if lane == Lane::Data && queued + bytes as f64 > QUEUE_BYTES_MAX.max(bytes) as f64 {
            return Fate::Undeliverable;
        }
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

    /// What was carried last waits so long at the far end.
    fn wait(&mut self, lane: Lane, span: Duration) -> Fate {
        let last = &mut self.arrives[lane as usize];
        *last = *last + span;
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

/// What links are like that nothing is wrong with.
#[derive(Debug, Default)]
pub(crate) struct Meant {
    ways: Option<Arc<Ways>>,
    weather: Weather,
    /// Where there are no ways.
    pub(crate) quality: Quality,
}

/// All links, both directions of a pair at once.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) meant: Meant,
    /// By the numbers of their near ends.
    links: Vec<Spokes>,
    /// By the numbers of their machines.
    ports: Vec<Port>,
    /// The share of adverts that gossip loses.
    pub(crate) gossip_loss: f64,
}

impl Meant {
    /// How fast a machine's port is: nobody says, so as fast as the fastest of its ways.
    fn port(&self, number: usize) -> Port {
        let fastest = |ways: &mut dyn Iterator<Item = &Way>| {
            ways.map(|way| way.bytes_per_ms * 1e3).fold(0.0, f64::max)
        };
        Port::new(match self.ways.as_deref() {
            None => self.quality.bytes_per_s,
            Some(Ways::Measured(pairs)) => {
                let ways = pairs.range((number, 0)..=(number, usize::MAX));
                fastest(&mut ways.map(|(_, way)| way))
            }
            Some(Ways::Regions { of, regions, ways }) => {
                let ways = of.get(number).and_then(|of| ways.get(of * regions..(of + 1) * regions));
                fastest(&mut ways.into_iter().flatten().flatten())
            }
        })
    }

    fn link(&self, (from, to): (usize, usize)) -> Link {
        let quality = self.quality;
        let Some(ways) = &self.ways else { return Link { quality, ..Link::default() } };
        match ways.between(from, to) {
            Some(way) => {
                let latency = Duration::from_secs_f64(way.ms / 1e3);
                let bytes_per_s = way.bytes_per_ms * 1e3;
                let Weather { jitter, loss } = self.weather;
                let jitter = latency.mul_f64(jitter);
                let quality = Quality { latency, jitter, bytes_per_s, loss, silent: false };
                Link { quality, ..Link::default() }
            }
            None => Link { quality, cuts: 1, ..Link::default() },
        }
    }
}

impl Spokes {
    fn find(&self, to: usize) -> Option<&Link> {
        self.ends.binary_search(&(to as u32)).ok().map(|place| &self.links[place])
    }
}

impl Links {
    /// Links over these ways.
    pub(crate) fn of(ways: Option<Arc<Ways>>, weather: Weather) -> Self {
        Self { meant: Meant { ways, weather, ..Meant::default() }, ..Self::default() }
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

    /// Puts `bytes` on the way from one node to another. Frames leave a machine one after the other,
    /// and come to it so, whoever they are for or from.
    pub(crate) fn carry(
        &mut self,
        (from, to): (NodeId, NodeId),
        now: Time,
        (lane, bytes): (Lane, u64),
        rng: &mut ChaCha8Rng,
    ) -> Fate {
        let link = self.get(from, to);
        if lane == Lane::Control {
            return link.carry(now, lane, bytes, rng);
        }
        let rate = link.quality.bytes_per_s;
        let begins = self.port(number_of(from)).send(now, bytes, rate);
        let link = self.get(from, to);
        let fate = link.carry(begins, lane, bytes, rng);
        if !matches!(fate, Fate::Arrives(_)) {
            return fate;
        }
        let written = link.busy;
        let waits = self.port(number_of(to)).take(now, written, bytes, rate);
        self.get(from, to).wait(lane, waits)
    }

    fn port(&mut self, number: usize) -> &mut Port {
        for number in self.ports.len()..=number {
            self.ports.push(self.meant.port(number));
        }
        &mut self.ports[number]
    }

    /// A machine's port has nothing to do any more.
    pub(crate) fn idle(&mut self, number: usize) {
        *self.port(number) = self.meant.port(number);
    }

    fn add(&mut self, from: usize, to: usize) -> usize {
        if self.links.len() <= from {
            self.links.resize_with(from + 1, Spokes::default);
        }
        let link = self.meant.link((from, to));
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
        let silent =
            |link: &Link| link.is_cut() || (link.quality.silent && link.quality.loss > 0.0);
        self.find(from, to).is_some_and(silent)
    }

    /// Whether messages go that way.
    pub(crate) fn open(&self, from: NodeId, to: NodeId) -> bool {
        let meant = || self.meant.link(pair(from, to)).is_cut();
        !self.find(from, to).map_or_else(meant, Link::is_cut)
    }

    /// Whether the near end has been told that the far end is here.
    pub(crate) fn is_up(&self, from: NodeId, to: NodeId) -> bool {
        self.find(from, to).is_some_and(|link| link.up)
    }

    /// Every link becomes what it was.
    pub(crate) fn mend(&mut self) {
        self.gossip_loss = 0.0;
        for (from, spokes) in self.links.iter_mut().enumerate() {
            for (to, link) in spokes.ends.iter().zip(&mut spokes.links) {
                let Link { quality, cuts, .. } = self.meant.link((from, *to as usize));
                (link.quality, link.cuts) = (quality, cuts);
            }
        }
    }

    /// A link that is not cut becomes what it was.
    pub(crate) fn clear(&mut self, from: NodeId, to: NodeId) {
        self.get(from, to).quality = self.meant.link(pair(from, to)).quality;
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
    fn a_queue_that_is_full_takes_no_more_frames() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let quality = Quality { bytes_per_s: 1e6, jitter: Duration::ZERO, ..Quality::default() };
        let mut link = Link { quality, ..Link::default() };
        let mut carry = |seconds: u64, lane, bytes| {
            link.carry(Time(seconds * 1_000_000_000), lane, bytes, &mut rng)
        };
        // A frame that is larger than the queue is taken alone.
        assert!(matches!(carry(0, Lane::Data, QUEUE_BYTES_MAX + 1), Fate::Arrives(_)));
        assert_eq!(carry(0, Lane::Data, 1), Fate::Undeliverable);
        assert!(matches!(carry(0, Lane::Control, 1_000), Fate::Arrives(_)));
        // A second later there is room for what has left.
        assert!(matches!(carry(1, Lane::Data, 900_000), Fate::Arrives(_)));
        assert_eq!(carry(1, Lane::Data, 200_000), Fate::Undeliverable);
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

    /// Three machines, of which two are near each other and the third is far, over slow ways.
    fn three() -> Links {
        let way = |ms, bytes_per_s: f64| Some(Way { ms, bytes_per_ms: bytes_per_s / 1e3 });
        let (near, far) = (way(1.0, 1e6), way(50.0, 1e5));
        let ways = vec![near, far, far, near];
        let ways = Ways::Regions { of: vec![0, 0, 1, 0], regions: 2, ways };
        Links::of(Some(Arc::new(ways)), Weather { jitter: 0.0, loss: 0.0 })
    }

    /// When a frame of so many bytes that one sends another now is there.
    fn arrives(links: &mut Links, (from, to): (usize, usize), lane: Lane, bytes: u64) -> Time {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        match links.carry((node_id(from), node_id(to)), at(0), (lane, bytes), &mut rng) {
            Fate::Arrives(at) => at,
            fate => panic!("{fate:?}"),
        }
    }

    #[test]
    fn frames_of_a_machine_share_its_port_and_a_slow_way_keeps_no_other_waiting() {
        let mut links = three();
        assert_eq!(arrives(&mut links, (0, 1), Lane::Data, 10_000), at(11));
        assert_eq!(arrives(&mut links, (0, 3), Lane::Data, 10_000), at(21), "after the first");
        // 100 ms on the slow way, of which the port needs ten.
        assert_eq!(arrives(&mut links, (0, 2), Lane::Data, 10_000), at(20 + 100 + 50));
        assert_eq!(arrives(&mut links, (0, 1), Lane::Data, 10_000), at(41));
        assert_eq!(arrives(&mut links, (0, 1), Lane::Control, 1_000), at(2), "control has its own");
        links.idle(0);
        assert_eq!(arrives(&mut links, (0, 3), Lane::Data, 10_000), at(31), "as its link has it");
    }

    #[test]
    fn frames_to_a_machine_share_its_port() {
        let mut links = three();
        assert_eq!(arrives(&mut links, (0, 3), Lane::Data, 10_000), at(11));
        assert_eq!(arrives(&mut links, (1, 3), Lane::Data, 10_000), at(21), "after the first");
        assert_eq!(
            arrives(&mut links, (2, 1), Lane::Data, 1_000),
            at(60),
            "nobody else sends it any"
        );
        // It is long under way, and takes the port for ten of its last milliseconds only.
        assert_eq!(arrives(&mut links, (2, 0), Lane::Data, 10_000), at(1 + 100 + 50));
        assert_eq!(
            arrives(&mut links, (1, 0), Lane::Data, 10_000),
            at(21),
            "as its own port has it"
        );
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
        link.cut();
        assert_eq!(link.carry(at(0), Lane::Data, 1, &mut rng), Fate::Vanishes);
    }
}
