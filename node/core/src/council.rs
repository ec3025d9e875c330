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
mod election;
mod judge;

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use swarm_proto::{
    Ballot, CHANGES_MAX, Certificate, CouncilMessage, Message, NodeId, Signature, Term, Time, Vote,
    VoterSet,
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
            CouncilMessage::Voted(vote) => self.count(*vote, turn),
            CouncilMessage::Certified(certificate) => {
                self.certified(from, *certificate, turn);
            }
            CouncilMessage::Lead { term } => self.led_by(from, term, turn),
            CouncilMessage::Following { term, set } => self.followed(from, term, set, turn),
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
                self.acts.push(Act::Send(leader, self.following()));
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
            turn.emit(Effect::Persist(Box::new(self.ballot.clone())));
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

    /// Who is to know the whole swarm: whoever votes, and who leads.
    pub(crate) fn told(&self) -> impl Iterator<Item = NodeId> {
        let leader = self.leader().filter(|leader| !self.voters().contains(leader));
        self.voters().iter().copied().chain(leader)
    }

    /// Whether we are to know the whole swarm.
    pub(crate) fn is_told(&self, me: NodeId) -> bool {
        self.votes_here(me) || self.leader() == Some(me)
    }

    /// Whether a peer is one of those who are.
    pub(crate) fn tells(&self, peer: NodeId) -> bool {
        self.told().any(|voter| voter == peer)
    }

    /// When something is due here, if that is before then; else then.
    pub(crate) fn deadline(&self, me: NodeId, then: Time) -> Time {
        if self.deadline < then && self.votes_here(me) { self.deadline } else { then }
    }
}

/// Whether a term can be true: not so far ahead that a stranger could use up all of them.
fn believable(ballot: &Ballot, term: Term) -> bool {
    term.0 <= ballot.term.0.saturating_add(TERM_LEAP_MAX)
}
