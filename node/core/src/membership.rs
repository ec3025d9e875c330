//! Who is here, what they offer, and who has gone silent.

mod neighbour;

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use swarm_proto::{
    Advert, Bond, Device, HOPS_MAX, HOPS_UNKNOWN, Heard, LINKS_MAX, LinkReport, Load, Message,
    NodeId, PlanId, Pulse, Signed, Time,
};

use crate::{Effect, Notice, size::Size, turn::Turn};
use neighbour::Neighbour;

/// Peers that a node remembers. Beyond it a newcomer is not taken in: the view is bounded.
const PEERS_MAX: usize = 2_000;
/// Peers that a voter remembers, who is to know the whole of a large swarm.
const WHOLE_MAX: usize = 1 << 17;
/// Links that an advert tells of in a large swarm: those to whoever is nearest.
const LINKS_TOLD: usize = 8;
/// Neighbours that may have us beat them often because they want it.
const CLOSE_MAX: usize = 24;
/// Adverts that may be missed until a voter thinks that their author has gone.
const ADVERTS_MISSED_MAX: u32 = 3;
/// How often a view is looked through for whoever has gone.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
/// Addresses of ours that are kept in mind.
const ADDRESSES_MAX: usize = 64;
/// If our own alarm rings this late we were stopped, and others' silence means nothing.
const LATE: std::time::Duration = std::time::Duration::from_millis(250);
/// How often a peer that lags is sent what it lacks.
const HELP_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How often our advert goes out at most.
const ADVERT_PAUSE: std::time::Duration = std::time::Duration::from_millis(250);
/// How long a newcomer finds neighbours and measures the ways to them: of a small swarm it tells at once
/// of what changes then, to voters of a large one of what has come of it.
const MOVED_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);

/// How long a node that leaves waits until those who stay can elect a leader without it.
const HANDOVER_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// How long who has met somebody waits to learn how large the swarm is.
const UNKNOWN_MAX: std::time::Duration = std::time::Duration::from_millis(500);

/// What holds us and a neighbour together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    pub(crate) peer: NodeId,
    /// What we want it to be.
    pub(crate) ours: Bond,
    /// What it wants us to be.
    pub(crate) theirs: Bond,
    /// Whether it notices at once if we are silent.
    pub(crate) watches: bool,
    pub(crate) since: Time,
    pub(crate) lost: bool,
}

/// One node's view of the others.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    /// What everyone says of itself, ourselves included.
    adverts: BTreeMap<NodeId, Heard>,
    /// Neighbours with a connection: when each was last heard.
    neighbours: BTreeMap<NodeId, Neighbour>,
    /// Whether any of them may lack something.
    lagging: bool,
    /// Hops to a voter, as neighbours said.
    hops: u8,
    /// Whom voters think gone, of those whose adverts are kept.
    gone: BTreeSet<NodeId>,
    links: BTreeMap<NodeId, LinkReport>,
    devices: Vec<Device>,
    /// When we leave at the latest, if we do.
    leaving: Option<Time>,
    /// Whether that time has come.
    overdue: bool,
    /// Addresses of ours that others tried, and whether they could reach them.
    tried: BTreeMap<String, bool>,
    /// The swarm that we belong to.
    origin: Option<NodeId>,
    /// How large it is.
    pub(crate) size: Size,
    /// Whether we are to know all of it.
    whole: bool,
    /// Rises when somebody comes, goes, or offers something else.
    changes: u64,
    sequence: u64,
    /// Whether something of ours is to be told.
    dirty: bool,
    /// Whether our links have changed.
    moved: bool,
    /// Adverts that voters of a large swarm were told of, as far as they are counted.
    climbed: u8,
    advertised: Time,
    beat_at: Time,
    sweep_at: Time,
    /// When we were not alone any more.
    met: Option<Time>,
}

impl Membership {
    /// A connection stands. Whether it is news.
    pub(crate) fn up(&mut self, peer: NodeId, turn: &Turn<'_>) -> bool {
        if !self.neighbours.contains_key(&peer) && self.neighbours.len() >= PEERS_MAX {
            return false;
        }
        self.neighbours.insert(peer, Neighbour::new(turn.now));
        self.gone.remove(&peer);
        self.met.get_or_insert(turn.now);
        self.changes += 1;
        self.moved = true;
        true
    }

    /// The last connection is gone. Whether it is news: nobody is missed whom neither end wanted.
    pub(crate) fn down(&mut self, peer: NodeId, turn: &mut Turn<'_>) -> bool {
        self.links.remove(&peer);
        let Some(neighbour) = self.neighbours.remove(&peer) else { return false };
        self.changes += 1;
        self.moved = true;
        let parted = neighbour.pulse.bond == Bond::Loose && neighbour.bond < Bond::Close;
        if self.size.is_large() && parted {
            // It may well be here: it did not want us.
            return neighbour.bond != Bond::Loose && !neighbour.lost;
        }
        if self.adverts.contains_key(&peer) {
            self.gone.insert(peer);
        }
        if !neighbour.lost {
            turn.emit(Effect::Notice(Notice::Lost(peer)));
        }
        !neighbour.lost
    }

    /// Something came from a peer, so it is alive. Whether it was thought lost.
    pub(crate) fn heard_from(&mut self, peer: NodeId, now: Time) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return false };
        neighbour.heard = now;
        let back = std::mem::take(&mut neighbour.lost);
        self.changes += u64::from(back);
        back
    }

    /// If a neighbour's beat says what its last one said, but for how many sessions it holds, and nothing
    /// waits for it, it was only heard once more: how many sessions it held before.
    pub(crate) fn felt_again(&mut self, peer: NodeId, pulse: &Pulse, now: Time) -> Option<u32> {
        let neighbour = self.neighbours.get_mut(&peer)?;
        let before = neighbour.pulse.sessions;
        let same = Pulse { sessions: before, ..*pulse } == neighbour.pulse;
        if !same || neighbour.lags.is_some() || neighbour.lost {
            return None;
        }
        neighbour.heard = now;
        neighbour.pulse.sessions = pulse.sessions;
        Some(before)
    }

    /// What a neighbour's beat says, and whether it shows that it lacks something.
    pub(crate) fn felt(&mut self, peer: NodeId, pulse: &Pulse, lacks: bool, turn: &mut Turn<'_>) {
        let large = self.size.is_large();
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.pulse = *pulse;
            self.lagging |= neighbour.lags(lacks, large, turn);
        }
    }

    /// The plan whose share a neighbour holds, as far as we know.
    pub(crate) fn holds(&self, peer: NodeId) -> PlanId {
        self.neighbours.get(&peer).map(|neighbour| neighbour.pulse.holds).unwrap_or_default()
    }

    /// Neighbours that have lacked something for long enough, with what they said last. They are
    /// named again after a while.
    pub(crate) fn laggards(&mut self, now: Time) -> Vec<(NodeId, Pulse)> {
        let mut laggards = Vec::new();
        if !self.lagging {
            return laggards;
        }
        self.lagging = false;
        for (peer, neighbour) in &mut self.neighbours {
            self.lagging |= neighbour.lags.is_some();
            if neighbour.lags.is_some_and(|due| due <= now) && !neighbour.lost {
                neighbour.lags = Some(now + HELP_EVERY);
                laggards.push((*peer, neighbour.pulse));
            }
        }
        laggards
    }

    /// What we know has changed: neighbours hear of it with the next beat, and those that lack it are
    /// helped.
    pub(crate) fn news(&mut self, lacks: impl Fn(NodeId, &Pulse) -> bool, turn: &mut Turn<'_>) {
        for (peer, neighbour) in &mut self.neighbours {
            neighbour.beat_at = turn.now;
            let lacks = lacks(*peer, &neighbour.pulse);
            self.lagging |= neighbour.lags(lacks, true, turn);
        }
    }

    /// The swarm that we belong to.
    pub(crate) fn belongs(&mut self, origin: Option<NodeId>) {
        self.dirty |= self.origin != origin;
        self.origin = origin;
    }

    /// Whether a peer belongs to our swarm, or to none yet.
    pub(crate) fn is_ours(&self, advert: &Advert) -> bool {
        advert.origin.is_none() || self.origin.is_none() || advert.origin == self.origin
    }

    /// Takes an advert in, if it is later than what we have. Whether it changes what a planner would
    /// see.
    pub(crate) fn hear(&mut self, signed: Signed<Advert>, turn: &mut Turn<'_>) -> Option<bool> {
        let (by, advert) = turn.keys.open(signed)?;
        if by != advert.node || by == turn.me() {
            return None;
        }
        if let Err(reason) = advert.check() {
            let reason = format!("an advert with {reason}");
            turn.emit(Effect::Notice(Notice::Refused { peer: by, reason }));
            return None;
        }
        if !self.adverts.contains_key(&by) && !self.has_room() {
            return None;
        }
        let known = self.adverts.get(&by);
        if known.is_some_and(|known| known.advert.sequence >= advert.sequence) {
            return None;
        }
        let back = self.gone.remove(&by);
        let news = back || known.is_none_or(|known| offers(&known.advert) != offers(&advert));
        let reachable = known.is_some_and(|known| known.advert.reachable);
        self.changes += u64::from(news || reachable != advert.reachable);
        self.adverts.insert(by, Heard { advert, at: turn.now });
        Some(news)
    }

    /// Makes room for one more advert, if it must by forgetting the oldest of a peer that is not
    /// here: strangers must not use up the view.
    fn has_room(&mut self) -> bool {
        if self.adverts.len() < if self.whole { WHOLE_MAX } else { PEERS_MAX } {
            return true;
        }
        let here = |peer: &NodeId| self.neighbours.contains_key(peer);
        let strangers = self.adverts.iter().filter(|(peer, _)| !here(peer));
        let oldest = strangers.min_by_key(|(_, heard)| heard.at).map(|(peer, _)| *peer);
        oldest.is_some_and(|oldest| {
            self.gone.remove(&oldest);
            self.adverts.remove(&oldest).is_some()
        })
    }

    /// Our devices were measured.
    pub(crate) fn measured(&mut self, devices: Vec<Device>) {
        self.devices = devices;
        self.dirty = true;
    }

    /// A link of ours was measured.
    pub(crate) fn link_measured(&mut self, link: LinkReport) {
        if self.neighbours.contains_key(&link.to) && self.links.len() < PEERS_MAX {
            let news = self.links.get(&link.to).is_none_or(|old| notably(old, &link));
            self.moved |= news;
            self.links.insert(link.to, link);
        }
    }

    /// Somebody tried an address of ours. Until one did, we are thought to be reachable.
    pub(crate) fn tried(&mut self, address: String, reachable: bool) {
        if self.tried.len() < ADDRESSES_MAX || self.tried.contains_key(&address) {
            self.dirty |= self.tried.insert(address, reachable) != Some(reachable);
        }
    }

    /// We are leaving. Others have a while to go on without us.
    pub(crate) fn drain(&mut self, turn: &Turn<'_>) {
        self.leaving.get_or_insert(turn.now + HANDOVER_MAX);
        self.changes += 1;
        self.dirty = true;
    }

    /// Whether we leave.
    pub(crate) fn leaves(&self) -> bool {
        self.leaving.is_some()
    }

    /// What the nodes of our swarm that are here say of themselves, ourselves among them.
    pub(crate) fn here(&self, me: NodeId) -> impl Iterator<Item = &Advert> {
        let adverts = self.adverts.values().map(|heard| &heard.advert);
        adverts.filter(move |advert| self.is_alive(advert.node, me) && self.is_ours(advert))
    }

    /// Whether we leave, and somebody stays who could be waited for: a peer of our swarm that is
    /// here, and not leaving itself. Nobody waits for ever.
    pub(crate) fn is_missed(&self, me: NodeId) -> bool {
        self.leaves()
            && !self.overdue
            && self.here(me).any(|advert| advert.node != me && !advert.draining)
    }

    /// Whether we leave, and have waited for the others as long as anyone should.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// Whether neighbours are to hear from us.
    pub(crate) fn beat_is_due(&self, now: Time) -> bool {
        now >= self.beat_at
    }

    /// Beats, and who went silent since.
    pub(crate) fn beat(&mut self, pulse: Pulse, turn: &mut Turn<'_>) -> Vec<NodeId> {
        self.overdue = self.leaving.is_some_and(|latest| latest <= turn.now);
        let late = turn.now.since(self.beat_at) > LATE && self.beat_at > Time::ZERO;
        self.beat_at = turn.now + turn.config.beat_every;
        let (large, mut asked, mut lost) = (self.size.is_large(), 0, Vec::new());
        let mut hops = HOPS_UNKNOWN;
        for (peer, neighbour) in &mut self.neighbours {
            if neighbour.falls_silent(late, turn) {
                lost.push(*peer);
            }
            if !neighbour.lost {
                hops = hops.min(neighbour.pulse.hops);
            }
            let asks = neighbour.pulse.bond == Bond::Close;
            asked += usize::from(asks);
            if neighbour.beat_at <= turn.now {
                let fast = !large || neighbour.watches || (asks && asked <= CLOSE_MAX);
                neighbour.beat_at = turn.now + Neighbour::pause(fast, turn.config);
                let bond = neighbour.bond;
                turn.send(*peer, Message::Beat(Pulse { bond, fast, ..pulse }));
            }
        }
        self.hops = if hops < HOPS_MAX { hops + 1 } else { HOPS_UNKNOWN };
        self.changes += lost.len() as u64;
        for peer in &lost {
            turn.emit(Effect::Notice(Notice::Lost(*peer)));
        }
        if turn.now >= self.sweep_at {
            self.sweep_at = turn.now + SWEEP_EVERY;
            self.sweep(turn);
        }
        lost
    }

    /// In a large swarm nobody keeps what is said of peers that are not here; voters do, as long as it
    /// is said again.
    fn sweep(&mut self, turn: &Turn<'_>) {
        if !self.size.is_large() {
            return;
        }
        let age_max = self.size.advert_every(turn.config) * ADVERTS_MISSED_MAX + SWEEP_EVERY;
        let Self { adverts, neighbours, whole, .. } = self;
        let before = adverts.len();
        adverts.retain(|peer, heard| {
            let told = *whole && turn.now.since(heard.at) < age_max;
            told || *peer == turn.me() || neighbours.contains_key(peer)
        });
        self.changes += u64::from(adverts.len() != before);
        self.gone.retain(|peer| adverts.contains_key(peer));
    }

    /// Whether we are to know the whole of a large swarm, since we vote.
    pub(crate) fn knows_all(&mut self, whole: bool) {
        self.changes += u64::from(self.whole != whole);
        self.whole = whole;
    }

    /// Peers whose word is that a peer has gone. Whether it is news: whoever speaks to us has not.
    pub(crate) fn left(&mut self, peer: NodeId, turn: &mut Turn<'_>) -> bool {
        match self.neighbours.get_mut(&peer) {
            Some(neighbour) if neighbour.lost => return false,
            Some(neighbour) if turn.now.since(neighbour.heard) < turn.config.silence_max / 2 => {
                return false;
            }
            Some(neighbour) => {
                neighbour.lost = true;
                turn.emit(Effect::Notice(Notice::Lost(peer)));
            }
            None if !self.adverts.contains_key(&peer) => return false,
            None => {}
        }
        self.changes += 1;
        self.gone.insert(peer)
    }

    /// Our advert as it stands, signed and numbered anew.
    pub(crate) fn own(&mut self, load: Load, turn: &mut Turn<'_>) -> Signed<Advert> {
        self.sequence = self.sequence.max(turn.config.advert_base) + 1;
        let large = self.size.is_large();
        let advert = Advert {
            node: turn.me(),
            sequence: self.sequence,
            origin: self.origin,
            up_ms: turn.now.0 / 1_000_000,
            devices: self.devices.clone(),
            links: nearest(self.links.values(), if large { LINKS_TOLD } else { LINKS_MAX }),
            model: Some(turn.config.model.hash),
            load,
            reachable: self.tried.is_empty() || self.tried.values().any(|reachable| *reachable),
            draining: self.leaves(),
            api: turn.config.api.clone(),
        };
        let heard = Heard { advert: advert.clone(), at: turn.now };
        let before = self.adverts.insert(turn.me(), heard);
        let news = before.is_none_or(|before| offers(&before.advert) != offers(&advert));
        self.changes += u64::from(news);
        turn.keys.signed(advert)
    }

    /// Our advert, if it is time to tell it.
    pub(crate) fn advertise(&mut self, load: Load, turn: &mut Turn<'_>) -> Option<Signed<Advert>> {
        if self.advert_due(turn.config) > turn.now || self.waits(turn) {
            return None;
        }
        let advert = self.own(load, turn);
        (self.dirty, self.moved) = (false, false);
        self.advertised = turn.now;
        self.climbed = if self.size.is_large() { self.climbed.saturating_add(1) } else { 0 };
        Some(advert)
    }

    /// Who has just come does not know yet how large the swarm is and so whom to tell, or which swarm
    /// it is. Whom it meets it greets with its advert. While it has met nobody, its word is its own.
    fn waits(&self, turn: &Turn<'_>) -> bool {
        let Some(since) = self.met.map(|met| turn.now.since(met)) else { return false };
        let lost = self.size.is_large() && self.origin.is_none();
        since < UNKNOWN_MAX && !self.size.is_known() || since < 4 * UNKNOWN_MAX && lost
    }

    fn advert_due(&self, config: &crate::Config) -> Time {
        let every = self.size.advert_every(config);
        let young = self.met.is_some_and(|met| self.advertised < met + MOVED_PAUSE);
        let pause = match (self.dirty, self.moved) {
            (true, _) => ADVERT_PAUSE,
            (_, true) if !self.size.is_large() && young => ADVERT_PAUSE,
            (_, true) if !self.size.is_large() => ADVERT_PAUSE.max(self.size.moved_every()),
            // Links of a large swarm change all the time; a newcomer has hardly had any yet.
            (_, true) if self.climbed < 2 => every.min(MOVED_PAUSE),
            _ => every,
        };
        match self.sequence {
            0 => Time::ZERO,
            _ => self.advertised + pause,
        }
    }

    pub(crate) fn deadline(&self) -> Time {
        self.beat_at
    }

    /// Whether a peer is here: ourselves, or a neighbour that speaks. If we are to know the whole of a
    /// large swarm, also whose advert is kept, until others say that it has gone.
    pub(crate) fn is_alive(&self, peer: NodeId, me: NodeId) -> bool {
        let told = || {
            let whole = self.whole && self.size.is_large();
            whole && self.adverts.contains_key(&peer) && !self.gone.contains(&peer)
        };
        peer == me || self.neighbours.get(&peer).map_or_else(told, |neighbour| !neighbour.lost)
    }

    /// Whether a peer is a neighbour that is silent.
    pub(crate) fn is_lost(&self, peer: NodeId) -> bool {
        self.neighbours.get(&peer).is_some_and(|neighbour| neighbour.lost)
    }

    /// Whether we have a connection with a peer.
    pub(crate) fn is_neighbour(&self, peer: NodeId) -> bool {
        self.neighbours.contains_key(&peer)
    }

    /// Counts who is in the swarm, ourselves among them: who is here, and who was heard of lately.
    pub(crate) fn count(&mut self, turn: &Turn<'_>) {
        let age_max = self.size.advert_every(turn.config) * ADVERTS_MISSED_MAX;
        let counts = |heard: &&Heard| {
            let node = heard.advert.node;
            let told = turn.now.since(heard.at) < age_max && !self.gone.contains(&node);
            let here = self.neighbours.get(&node).map_or(told, |neighbour| !neighbour.lost);
            (here || node == turn.me()) && self.is_ours(&heard.advert)
        };
        let peers = self.adverts.values().filter(counts).count();
        self.size.count(peers, turn.now, turn.config);
    }

    /// Rises when somebody comes, goes, or offers something else.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a peer's silence is noticed at once here.
    pub(crate) fn watches(&self, peer: NodeId) -> bool {
        self.neighbours.get(&peer).is_some_and(|neighbour| neighbour.pulse.fast)
    }

    /// Hops to a voter, as of the last beat.
    pub(crate) fn hops(&self) -> u8 {
        if self.neighbours.is_empty() { HOPS_UNKNOWN } else { self.hops }
    }

    /// A neighbour that has as few hops to a voter as any, drawn by lot; not the one that asks.
    pub(crate) fn uphill(&self, from: Option<NodeId>, turn: &mut Turn<'_>) -> Option<NodeId> {
        let neighbours = self.neighbours.iter().filter(|(peer, n)| !n.lost && Some(**peer) != from);
        let known = neighbours.filter(|(_, n)| n.pulse.hops <= HOPS_MAX);
        let mut best = (HOPS_MAX + 1, Vec::new());
        for (peer, neighbour) in known {
            let hops = neighbour.pulse.hops;
            if hops < best.0 {
                best = (hops, vec![*peer]);
            } else if hops == best.0 {
                best.1.push(*peer);
            }
        }
        (!best.1.is_empty()).then(|| best.1[turn.rng.random_range(0..best.1.len())])
    }

    /// Whether one more word of a neighbour's is passed on.
    pub(crate) fn may_speak(&mut self, peer: NodeId, now: Time) -> bool {
        self.neighbours.get_mut(&peer).is_some_and(|neighbour| neighbour.may_speak(now))
    }

    /// What we want each neighbour to be, and which of them to watch us. What holds us together.
    pub(crate) fn bind(&mut self, want: impl Fn(&NodeId) -> (Bond, bool), now: Time) -> Vec<Tie> {
        let mut ties = Vec::with_capacity(self.neighbours.len());
        for (peer, neighbour) in &mut self.neighbours {
            let (bond, watches) = want(peer);
            if (neighbour.bond, neighbour.watches) != (bond, watches) {
                (neighbour.bond, neighbour.watches) = (bond, watches);
                neighbour.beat_at = now;
            }
            let theirs = neighbour.pulse.bond;
            let watches = watches || theirs == Bond::Close;
            let (since, lost) = (neighbour.since, neighbour.lost);
            ties.push(Tie { peer: *peer, ours: bond, theirs, watches, since, lost });
        }
        ties
    }

    /// Everyone's advert, in the order of ids.
    pub(crate) fn adverts(&self) -> impl Iterator<Item = &Heard> {
        self.adverts.values()
    }

    /// What a peer says of itself.
    pub(crate) fn advert(&self, peer: NodeId) -> Option<&Advert> {
        self.adverts.get(&peer).map(|heard| &heard.advert)
    }

    /// Neighbours that speak.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = NodeId> {
        self.neighbours.iter().filter(|(_, state)| !state.lost).map(|(peer, _)| *peer)
    }

    /// Our links, in the order of their far ends.
    pub(crate) fn links(&self) -> impl Iterator<Item = &LinkReport> {
        self.links.values()
    }
}

/// What a planner would look at first: if it changes, there may be a better plan.
fn offers(advert: &Advert) -> (&[Device], Option<swarm_proto::Hash>, Option<NodeId>, bool) {
    (&advert.devices, advert.model, advert.origin, advert.draining)
}

/// Whether a link changed by more than its noise: a fifth of either figure.
fn notably(old: &LinkReport, new: &LinkReport) -> bool {
    let far = |a: f64, b: f64| (a - b).abs() > 0.2 * a.max(b);
    far(old.rtt_ms, new.rtt_ms) || far(old.bytes_per_s, new.bytes_per_s)
}

/// The links that an advert has room for: those to whoever is near, with whom a pipeline would be.
fn nearest<'a>(links: impl Iterator<Item = &'a LinkReport>, count: usize) -> Vec<LinkReport> {
    let mut links: Vec<_> = links.collect();
    links.sort_by(|a, b| a.rtt_ms.total_cmp(&b.rtt_ms)); // of like ones the lower number
    links.truncate(count);
    links.sort_by_key(|link| link.to);
    links.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advert_tells_of_the_nearest_peers() {
        let link = |peer: u8| LinkReport {
            to: NodeId([peer; 32]),
            rtt_ms: f64::from(200 - peer),
            rtt_spread_ms: 0.0,
            bytes_per_s: 1e9,
            loss: 0.0,
            age_ms: 0,
            predicted: false,
        };
        let told = nearest((0..100).map(link).collect::<Vec<_>>().iter(), LINKS_MAX);
        assert_eq!(told, (36..100).map(link).collect::<Vec<_>>());
    }
}
