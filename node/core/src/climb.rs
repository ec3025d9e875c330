//! Words for the voters of a large swarm: adverts, and who has gone. They climb from neighbour to
//! neighbour, and the voter that a word comes to tells the others.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use swarm_proto::{Climb, Gone, HOPS_MAX, Message, NodeId, Signed, Time, Word};

use crate::{council::Council, membership::Membership, turn::Turn};

/// Words of ours that wait for a way.
const WAITING_MAX: usize = 16;
/// Peers of whom it is kept in mind who says that they have gone.
const REPORTED_MAX: usize = 4096;
/// Peers who said that others have gone, of whom it is kept in mind what they said last.
const REPORTERS_MAX: usize = 1 << 14;
/// How many must say that a peer has gone, within a while: one could lie, or be cut off itself.
const REPORTERS: usize = 2;
const REPORT_AGE_MAX: Duration = Duration::from_secs(30);
/// How long one word is left alone before whoever leads looks itself.
const DOUBT_AFTER: Duration = Duration::from_secs(1);

/// What a node does with words for voters.
#[derive(Debug, Default)]
pub(crate) struct Climbers {
    waiting: VecDeque<Word>,
    /// Of whom it was said that they have gone: after which advert, since when, and by whom.
    reported: BTreeMap<NodeId, Report>,
    /// The number of what each author said last.
    latest: BTreeMap<NodeId, u64>,
    /// The number of what we said last.
    said: u64,
}

#[derive(Debug)]
struct Report {
    sequence: u64,
    since: Time,
    by: Vec<NodeId>,
    /// Whether we call it ourselves.
    called: bool,
}

/// What a word is to a voter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Whether a planner would see something else now.
    pub(crate) news: bool,
    /// Who has gone, if that is believed now.
    pub(crate) gone: Option<NodeId>,
}

impl Climbers {
    /// Says something to the voters.
    pub(crate) fn say(
        &mut self,
        word: Word,
        council: &Council,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) -> Taken {
        if council.is_told(turn.me()) {
            return self.take(turn.me(), word, council, membership, turn);
        }
        match membership.uphill(None, turn) {
            Some(next) => climb(next, HOPS_MAX, word, turn),
            None => {
                self.waiting.truncate(WAITING_MAX - 1);
                self.waiting.push_back(word);
            }
        }
        Taken::default()
    }

    /// That a peer has gone, to be said.
    pub(crate) fn gone(&mut self, peer: NodeId, turn: &Turn<'_>) -> Word {
        self.said = turn.rising().max(self.said + 1);
        Word::Gone(Box::new(turn.keys.signed(Gone { peer, number: self.said })))
    }

    /// Peers of whom only one says that they have gone, who are to be called, each once.
    pub(crate) fn doubted(&mut self, now: Time) -> Vec<NodeId> {
        let mut doubted = Vec::new();
        for (peer, report) in &mut self.reported {
            let due = now.since(report.since) >= DOUBT_AFTER && !report.called;
            if due && report.by.len() < REPORTERS {
                report.called = true;
                doubted.push(*peer);
            }
        }
        doubted
    }

    /// Whether we called a peer to see if it has gone.
    pub(crate) fn called(&self, peer: NodeId) -> bool {
        self.reported.get(&peer).is_some_and(|report| report.called)
    }

    /// A neighbour has a word for the voters.
    pub(crate) fn heard(
        &mut self,
        from: NodeId,
        climbs: Climb,
        council: &Council,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) -> Taken {
        let Climb { hops_left, word } = climbs;
        let voter = council.tells(from);
        if !voter && !membership.may_speak(from, turn.now) {
            return Taken::default();
        }
        if council.is_told(turn.me()) {
            return match hops_left {
                0 => self.note(&word, membership, turn).unwrap_or_default(),
                _ => self.take(from, word, council, membership, turn),
            };
        }
        if let Some(left) = hops_left.min(HOPS_MAX).checked_sub(1)
            && let Some(next) = membership.uphill(Some(from), turn)
        {
            climb(next, left, word, turn);
        }
        Taken::default()
    }

    /// What waited for a way, now that there may be one.
    pub(crate) fn tick(
        &mut self,
        council: &Council,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) {
        for word in std::mem::take(&mut self.waiting) {
            self.say(word, council, membership, turn);
        }
    }

    /// A voter takes a word in, and tells the others if it is news.
    fn take(
        &mut self,
        from: NodeId,
        word: Word,
        council: &Council,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) -> Taken {
        let own = matches!(&word, Word::Advert(advert) if advert.by == turn.me());
        let taken = self.note(&word, membership, turn);
        if taken.is_some() || own {
            let me = turn.me();
            for voter in council.told().filter(|voter| *voter != me && *voter != from) {
                turn.send(voter, Message::Climb(Climb { hops_left: 0, word: word.clone() }));
            }
        }
        taken.unwrap_or_default()
    }

    /// Takes a word in. What came of it, if it was not known.
    fn note(
        &mut self,
        word: &Word,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) -> Option<Taken> {
        match word {
            Word::Advert(advert) => {
                let news = membership.hear((**advert).clone(), turn)?;
                Some(Taken { news, gone: None })
            }
            Word::Gone(gone) => {
                let gone = self.reported((**gone).clone(), membership, turn)?;
                Some(Taken { news: gone.is_some(), gone })
            }
        }
    }

    /// Somebody says that a peer has gone. Who, if it is believed now; nothing at all if it was said
    /// before, or is out of date.
    fn reported(
        &mut self,
        signed: Signed<Gone>,
        membership: &mut Membership,
        turn: &mut Turn<'_>,
    ) -> Option<Option<NodeId>> {
        let (by, Gone { peer, number }) = turn.keys.open(signed)?;
        let sequence = membership.advert(peer).map(|advert| advert.sequence)?;
        if peer == turn.me() || !self.is_later(by, number) {
            return None;
        }
        if self.reported.len() >= REPORTED_MAX && !self.reported.contains_key(&peer) {
            self.reported.pop_first();
        }
        let anew = || Report { sequence, since: turn.now, by: Vec::new(), called: false };
        let report = self.reported.entry(peer).or_insert_with(anew);
        if report.sequence != sequence || turn.now.since(report.since) > REPORT_AGE_MAX {
            *report = anew();
        }
        if report.by.len() >= REPORTERS || report.by.contains(&by) {
            return None;
        }
        report.by.push(by);
        let silent = usize::from(membership.is_lost(peer));
        let believed = report.by.len() + silent >= REPORTERS && membership.left(peer, turn);
        Some(believed.then_some(peer))
    }
}

impl Climbers {
    fn is_later(&mut self, by: NodeId, number: u64) -> bool {
        if self.latest.len() >= REPORTERS_MAX && !self.latest.contains_key(&by) {
            self.latest.pop_first();
        }
        let latest = self.latest.entry(by).or_default();
        std::mem::replace(latest, number.max(*latest)) < number
    }
}

fn climb(to: NodeId, hops_left: u8, word: Word, turn: &mut Turn<'_>) {
    turn.send(to, Message::Climb(Climb { hops_left, word }));
}
