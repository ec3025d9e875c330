//! One vote a node and term, over restarts too, and none that is not on disk.

use std::collections::BTreeMap;

use swarm_proto::{
    Ballot, Certificate, CouncilMessage, Hash, Message, NodeId, RoundMessage, Term, Vote,
};

use super::Broken;

#[derive(Debug, Default)]
pub(super) struct Votes {
    cast: BTreeMap<(NodeId, Term), NodeId>,
    /// Numbers of the sets that leaders proposed, by what votes for them say. Whoever voted for
    /// somebody else may yet agree to what the one who won proposes.
    proposed: BTreeMap<(Term, NodeId, Hash), u64>,
}

impl Votes {
    /// A node says something; votes in it count, whoever cast them.
    pub(super) fn sent(
        &mut self,
        from: NodeId,
        disk: &Ballot,
        message: &Message,
    ) -> Result<(), Broken> {
        match message {
            Message::Council(CouncilMessage::Voted(vote)) if vote.by == from => {
                let vote = vote.statement;
                if !self.written(disk, &vote) {
                    return Err(Broken::VotedUnwritten { node: from, term: vote.term });
                }
                self.cast(from, &vote)
            }
            Message::Council(CouncilMessage::Change { term, set }) => {
                self.proposed.insert((*term, from, set.hash()), set.number);
                Ok(())
            }
            Message::Council(CouncilMessage::Certified(certificate)) => self.counted(certificate),
            Message::Round(
                RoundMessage::Propose { certificate, .. } | RoundMessage::Live { certificate, .. },
            ) => self.counted(certificate),
            _ => Ok(()),
        }
    }

    fn counted(&mut self, certificate: &Certificate) -> Result<(), Broken> {
        let vote = certificate.vote();
        certificate.votes.iter().try_for_each(|(voter, _)| self.cast(*voter, &vote))
    }

    fn cast(&mut self, node: NodeId, vote: &Vote) -> Result<(), Broken> {
        let Vote { term, leader, set, .. } = *vote;
        if self.proposed.contains_key(&(term, leader, set)) {
            return Ok(());
        }
        match *self.cast.entry((node, term)).or_insert(leader) {
            first if first == leader => Ok(()),
            _ => Err(Broken::VotedTwice { node, term }),
        }
    }

    /// Whether a restart now would remember the vote: it is on disk, or what came after it.
    fn written(&self, disk: &Ballot, vote: &Vote) -> bool {
        let proposed = self.proposed.get(&(vote.term, vote.leader, vote.set));
        let accepted = disk.set.as_ref().map(|set| set.number);
        let agreed = proposed.is_some_and(|number| accepted >= Some(*number));
        let voted = disk.voted == Some(vote.leader);
        disk.term > vote.term || (disk.term == vote.term && (voted || agreed))
    }
}
