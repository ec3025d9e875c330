//! Whom to be connected with in a swarm that is too large for everyone to know everyone.
//!
//! A node keeps those that it has to do with, and a few drawn by its own dice. Those make a random
//! graph of all nodes, which stays connected when many of them go at once, and over which news and
//! words for voters travel.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::RngExt;
use swarm_proto::{Bond, MEET_MAX, Meet, Message, NodeId, Time};

use crate::{
    Effect,
    membership::{Membership, Tie},
    turn::Turn,
};

/// Neighbours that are drawn: as many draw us.
const DRAWN: usize = 8;
/// Neighbours whom a node wants to notice its death at once.
const WATCHERS: usize = 2;
/// Neighbours beyond which those that only they want are sent elsewhere.
const CROWD_MAX: usize = 32;
/// Peers that are kept in mind to draw from.
const KNOWN_MAX: usize = 256;
/// How long a peer is kept in mind that nobody tells of any more.
const KNOWN_FOR: Duration = Duration::from_secs(120);
/// How long a connection may take, and how long one is kept that nobody wants.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const UNWANTED_MAX: Duration = Duration::from_secs(5);
/// How often neighbours are looked after, who is known is gone through, neighbours are told of others,
/// and one of them is drawn anew.
const TEND_EVERY: Duration = Duration::from_secs(1);
const FORGET_EVERY: Duration = Duration::from_secs(10);
const MEET_EVERY: Duration = Duration::from_secs(30);
const REDRAW_EVERY: Duration = Duration::from_secs(300);
/// Connections that are closed at a time.
const PARTED_MAX: usize = 4;

/// Whom a node has to do with.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    /// Whose silence must be noticed at once.
    pub(crate) close: BTreeSet<NodeId>,
    /// Whom it must only be connected with.
    pub(crate) near: BTreeSet<NodeId>,
}

/// One node's neighbours, and whom it could have instead.
#[derive(Debug, Default)]
pub(crate) struct Neighbourhood {
    /// Peers to draw from, and when they were told of last.
    known: BTreeMap<NodeId, Time>,
    /// Those that were drawn, and when.
    drawn: BTreeMap<NodeId, Time>,
    watchers: BTreeSet<NodeId>,
    /// What was wished for last; nothing while everyone is to know everyone.
    wished: Option<BTreeSet<NodeId>>,
    tend_at: Time,
    forget_at: Time,
    meet_at: Time,
    redraw_at: Time,
}

impl Neighbourhood {
    /// Peers that another is connected with.
    pub(crate) fn told(&mut self, meet: Meet, membership: &mut Membership, turn: &Turn<'_>) {
        for peer in meet.peers.into_iter().take(MEET_MAX).filter(|peer| *peer != turn.me()) {
            self.know(peer, turn.now);
        }
        membership.size.see(self.known.len(), turn.config);
    }

    fn know(&mut self, peer: NodeId, now: Time) {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&peer) {
            let oldest = self.known.iter().min_by_key(|(_, told)| **told).map(|(peer, _)| *peer);
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        self.known.insert(peer, now);
    }

    /// A peer is gone, or does not want us: for now it is not drawn again.
    pub(crate) fn lost(&mut self, peer: NodeId) {
        self.known.remove(&peer);
        self.drawn.remove(&peer);
        self.watchers.remove(&peer);
    }

    /// Tells a peer of some of our neighbours.
    pub(crate) fn introduce(&self, to: NodeId, membership: &Membership, turn: &mut Turn<'_>) {
        let mut peers: Vec<_> = membership.neighbours().filter(|peer| *peer != to).collect();
        while peers.len() > MEET_MAX / 2 {
            peers.swap_remove(turn.rng.random_range(0..peers.len()));
        }
        if !peers.is_empty() {
            turn.send(to, Message::Meet(Meet { peers }));
        }
    }

    /// Whether neighbours are to be looked after.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now >= self.tend_at
    }

    /// Everyone is to know everyone.
    pub(crate) fn rest(&mut self, membership: &mut Membership, turn: &mut Turn<'_>) {
        self.tend_at = turn.now + TEND_EVERY;
        self.forget(membership, turn);
        if self.wished.take().is_some() {
            self.drawn.clear();
            self.watchers.clear();
            membership.bind(|_| (Bond::Near, false), turn.now);
            turn.emit(Effect::Wish { peers: Vec::new(), others: true });
        }
    }

    /// Looks after our neighbours.
    pub(crate) fn tend(&mut self, kin: &Kin, membership: &mut Membership, turn: &mut Turn<'_>) {
        self.tend_at = turn.now + TEND_EVERY;
        self.forget(membership, turn);
        self.draw(membership, turn);
        self.watch(kin, membership, turn);
        let ties = membership.bind(|peer| self.bond(peer, kin), turn.now);
        let drawn = self.drawn.keys();
        let wished: BTreeSet<_> = kin.close.iter().chain(&kin.near).chain(drawn).copied().collect();
        // It is said again now and then, for a driver that was too busy.
        if self.wished.as_ref() != Some(&wished) || turn.now >= self.meet_at {
            let peers = wished.iter().copied().collect();
            turn.emit(Effect::Wish { peers, others: false });
            self.wished = Some(wished);
        }
        self.part(&ties, membership, turn);
        if turn.now >= self.meet_at {
            self.meet_at = turn.now + MEET_EVERY.mul_f64(turn.rng.random_range(0.5..1.5));
            if let Some(tie) = any(&ties, turn) {
                self.introduce(tie.peer, membership, turn);
            }
        }
    }

    fn forget(&mut self, membership: &mut Membership, turn: &Turn<'_>) {
        if turn.now < self.forget_at {
            return;
        }
        self.forget_at = turn.now + FORGET_EVERY;
        for peer in membership.neighbours() {
            self.know(peer, turn.now);
        }
        self.known.retain(|_, told| turn.now.since(*told) < KNOWN_FOR);
        membership.size.see(self.known.len(), turn.config);
    }

    /// Draws as many as are missing, and now and then one anew.
    fn draw(&mut self, membership: &Membership, turn: &mut Turn<'_>) {
        let now = turn.now;
        let (came, missed): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.drawn)
            .into_iter()
            .partition(|(peer, at)| membership.is_neighbour(*peer) || now.since(*at) < CONNECT_MAX);
        self.drawn = came;
        for peer in missed.keys() {
            self.known.remove(peer);
        }
        if now >= self.redraw_at {
            if self.redraw_at > Time::ZERO
                && let Some(oldest) = self.drawn.iter().min_by_key(|(_, at)| **at).map(|(p, _)| *p)
            {
                self.drawn.remove(&oldest);
            }
            self.redraw_at = now + REDRAW_EVERY.mul_f64(turn.rng.random_range(0.5..1.5));
        }
        let mut others: Vec<_> =
            self.known.keys().filter(|peer| !self.drawn.contains_key(*peer)).copied().collect();
        while self.drawn.len() < DRAWN && !others.is_empty() {
            let peer = others.swap_remove(turn.rng.random_range(0..others.len()));
            self.drawn.insert(peer, now);
        }
    }

    /// Makes sure that somebody watches us.
    fn watch(&mut self, kin: &Kin, membership: &mut Membership, turn: &mut Turn<'_>) {
        let ties = membership.bind(|peer| self.bond(peer, kin), turn.now);
        let here = ties.iter().filter(|tie| !tie.lost);
        let (watching, mut free): (Vec<&Tie>, Vec<&Tie>) = here.partition(|tie| tie.watches);
        self.watchers.retain(|peer| watching.iter().any(|tie| tie.peer == *peer));
        let others = watching.len() - self.watchers.len();
        while others + self.watchers.len() > WATCHERS && self.watchers.pop_first().is_some() {}
        while others + self.watchers.len() < WATCHERS && !free.is_empty() {
            let tie = free.swap_remove(turn.rng.random_range(0..free.len()));
            self.watchers.insert(tie.peer);
        }
    }

    fn bond(&self, peer: &NodeId, kin: &Kin) -> (Bond, bool) {
        let watches = self.watchers.contains(peer);
        let bond = if kin.close.contains(peer) {
            Bond::Close
        } else if watches || kin.near.contains(peer) || self.drawn.contains_key(peer) {
            Bond::Near
        } else {
            Bond::Loose
        };
        (bond, watches)
    }

    /// Lets go of whom neither end wants and, if there is a crowd, of the latest that only came to us.
    fn part(&self, ties: &[Tie], membership: &Membership, turn: &mut Turn<'_>) {
        let ours = ties.iter().filter(|tie| {
            tie.ours == Bond::Loose && turn.now.since(tie.since) >= UNWANTED_MAX && !tie.lost
        });
        let (wanted, unwanted): (Vec<&Tie>, Vec<&Tie>) =
            ours.partition(|tie| tie.theirs != Bond::Loose);
        for tie in unwanted.iter().take(PARTED_MAX) {
            turn.emit(Effect::Part(tie.peer));
        }
        let mut crowd: Vec<_> = wanted.iter().filter(|tie| tie.theirs == Bond::Near).collect();
        crowd.sort_by_key(|tie| std::cmp::Reverse((tie.since, tie.peer)));
        let surplus = ties.len().saturating_sub(CROWD_MAX.max(ties.len() - crowd.len()));
        for tie in crowd.into_iter().take(surplus.min(PARTED_MAX)) {
            self.introduce(tie.peer, membership, turn);
            turn.emit(Effect::Part(tie.peer));
        }
    }
}

fn any<'a>(ties: &'a [Tie], turn: &mut Turn<'_>) -> Option<&'a Tie> {
    (!ties.is_empty()).then(|| &ties[turn.rng.random_range(0..ties.len())])
}
