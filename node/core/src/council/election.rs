//! How a leader is chosen: who asks, who votes, who has won, and who is heard to lead.

use std::collections::BTreeMap;

use swarm_proto::{
    Certificate, CouncilMessage, Message, NodeId, Signature, Signed, Term, Time, Vote, VoterSet,
};

use super::{Act, Council, Reign, Role, believable};
use crate::turn::Turn;

impl Council {
    pub(super) fn ask_whether(&mut self, turn: &mut Turn<'_>) {
        self.role = Role::Hopeful { yes: vec![turn.me()] };
        let term = Term(self.ballot.term.0 + 1);
        if let Some(ask) = self.ask(term, true) {
            self.tell_voters(&ask, turn);
        }
        self.could(turn.me(), term, turn);
    }

    pub(super) fn asked(
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
            self.acts.push(Act::Send(from, CouncilMessage::Voted(Box::new(vote))));
            self.persist(turn);
        }
    }

    pub(super) fn could(&mut self, from: NodeId, term: Term, turn: &mut Turn<'_>) {
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
    pub(super) fn stand(&mut self, turn: &mut Turn<'_>) {
        self.ballot.term = Term(self.ballot.term.0 + 1);
        self.ballot.voted = Some(turn.me());
        self.role = Role::Candidate { votes: BTreeMap::new() };
        self.wait(turn);
        self.acts.push(Act::Campaign);
        self.persist(turn);
    }

    pub(super) fn campaign(&mut self, turn: &mut Turn<'_>) {
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
    pub(super) fn count(&mut self, vote: Signed<Vote>, turn: &mut Turn<'_>) {
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

    pub(super) fn led_by(&mut self, from: NodeId, term: Term, turn: &mut Turn<'_>) {
        let ours = self.certificate.as_ref().map(|c| (c.leader, c.term));
        if ours == Some((from, term)) {
            self.led = turn.now;
            self.wait(turn);
            if self.persisting.is_none() {
                turn.send(from, Message::Council(self.following()));
            }
        } else if term < self.ballot.term && self.persisting.is_none() {
            // Who leads is told of a later leader if we know one, and of our term in any case.
            let later = self.certificate.clone().filter(|certificate| certificate.term > term);
            let news = match later {
                Some(certificate) => CouncilMessage::Certified(Box::new(certificate)),
                None => self.following(),
            };
            turn.send(from, Message::Council(news));
        }
    }

    /// That we follow, or cannot any more: our term may be later than the leader's, if we voted for
    /// somebody who did not win.
    pub(super) fn following(&self) -> CouncilMessage {
        let (_, set) = self.pulse();
        CouncilMessage::Following { term: self.ballot.term, set }
    }
}
