//! What goes wrong on the ways between machines.

use swarm_proto::NodeId;

use super::IDLE_MAX;
use crate::{
    World,
    film::Seen,
    keys::{node_id, number_of},
    link::Quality,
    recipe::What,
    world::Event,
};

impl World {
    /// Messages from one node to another vanish, the other way they go on.
    pub fn cut_one_way(&mut self, from: usize, to: usize) {
        self.links.get(node_id(from), node_id(to)).cut();
        self.log.note(self.now, node_id(from), "cut", &to);
        self.seen(Seen::Cuts(from, to));
    }

    /// Two nodes do not reach each other. If `told`, their connection closes; otherwise it is
    /// silent, until it is given up.
    pub fn cut(&mut self, a: usize, b: usize, told: bool) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
        let (a, b) = (node_id(a), node_id(b));
        if told {
            self.disconnect(a, b);
        } else {
            self.push_via(self.now + IDLE_MAX, a, Some(b), Event::Idle(b));
        }
    }

    /// Nodes reach each other only within `side` and outside of it.
    pub fn partition(&mut self, side: &[usize], told: bool) {
        for a in 0..self.hosts.len() {
            for b in 0..a {
                if side.contains(&a) != side.contains(&b) {
                    self.cut(a, b, told);
                }
            }
        }
    }

    /// A node is cut off from all others.
    pub fn isolate(&mut self, number: usize, told: bool) {
        self.partition(&[number], told);
    }

    /// All links are what they were. Connections that lost something begin anew: a network that
    /// promises order cannot go on with them.
    pub fn heal(&mut self) {
        let pairs: Vec<_> = (0..self.hosts.len())
            .flat_map(|a| self.acquainted(a).into_iter().map(move |b| (node_id(a), b)))
            .filter(|(a, b)| number_of(*b) < number_of(*a))
            .collect();
        let torn: Vec<_> = pairs.into_iter().filter(|(a, b)| self.torn(*a, *b)).collect();
        self.links.mend();
        self.seen(Seen::Heals);
        for (a, b) in torn {
            self.disconnect(a, b);
            self.connect(a, b);
        }
        self.reconnect();
    }

    /// Whoever is there and not connected finds each other.
    fn reconnect(&mut self) {
        if !self.all_meet() {
            return self.hosts.ids().for_each(|id| self.seek(id));
        }
        for a in 0..self.hosts.len() {
            for b in 0..a {
                self.connect(node_id(a), node_id(b));
            }
        }
    }

    /// What every link is like from now on.
    pub fn set_links(&mut self, quality: Quality) {
        self.links.meant.quality = quality;
        self.links.mend();
    }

    /// What the way from one node to another is like from now on.
    pub fn set_link(&mut self, from: usize, to: usize, quality: Quality) {
        self.links.get(node_id(from), node_id(to)).quality = quality;
        self.log.note(self.now, node_id(from), "link", &(to, quality));
    }

    /// The share of adverts that gossip loses.
    pub fn set_gossip_loss(&mut self, share: f64) {
        self.links.gossip_loss = share;
    }

    /// A machine's ways go wrong as a scenario says.
    pub(crate) fn spoil(&mut self, machine: usize, does: &What) {
        match does {
            What::Cut { other, told } => self.cut(machine, *other, *told),
            What::CutOneWay { other } => self.cut_one_way(machine, *other),
            What::Partition { with, told } => self.partition(&side(machine, with), *told),
            What::Lossy { loss, silent } => self.lose(machine, *loss, *silent),
            _ => {}
        }
    }

    /// They are as before. A way that something else cuts, too, stays so.
    pub(crate) fn unspoil(&mut self, machine: usize, does: &What) {
        match does {
            What::Cut { other, .. } => self.open(&[(machine, *other), (*other, machine)]),
            What::CutOneWay { other } => self.open(&[(machine, *other)]),
            What::Partition { with, .. } => {
                let side = side(machine, with);
                let others = (0..self.hosts.len()).filter(|other| !side.contains(other));
                let ways = others.flat_map(|other| side.iter().map(move |one| (*one, other)));
                let ways: Vec<_> = ways.collect();
                ways.into_iter().for_each(|(a, b)| self.open(&[(a, b), (b, a)]));
            }
            What::Lossy { .. } => self.keep(machine),
            _ => {}
        }
    }

    /// A part of what a node sends and is sent is lost.
    pub fn lose(&mut self, number: usize, loss: f64, silent: bool) {
        let id = node_id(number);
        for other in self.others(number) {
            for (from, to) in [(id, other), (other, id)] {
                let quality = &mut self.links.get(from, to).quality;
                (quality.loss, quality.silent) = (loss, silent);
            }
        }
        self.log.note(self.now, id, "lossy", &(loss, silent));
        self.seen(Seen::Loses(number, loss));
    }

    /// No more than is meant to be is lost of what a node sends and is sent.
    fn keep(&mut self, number: usize) {
        let id = node_id(number);
        for other in self.others(number) {
            let torn = self.torn(id, other);
            self.links.clear(id, other);
            self.links.clear(other, id);
            if torn {
                self.renew(id, other);
            }
        }
        self.log.note(self.now, id, "kept", &());
        self.seen(Seen::Keeps(number));
    }

    /// Ways of two nodes to each other are cut by one thing less.
    fn open(&mut self, ways: &[(usize, usize)]) {
        for (from, to) in ways {
            self.links.get(node_id(*from), node_id(*to)).uncut();
            if self.links.open(node_id(*from), node_id(*to)) {
                self.log.note(self.now, node_id(*from), "open", to);
                self.seen(Seen::Opens(*from, *to));
            }
        }
        if let Some((from, to)) = ways.first() {
            self.renew(node_id(*from), node_id(*to));
        }
    }

    fn torn(&self, a: NodeId, b: NodeId) -> bool {
        self.links.torn(a, b) || self.links.torn(b, a)
    }

    /// A connection that lost something begins anew, if its ends reach each other: a network that
    /// promises order cannot go on with it.
    fn renew(&mut self, a: NodeId, b: NodeId) {
        let had = self.links.is_up(a, b) || self.links.is_up(b, a);
        if self.links.open(a, b) && self.links.open(b, a) && (had || self.all_meet()) {
            self.disconnect(a, b);
            self.connect(a, b);
        }
    }
}

/// All that are on one side.
fn side(machine: usize, with: &[usize]) -> Vec<usize> {
    [&[machine], with].concat()
}
