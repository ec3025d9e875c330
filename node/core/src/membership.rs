//! Who is here, what they offer, and who has gone silent.

use std::collections::BTreeMap;

use swarm_proto::{
    Advert, Device, Heard, LINKS_MAX, LinkReport, Load, Message, NodeId, PlanId, Pulse, Signed,
    Time,
};

use crate::{Effect, Notice, turn::Turn};

/// Peers that a node remembers. Beyond it a newcomer is not taken in: the view is bounded.
const PEERS_MAX: usize = 2_000;
/// Addresses of ours that are kept in mind.
const ADDRESSES_MAX: usize = 64;
/// If our own alarm rings this late we were stopped, and others' silence means nothing.
const LATE: std::time::Duration = std::time::Duration::from_millis(250);
/// How often a peer that lags is sent what it lacks.
const HELP_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How often our advert goes out at most.
const ADVERT_PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// How long a node that leaves waits until those who stay can elect a leader without it.
const HANDOVER_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// One node's view of the others.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    /// What everyone says of itself, ourselves included.
    adverts: BTreeMap<NodeId, Heard>,
    /// Neighbours with a connection: when each was last heard.
    neighbours: BTreeMap<NodeId, Neighbour>,
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
    sequence: u64,
    /// Whether something of ours is to be told.
    dirty: bool,
    advertised: Time,
    beat_at: Time,
}

#[derive(Debug)]
struct Neighbour {
    heard: Time,
    lost: bool,
    /// If its beats show that it lacks something: when to send that.
    lags: Option<Time>,
    /// The plan whose share it holds, by its last beat.
    holds: PlanId,
}

impl Membership {
    /// A connection stands. Whether it is news.
    pub(crate) fn up(&mut self, peer: NodeId, turn: &Turn<'_>) -> bool {
        if !self.neighbours.contains_key(&peer) && self.neighbours.len() >= PEERS_MAX {
            return false;
        }
        self.neighbours.insert(
            peer,
            Neighbour { heard: turn.now, lost: false, lags: None, holds: PlanId::default() },
        );
        self.dirty = true;
        true
    }

    /// The last connection is gone. Whether it is news.
    pub(crate) fn down(&mut self, peer: NodeId, turn: &mut Turn<'_>) -> bool {
        self.links.remove(&peer);
        let Some(neighbour) = self.neighbours.remove(&peer) else { return false };
        if !neighbour.lost {
            turn.emit(Effect::Notice(Notice::Lost(peer)));
        }
        self.dirty = true;
        !neighbour.lost
    }

    /// Something came from a peer, so it is alive. Whether it was thought lost.
    pub(crate) fn heard_from(&mut self, peer: NodeId, now: Time) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return false };
        neighbour.heard = now;
        std::mem::take(&mut neighbour.lost)
    }

    /// A neighbour's beat says which plan's share it holds.
    pub(crate) fn felt(&mut self, peer: NodeId, holds: PlanId) {
        if let Some(neighbour) = self.neighbours.get_mut(&peer) {
            neighbour.holds = holds;
        }
    }

    /// The plan whose share a neighbour holds, as far as we know.
    pub(crate) fn holds(&self, peer: NodeId) -> PlanId {
        self.neighbours.get(&peer).map(|neighbour| neighbour.holds).unwrap_or_default()
    }

    /// A neighbour's beat shows whether it lacks something that we have. Whether to send it: not at
    /// once, for it may be on its way, and then once a second.
    pub(crate) fn lags(&mut self, peer: NodeId, lacks: bool, turn: &Turn<'_>) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(&peer) else { return false };
        if !lacks {
            neighbour.lags = None;
            return false;
        }
        let due = *neighbour.lags.get_or_insert(turn.now + 2 * turn.config.beat_every);
        if due <= turn.now {
            neighbour.lags = Some(turn.now + HELP_EVERY);
        }
        due <= turn.now
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

    /// Takes an advert in. Whether it changes what a planner would see.
    pub(crate) fn hear(&mut self, signed: Signed<Advert>, turn: &mut Turn<'_>) -> bool {
        let Some((by, advert)) = turn.keys.open(signed) else { return false };
        if by != advert.node || by == turn.me() {
            return false;
        }
        if let Err(reason) = advert.check() {
            let reason = format!("an advert with {reason}");
            turn.emit(Effect::Notice(Notice::Refused { peer: by, reason }));
            return false;
        }
        if !self.adverts.contains_key(&by) && !self.has_room() {
            return false;
        }
        let known = self.adverts.get(&by);
        if known.is_some_and(|known| known.advert.sequence >= advert.sequence) {
            return false;
        }
        let news = known.is_none_or(|known| offers(&known.advert) != offers(&advert));
        self.adverts.insert(by, Heard { advert, at: turn.now });
        news
    }

    /// Makes room for one more advert, if it must by forgetting the oldest of a peer that is not
    /// here: strangers must not use up the view.
    fn has_room(&mut self) -> bool {
        if self.adverts.len() < PEERS_MAX {
            return true;
        }
        let here = |peer: &NodeId| self.neighbours.contains_key(peer);
        let strangers = self.adverts.iter().filter(|(peer, _)| !here(peer));
        let oldest = strangers.min_by_key(|(_, heard)| heard.at).map(|(peer, _)| *peer);
        oldest.is_some_and(|oldest| self.adverts.remove(&oldest).is_some())
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
            self.dirty |= news;
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

    /// Beats, adverts, and who went silent since.
    pub(crate) fn tick(&mut self, load: Load, pulse: Pulse, turn: &mut Turn<'_>) -> Vec<NodeId> {
        self.overdue = self.leaving.is_some_and(|latest| latest <= turn.now);
        let mut lost = Vec::new();
        if turn.now >= self.beat_at {
            let late = turn.now.since(self.beat_at) > LATE && self.beat_at > Time::ZERO;
            self.beat_at = turn.now + turn.config.beat_every;
            lost = self.silent(late, turn);
            for peer in self.neighbours.keys() {
                turn.send(*peer, Message::Beat(pulse));
            }
        }
        if self.advert_due(turn) <= turn.now {
            self.advertise(load, turn);
        }
        lost
    }

    fn silent(&mut self, late: bool, turn: &mut Turn<'_>) -> Vec<NodeId> {
        let mut lost = Vec::new();
        for (peer, neighbour) in &mut self.neighbours {
            if late {
                neighbour.heard = turn.now;
            }
            let silence = turn.now.since(neighbour.heard);
            if !neighbour.lost && silence >= turn.config.silence_max {
                neighbour.lost = true;
                lost.push(*peer);
            }
        }
        for peer in &lost {
            turn.emit(Effect::Notice(Notice::Lost(*peer)));
        }
        lost
    }

    /// Our advert as it stands, signed and numbered anew.
    pub(crate) fn own(&mut self, load: Load, turn: &mut Turn<'_>) -> Signed<Advert> {
        self.sequence = self.sequence.max(turn.config.advert_base) + 1;
        let advert = Advert {
            node: turn.me(),
            sequence: self.sequence,
            origin: self.origin,
            up_ms: turn.now.0 / 1_000_000,
            devices: self.devices.clone(),
            links: nearest(self.links.values()),
            model: Some(turn.config.model.hash),
            load,
            reachable: self.tried.is_empty() || self.tried.values().any(|reachable| *reachable),
            draining: self.leaves(),
            api: turn.config.api.clone(),
        };
        let heard = Heard { advert: advert.clone(), at: turn.now };
        self.adverts.insert(turn.me(), heard);
        turn.keys.signed(advert)
    }

    fn advertise(&mut self, load: Load, turn: &mut Turn<'_>) {
        let advert = self.own(load, turn);
        self.dirty = false;
        self.advertised = turn.now;
        turn.emit(Effect::Publish(advert));
    }

    fn advert_due(&self, turn: &Turn<'_>) -> Time {
        let pause = if self.dirty { ADVERT_PAUSE } else { turn.config.advert_every };
        match self.sequence {
            0 => Time::ZERO,
            _ => self.advertised + pause,
        }
    }

    pub(crate) fn deadline(&self, advert_every: std::time::Duration) -> Time {
        let pause = if self.dirty { ADVERT_PAUSE } else { advert_every };
        self.beat_at.min(self.advertised + pause)
    }

    /// Whether a peer is here: ourselves, or a neighbour that speaks.
    pub(crate) fn is_alive(&self, peer: NodeId, me: NodeId) -> bool {
        peer == me || self.neighbours.get(&peer).is_some_and(|neighbour| !neighbour.lost)
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
fn nearest<'a>(links: impl Iterator<Item = &'a LinkReport>) -> Vec<LinkReport> {
    let mut links: Vec<_> = links.collect();
    links.sort_by(|a, b| a.rtt_ms.total_cmp(&b.rtt_ms)); // of like ones the lower number
    links.truncate(LINKS_MAX);
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
        let told = nearest((0..100).map(link).collect::<Vec<_>>().iter());
        assert_eq!(told, (36..100).map(link).collect::<Vec<_>>());
    }
}
