//! The set of voters grows and shrinks, one voter at a time, by majority of the set before.

use swarm_proto::{
    Certificate, CouncilMessage, Message, NodeId, Signature, Term, VOTERS_MAX, Vote, VoterSet,
};

use super::{Act, Council, Reign, Role, believable};
use crate::turn::Turn;

/// Voters that a swarm wants, if it has so many peers: five survive the loss of two.
const VOTERS_WANTED: usize = 5;
const _: () = assert!(VOTERS_WANTED < VOTERS_MAX);

/// Changes that a peer is told of at a time.
const CHANGES_SENT_MAX: usize = 16;

/// A peer that could vote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) node: NodeId,
    /// Whether others can open connections to it: who can be reached is asked first.
    pub(crate) reachable: bool,
    pub(crate) up_ms: u64,
    /// Whether it means to stay. Who leaves still votes, and until then can vote itself out.
    pub(crate) stays: bool,
}

impl Council {
    /// Whether the set could be changed now: we lead, a majority follows us in this term (else two
    /// sets could be decided at once), and no change is under way.
    pub(crate) fn could_tend(&self) -> bool {
        let (Role::Leader(reign), Some(set)) = (&self.role, &self.ballot.set) else { return false };
        let following = reign.following.iter().filter(|voter| set.has(**voter)).count();
        reign.change.is_none() && self.persisting.is_none() && following >= set.majority()
    }

    /// Proposes the next change of the set that makes sense, if there can be one. `alive` are the peers
    /// that speak, ourselves among them.
    pub(crate) fn tend(&mut self, alive: &[Candidate], turn: &mut Turn<'_>) {
        let Some(set) = self.ballot.set.clone().filter(|_| self.could_tend()) else { return };
        let term = self.ballot.term;
        let staying: Vec<_> = alive.iter().filter(|candidate| candidate.stays).copied().collect();
        let Some(next) = next_set(&set, &staying, turn.me()) else { return };
        // Without a majority that is alive the change could not end, and would block the next.
        let here = |voter: &NodeId| {
            *voter == turn.me() || alive.iter().any(|candidate| candidate.node == *voter)
        };
        let reachable = set.voters.iter().filter(|voter| here(voter)).count();
        if reachable < set.majority() {
            return;
        }
        let Some(certificate) = &self.certificate else { return };
        let vote = Vote { set: next.hash(), ..certificate.vote() };
        if let Role::Leader(reign) = &mut self.role {
            reign.change = Some((next.clone(), std::collections::BTreeMap::new()));
        }
        self.propose_change(turn);
        self.ballot.set = Some(next);
        self.ballot.set_term = term;
        self.acts.push(Act::Agree(vote));
        self.persist(turn);
    }

    /// Asks the voters who have not voted yet for their votes for the change under way. Whoever
    /// does not know the set before it votes when it does.
    pub(super) fn propose_change(&self, turn: &mut Turn<'_>) {
        let (Role::Leader(reign), Some(certificate)) = (&self.role, &self.certificate) else {
            return;
        };
        let Some((set, votes)) = &reign.change else { return };
        let waiting = certificate.set.voters.iter().filter(|voter| !votes.contains_key(*voter));
        for voter in waiting.filter(|voter| **voter != turn.me()).copied().collect::<Vec<_>>() {
            let change = CouncilMessage::Change { term: certificate.term, set: set.clone() };
            turn.send(voter, Message::Council(change));
        }
    }

    /// The leader proposes a set.
    pub(super) fn change_proposed(
        &mut self,
        from: NodeId,
        term: Term,
        set: VoterSet,
        turn: &mut Turn<'_>,
    ) {
        let Some(certificate) = &self.certificate else { return };
        let led = certificate.leader == from && certificate.term == term;
        if !led || term != self.ballot.term || !certificate.set.has(turn.me()) {
            return;
        }
        // It follows from the set that is certified, whatever else was proposed and came to nothing.
        if !set.follows(&certificate.set) {
            return;
        }
        let vote = Vote { set: set.hash(), ..certificate.vote() };
        self.ballot.set = Some(set);
        self.ballot.set_term = term;
        let signed = turn.keys.signed(vote);
        self.acts.push(Act::Send(from, CouncilMessage::Voted(Box::new(signed))));
        self.persist(turn);
    }

    /// Counts a vote for the change that we proposed.
    pub(super) fn count_change(
        &mut self,
        by: NodeId,
        vote: Vote,
        signature: Signature,
        turn: &mut Turn<'_>,
    ) {
        let Some(ours) = self.certificate.clone() else { return };
        let Role::Leader(reign) = &mut self.role else { return };
        let Reign { change: Some((next, votes)), .. } = &mut **reign else { return };
        let expected = Vote { set: next.hash(), ..ours.vote() };
        if vote != expected || !ours.set.has(by) {
            return;
        }
        votes.insert(by, signature);
        if votes.len() < ours.set.majority() {
            return;
        }
        let Some((set, votes)) = reign.change.take() else { return };
        let me = turn.me();
        if set.has(me) {
            reign.following.retain(|voter| set.has(*voter));
        } else {
            // They say anew that they follow once they know that we are out; `followed` tells that
            // from what they said before and is still on its way.
            reign.following.clear();
        }
        let certificate = Certificate {
            set,
            previous: Some(ours.set),
            votes: votes.into_iter().collect(),
            ..ours
        };
        debug_assert_eq!(certificate.leader, me, "only a leader counts votes for a change");
        // Whoever votes must know it before the next change; all others see it by our beats.
        self.tell_voters(&CouncilMessage::Certified(Box::new(certificate.clone())), turn);
        self.adopt(certificate, turn);
    }

    /// Whether the others can elect a leader without us, as far as we know: those who vote have said
    /// that they know that we do not.
    pub(crate) fn can_do_without(&self, me: NodeId) -> bool {
        let Some(set) = &self.ballot.proven else { return true };
        let known = match &self.role {
            Role::Leader(reign) => reign.following.len() >= set.majority(),
            _ => true,
        };
        !self.votes_here(me) && known
    }

    /// A voter follows. If it has gone on to a later term meanwhile it cannot take from us what
    /// belongs to ours: then we stand for a term after its own.
    pub(super) fn followed(&mut self, from: NodeId, term: Term, set: u64, turn: &mut Turn<'_>) {
        let (Role::Leader(reign), Some(ours)) = (&mut self.role, &self.certificate) else { return };
        if !ours.set.has(from) {
            return;
        }
        if term == self.ballot.term {
            if set == ours.set.number {
                reign.following.insert(from);
            }
        } else if term > self.ballot.term && believable(&self.ballot, term) {
            self.ballot.term = term;
            self.stand(turn);
        }
    }

    /// Sends what a peer missed: changes from the set that it knows, in order, then who leads. If
    /// they are many the rest follows when its beats show that it has these.
    pub(crate) fn fill_in(&mut self, to: NodeId, set: u64, turn: &mut Turn<'_>) {
        let missed = self.ballot.changes.iter().filter(|change| change.set.number > set);
        let missed = missed.take(CHANGES_SENT_MAX);
        let latest = self.certificate.iter();
        for certificate in missed.chain(latest) {
            let news = CouncilMessage::Certified(Box::new(certificate.clone()));
            turn.send(to, Message::Council(news));
        }
    }
}

/// The set that should come next: first grow to what is wanted with those who have been here
/// longest, then replace the dead, by adding another before the dead one goes. Who leaves counts as
/// dead. A leader that is not among the living leaves: it goes as soon as those who stay can elect another.
fn next_set(set: &VoterSet, alive: &[Candidate], me: NodeId) -> Option<VoterSet> {
    let is_alive = |voter: &NodeId| alive.iter().any(|candidate| candidate.node == *voter);
    let living = set.voters.iter().filter(|voter| is_alive(voter)).count();
    let dead = set.voters.iter().find(|voter| !is_alive(voter) && **voter != me);
    let outside = alive.iter().filter(|candidate| !set.has(candidate.node));
    let newcomer = outside.max_by_key(|c| (c.reachable, c.up_ms, std::cmp::Reverse(c.node)));
    if !is_alive(&me) {
        let rest = set.without(me);
        return match (set.has(me), newcomer, dead) {
            (false, ..) => None,
            (true, ..) if living > 0 && living >= rest.majority() => Some(rest),
            (true, _, Some(dead)) if living > 0 => Some(set.without(*dead)),
            (true, Some(newcomer), _) if set.voters.len() < VOTERS_MAX => {
                Some(set.with(newcomer.node))
            }
            _ => None,
        };
    }
    // An even set is no safer than the odd one below it, so only one that can become odd grows.
    let wanted = VOTERS_WANTED.min(alive.len() - usize::from(alive.len().is_multiple_of(2))).max(1);
    match (newcomer, dead) {
        (Some(newcomer), _) if living < wanted && set.voters.len() < VOTERS_MAX => {
            Some(set.with(newcomer.node))
        }
        (_, Some(dead)) if living >= wanted => Some(set.without(*dead)),
        _ => None,
    }
}
