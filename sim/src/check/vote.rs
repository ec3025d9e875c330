//! One vote a node and term, over restarts too, and none that is not on disk.

use std::collections::BTreeMap;

use swarm_proto::{Ballot, Certificate, CouncilMessage, Message, NodeId, RoundMessage, Term};

use super::Broken;

#[derive(Debug, Default)]
pub(super) struct Votes(BTreeMap<(NodeId, Term), NodeId>);

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
                written(from, disk, vote.term, vote.leader, vote.set)?;
                self.cast(from, vote.term, vote.leader)
            }
            Message::Council(CouncilMessage::Certified(certificate)) => self.counted(certificate),
            Message::Round(
                RoundMessage::Propose { certificate, .. } | RoundMessage::Live { certificate, .. },
            ) => self.counted(certificate),
            _ => Ok(()),
        }
    }

    fn counted(&mut self, certificate: &Certificate) -> Result<(), Broken> {
        let (term, leader) = (certificate.term, certificate.leader);
        certificate.votes.iter().try_for_each(|(voter, _)| self.cast(*voter, term, leader))
    }

    fn cast(&mut self, node: NodeId, term: Term, leader: NodeId) -> Result<(), Broken> {
        match *self.0.entry((node, term)).or_insert(leader) {
            first if first == leader => Ok(()),
            _ => Err(Broken::VotedTwice { node, term }),
        }
    }
}

/// Whether a restart now would remember the vote: it is on disk, or a later term is.
fn written(
    node: NodeId,
    disk: &Ballot,
    term: Term,
    leader: NodeId,
    set: swarm_proto::Hash,
) -> Result<(), Broken> {
    let accepted = disk.set.as_ref().is_some_and(|on_disk| on_disk.hash() == set);
    let voted = disk.voted == Some(leader);
    if disk.term > term || (disk.term == term && (voted || accepted)) {
        Ok(())
    } else {
        Err(Broken::VotedUnwritten { node, term })
    }
}
