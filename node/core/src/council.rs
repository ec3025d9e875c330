//! Chooses the leader: one a term, by majority of a named, numbered set of voters.
//!
//! The method of Raft's election (Ongaro 2014, chapter 3.4, with pre-votes of 9.6 and single-server
//! changes of 4.1) without its log: what is agreed on is who leads and who votes, nothing else. A
//! leader only hands out plans, and each carries its term, so the plans of a deposed one are
//! refused by whoever has heard of a later term.
//!
//! Nothing that others rely on is said before the ballot it follows from is on disk: acts wait in
//! `acts` until the driver says so.

mod change;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use swarm_proto::{
    Ballot, CHANGES_MAX, Certificate, CouncilMessage, Message, NodeId, Signature, Signed, Term,
    Time, Vote, VoterSet,
};

use crate::{Effect, Notice, turn::Turn};
pub(crate) use change::Candidate;
use judge::Verdict;

/// Peers of other swarms that are remembered.
const OTHERS_MAX: usize = 256;
/// Certificates from across a gap before a person is told: one comes a second.
const GAPS_MAX: u32 = 10;
/// Terms beyond the known one that are believed at a time: a stranger cannot use up all of them.
const TERM_LEAP_MAX: u64 = 1 << 20;

/// One node's view of who leads and who votes.
#[derive(Debug, Default)]
pub(crate) struct Council {
    ballot: Ballot,
    /// A ballot on its way to disk.
    persisting: Option<Ballot>,
    /// What to do once the ballot is on disk.
    acts: Vec<Act>,
    role: Role,
    certificate: Option<Certificate>,
    /// When a leader speaks next, and when anyone else loses patience.
    deadline: Time,
    /// When a leader was last heard.
    led: Time,
    /// Peers of another swarm, told of once each.
    others: Vec<NodeId>,
    /// Certificates in a row that did not connect with the set that we know.
    gaps: u32,
}

#[derive(Debug, Default)]
enum Role {
    #[default]
    Follower,
    /// Asks whether it could win.
    Hopeful {
        yes: Vec<NodeId>,
    },
    Candidate {
        votes: BTreeMap<NodeId, Signature>,
    },
    Leader(Box<Reign>),
}

/// What a leader keeps in mind.
#[derive(Debug, Default)]
struct Reign {
    /// Voters that follow.
    following: BTreeSet<NodeId>,
    /// The change of the set under way.
    change: Option<(VoterSet, BTreeMap<NodeId, Signature>)>,
}

/// Something that must wait for the ballot.
#[derive(Debug)]
enum Act {
    Send(NodeId, CouncilMessage),
    /// Ask the others for their votes.
    Campaign,
    /// Count our own vote for a change of the set.
    Agree(Vote),
}

impl Council {
    /// A council that remembers `ballot`.
    pub(crate) fn new(ballot: Ballot) -> Self {
        Self { ballot, ..Self::default() }
    }

    /// The node starts: a founder elects itself, others wait.
    pub(crate) fn start(&mut self, turn: &mut Turn<'_>) {
        if turn.config.founds && self.ballot.set.is_none() {
            self.ballot.origin = Some(turn.me());
            self.ballot.set = Some(VoterSet::founded_by(turn.me()));
            self.ballot.proven = self.ballot.set.clone();
        }
        self.wait(turn);
        if self.ballot.set.as_ref().is_some_and(|set| set.voters == [turn.me()]) {
            self.stand(turn); // nobody else could be leading
        }
    }

    /// The alarm rang.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        if turn.now < self.deadline {
            return;
        }
        if let Role::Leader(_) = self.role {
            self.deadline = turn.now + turn.config.beat_every;
            let term = self.ballot.term;
            self.tell_voters(&CouncilMessage::Lead { term }, turn);
            self.propose_change(turn);
            return;
        }
        self.wait(turn);
        // Whoever is to leave the set does not stand for it.
        if self.ballot.set.as_ref().is_some_and(|set| set.has(turn.me())) {
            self.ask_whether(turn);
        }
    }

    /// A peer is gone; if it led, patience is shorter.
    pub(crate) fn lost(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.leader() == Some(peer) && !self.leads(turn.me()) {
            let patience = turn.config.patience / 4;
            let wait = patience.mul_f64(turn.rng.random_range(0.2..1.2));
            self.led = Time::ZERO;
            self.deadline = self.deadline.min(turn.now + wait);
        }
    }

    /// The ballot is on disk.
    pub(crate) fn persisted(&mut self, ballot: &Ballot, turn: &mut Turn<'_>) {
        if self.persisting.as_ref() != Some(ballot) {
            return;
        }
        self.persisting = None;
        if *ballot != self.ballot {
            self.persist(turn);
            return;
        }
        for act in std::mem::take(&mut self.acts) {
            match act {
                Act::Send(to, message) => turn.send(to, Message::Council(message)),
                Act::Campaign => self.campaign(turn),
                Act::Agree(vote) => {
                    let signed = turn.keys.signed(vote);
                    self.count(signed, turn);
                }
            }
        }
    }

    /// Hears another peer.
    pub(crate) fn hear(&mut self, from: NodeId, message: CouncilMessage, turn: &mut Turn<'_>) {
        match message {
            CouncilMessage::Ask { term, set_term, set, pre } => {
                self.asked(from, term, (set_term, set), pre, turn);
            }
            CouncilMessage::Could { term } => self.could(from, term, turn),
            CouncilMessage::Voted(vote) => self.count(vote, turn),
            CouncilMessage::Certified(certificate) => {
                self.certified(from, *certificate, turn);
            }
            CouncilMessage::Lead { term } => self.led_by(from, term, turn),
            CouncilMessage::Following { term } => self.followed(from, term, turn),
            CouncilMessage::Change { term, set } => self.change_proposed(from, term, set, turn),
        }
    }

    /// Hears who leads, with proof. Whether it is believed.
    pub(crate) fn certified(
        &mut self,
        from: NodeId,
        certificate: Certificate,
        turn: &mut Turn<'_>,
    ) -> bool {
        match judge::judge(&self.ballot, self.certificate.as_ref(), &certificate, turn) {
            Verdict::Known => true,
            Verdict::New => {
                self.others.retain(|other| *other != from);
                self.adopt(certificate, turn);
                true
            }
            Verdict::Step => {
                self.step(certificate, turn);
                false
            }
            // A deposed leader sees by our beats who leads now; answers to answers would never end.
            Verdict::Stale => false,
            Verdict::Gap => {
                // Our beats show what we know; whoever knows what came between sends it.
                self.gaps += 1;
                if self.gaps == GAPS_MAX {
                    let (ours, theirs) = (self.pulse().1, certificate.set.number);
                    turn.emit(Effect::Notice(Notice::Stranded { ours, theirs }));
                }
                false
            }
            Verdict::OtherSwarm => {
                if !self.others.contains(&from) && self.others.len() < OTHERS_MAX {
                    self.others.push(from);
                    turn.emit(Effect::Notice(Notice::OtherSwarm(from)));
                }
                false
            }
            Verdict::Forged(reason) => {
                let reason = format!("a certificate with {reason}");
                turn.emit(Effect::Notice(Notice::Refused { peer: from, reason }));
                false
            }
        }
    }

    fn adopt(&mut self, certificate: Certificate, turn: &mut Turn<'_>) {
        self.gaps = 0;
        let leader = certificate.leader;
        let news = self.leader() != Some(leader)
            || self.certificate.as_ref().map(|c| c.term) != Some(certificate.term);
        if certificate.term > self.ballot.term {
            self.ballot.term = certificate.term;
            self.ballot.voted = None;
        }
        if leader != turn.me() {
            self.role = Role::Follower;
        }
        self.ballot.origin = Some(certificate.origin);
        self.ballot.set = Some(certificate.set.clone());
        self.ballot.proven = self.ballot.set.clone();
        self.ballot.set_term = certificate.term;
        if certificate.previous.is_some() {
            self.remember(certificate.clone());
        }
        let term = certificate.term;
        self.certificate = Some(certificate);
        if news {
            turn.emit(Effect::Notice(Notice::Leader { leader, term }));
        }
        self.led = turn.now;
        if leader != turn.me() {
            self.wait(turn);
            if self.votes_here(turn.me()) {
                self.acts.push(Act::Send(leader, CouncilMessage::Following { term }));
            }
        }
        self.persist(turn);
    }

    /// The set of voters has changed, whoever leads it by now.
    fn step(&mut self, change: Certificate, turn: &mut Turn<'_>) {
        self.ballot.proven = Some(change.set.clone());
        if self.ballot.set.as_ref().is_none_or(|set| set.number <= change.set.number) {
            self.ballot.set = Some(change.set.clone());
            self.ballot.set_term = self.ballot.set_term.max(change.term);
        }
        self.remember(change);
        self.persist(turn);
    }

    fn remember(&mut self, change: Certificate) {
        let changes = &mut self.ballot.changes;
        changes.push(change);
        let surplus = changes.len().saturating_sub(CHANGES_MAX);
        changes.drain(..surplus);
    }

    // --- election -------------------------------------------------------------------------

    fn ask_whether(&mut self, turn: &mut Turn<'_>) {
        self.role = Role::Hopeful { yes: vec![turn.me()] };
        let term = Term(self.ballot.term.0 + 1);
        if let Some(ask) = self.ask(term, true) {
            self.tell_voters(&ask, turn);
        }
        self.could(turn.me(), term, turn);
    }

    fn asked(
        &mut self,
        from: NodeId,
        term: Term,
        (set_term, set): (Term, VoterSet),
        pre: bool,
        turn: &mut Turn<'_>,
    ) {
        let between_voters = self.votes_here(turn.me()) && self.votes_here(from);
        if !between_voters || !believable(&self.ballot, term) {
            return;
        }
        let led = turn.now.since(self.led) < turn.config.patience && self.led > Time::ZERO;
        if led && self.leader() != Some(from) || self.leads(turn.me()) {
            // Whoever asks has missed that there is a leader.
            if let Some(certificate) = self.certificate.clone() {
                let news = CouncilMessage::Certified(Box::new(certificate));
                turn.send(from, Message::Council(news));
            }
            return;
        }
        let informed = (set_term, set.number) >= self.informed() && self.could_be(&set);
        if !informed {
            return;
        }
        if pre {
            // In a later term than it asked for, if we have seen later ones.
            let term = term.max(Term(self.ballot.term.0 + 1));
            turn.send(from, Message::Council(CouncilMessage::Could { term }));
            return;
        }
        if term > self.ballot.term {
            self.ballot.term = term;
            self.ballot.voted = None;
            self.role = Role::Follower;
        }
        if term < self.ballot.term || self.ballot.voted.is_some_and(|voted| voted != from) {
            return;
        }
        self.ballot.voted = Some(from);
        self.wait(turn);
        if let Some(vote) = self.vote_for(from, &set) {
            let vote = turn.keys.signed(vote);
            self.acts.push(Act::Send(from, CouncilMessage::Voted(vote)));
            self.persist(turn);
        }
    }

    fn could(&mut self, from: NodeId, term: Term, turn: &mut Turn<'_>) {
        let Some(set) = &self.ballot.set else { return };
        let Role::Hopeful { yes } = &mut self.role else { return };
        let next = Term(self.ballot.term.0.saturating_add(1));
        if !set.has(from) || term < next || !believable(&self.ballot, term) {
            return;
        }
        if term > next {
            self.ballot.term = Term(term.0 - 1); // asked again when patience ends
            self.ballot.voted = None;
            return;
        }
        if !yes.contains(&from) {
            yes.push(from);
        }
        if yes.len() >= set.majority() {
            self.stand(turn);
        }
    }

    /// Becomes a candidate; votes are asked for once our own is on disk.
    fn stand(&mut self, turn: &mut Turn<'_>) {
        self.ballot.term = Term(self.ballot.term.0 + 1);
        self.ballot.voted = Some(turn.me());
        self.role = Role::Candidate { votes: BTreeMap::new() };
        self.wait(turn);
        self.acts.push(Act::Campaign);
        self.persist(turn);
    }

    fn campaign(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.role, Role::Candidate { .. }) {
            return;
        }
        if let Some(ask) = self.ask(self.ballot.term, false) {
            self.tell_voters(&ask, turn);
        }
        let set = self.ballot.set.clone();
        if let Some(vote) = set.and_then(|set| self.vote_for(turn.me(), &set)) {
            let vote = turn.keys.signed(vote);
            self.count(vote, turn);
        }
    }

    /// Counts a vote, for an election of ours or for a change that we proposed.
    fn count(&mut self, vote: Signed<Vote>, turn: &mut Turn<'_>) {
        let signature = vote.signature;
        let Some((by, vote)) = turn.keys.open(vote) else { return };
        if self.leads(turn.me()) {
            self.count_change(by, vote, signature, turn);
            return;
        }
        let (Some(set), Some(proven)) = (&self.ballot.set, &self.ballot.proven) else { return };
        let expected = self.vote_for(turn.me(), set);
        let Role::Candidate { votes } = &mut self.role else { return };
        if Some(vote) != expected || !(set.has(by) || proven.has(by)) {
            return;
        }
        votes.insert(by, signature);
        // If our set was accepted but never proven, both it and the one before must agree.
        let agreed = |set: &VoterSet| {
            votes.keys().filter(|voter| set.has(**voter)).count() >= set.majority()
        };
        if agreed(set) && agreed(proven) {
            let votes = std::mem::take(votes).into_iter().collect();
            self.win(votes, turn);
        }
    }

    fn win(&mut self, votes: Vec<(NodeId, Signature)>, turn: &mut Turn<'_>) {
        let (Some(origin), Some(set)) = (self.ballot.origin, self.ballot.set.clone()) else {
            return;
        };
        let (term, leader) = (self.ballot.term, turn.me());
        let previous = self.ballot.proven.clone().filter(|proven| *proven != set);
        let certificate = Certificate { origin, term, leader, set, previous, votes };
        let mut reign = Reign::default();
        reign.following.insert(turn.me());
        self.role = Role::Leader(Box::new(reign));
        self.deadline = turn.now;
        self.tell_voters(&CouncilMessage::Certified(Box::new(certificate.clone())), turn);
        self.adopt(certificate, turn);
    }

    fn led_by(&mut self, from: NodeId, term: Term, turn: &mut Turn<'_>) {
        let ours = self.certificate.as_ref().map(|c| (c.leader, c.term));
        if ours == Some((from, term)) {
            self.led = turn.now;
            self.wait(turn);
            if self.persisting.is_none() {
                // Our term may be later, if we voted for somebody who did not win.
                let following = CouncilMessage::Following { term: self.ballot.term };
                turn.send(from, Message::Council(following));
            }
        } else if term < self.ballot.term && self.persisting.is_none() {
            // Who leads is told of a later leader if we know one, and of our term in any case.
            let later = self.certificate.clone().filter(|certificate| certificate.term > term);
            let news = match later {
                Some(certificate) => CouncilMessage::Certified(Box::new(certificate)),
                None => CouncilMessage::Following { term: self.ballot.term },
            };
            turn.send(from, Message::Council(news));
        }
    }

    // --- small things ---------------------------------------------------------------------

    fn ask(&self, term: Term, pre: bool) -> Option<CouncilMessage> {
        let (set_term, set) = (self.ballot.set_term, self.ballot.set.clone()?);
        Some(CouncilMessage::Ask { term, set_term, set, pre })
    }

    /// Whether a candidate's set can be what ours has become.
    fn could_be(&self, set: &VoterSet) -> bool {
        let proven = self.ballot.proven.as_ref();
        self.ballot.set.as_ref() == Some(set)
            || proven.is_some_and(|proven| set == proven || set.follows(proven))
    }

    /// What votes are compared by: the set accepted last, and when.
    fn informed(&self) -> (Term, u64) {
        (self.ballot.set_term, self.ballot.set.as_ref().map_or(0, |set| set.number))
    }

    fn vote_for(&self, leader: NodeId, set: &VoterSet) -> Option<Vote> {
        let origin = self.ballot.origin?;
        Some(Vote { origin, term: self.ballot.term, leader, set: set.hash() })
    }

    fn tell_voters(&self, message: &CouncilMessage, turn: &mut Turn<'_>) {
        // Those of the set that was accepted last, and of the one that is proven: until the change is
        // decided, both have a say.
        let sets = self.ballot.set.iter().chain(&self.ballot.proven);
        let voters: BTreeSet<_> = sets.flat_map(|set| &set.voters).copied().collect();
        for voter in voters {
            if voter != turn.me() {
                turn.send(voter, Message::Council(message.clone()));
            }
        }
    }

    /// Waits for a leader to speak, for a time drawn anew.
    fn wait(&mut self, turn: &mut Turn<'_>) {
        let patience = turn.config.patience.mul_f64(turn.rng.random_range(1.0..2.0));
        self.deadline = turn.now + patience;
    }

    fn persist(&mut self, turn: &mut Turn<'_>) {
        if self.persisting.is_none() {
            self.persisting = Some(self.ballot.clone());
            turn.emit(Effect::Persist(self.ballot.clone()));
        }
    }

    fn votes_here(&self, me: NodeId) -> bool {
        self.ballot.set.iter().chain(&self.ballot.proven).any(|set| set.has(me))
    }

    /// Whether we lead, with our own certificate on disk or on its way there.
    pub(crate) fn leads(&self, me: NodeId) -> bool {
        matches!(self.role, Role::Leader(_)) && self.leader() == Some(me)
    }

    /// Who leads, as far as we know.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.certificate.as_ref().map(|certificate| certificate.leader)
    }

    /// Whether this is the term of the leader that we follow.
    pub(crate) fn follows(&self, term: Term) -> bool {
        self.certificate.as_ref().is_some_and(|certificate| certificate.term == term)
    }

    /// The swarm: who founded it.
    pub(crate) fn origin(&self) -> Option<NodeId> {
        self.ballot.origin
    }

    /// How far we are: the term that we follow, and the number of the set that is decided.
    pub(crate) fn pulse(&self) -> (Term, u64) {
        let set = self.ballot.proven.as_ref().map_or(0, |set| set.number);
        (self.certificate.as_ref().map_or(Term(0), |certificate| certificate.term), set)
    }

    /// Whether a peer is known to belong to another swarm.
    pub(crate) fn is_other(&self, peer: NodeId) -> bool {
        self.others.contains(&peer)
    }

    /// Proof of it.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The latest term heard of.
    pub(crate) fn term(&self) -> Term {
        self.ballot.term
    }

    /// Who votes.
    pub(crate) fn voters(&self) -> &[NodeId] {
        self.ballot.set.as_ref().map_or(&[], |set| &set.voters)
    }

    pub(crate) fn deadline(&self, me: NodeId) -> Time {
        if self.votes_here(me) { self.deadline } else { Time::NEVER }
    }
}

/// Whether a term can be true: not so far ahead that a stranger could use up all of them.
fn believable(ballot: &Ballot, term: Term) -> bool {
    term.0 <= ballot.term.0.saturating_add(TERM_LEAP_MAX)
}
