//! What must hold, whatever happens.

use std::collections::BTreeMap;

use swarm_core::Node;
use swarm_proto::{Ballot, NodeId, Term};

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two leaders in a term.
    #[error("two leaders in term {}: {one:?} and {other:?}", term.0)]
    TwoLeaders {
        /// The term.
        term: Term,
        /// One.
        one: NodeId,
        /// The other.
        other: NodeId,
    },
    /// A node voted twice in a term.
    #[error("{node:?} voted twice in term {}", term.0)]
    VotedTwice {
        /// Who.
        node: NodeId,
        /// When.
        term: Term,
    },
    /// An answer is not what one device alone would say.
    #[error("token {step} of an answer is {found}, one device alone says {expected}")]
    WrongToken {
        /// Its place.
        step: usize,
        /// What came.
        found: u32,
        /// What should have come.
        expected: u32,
    },
    /// An answer that never ended.
    #[error("an answer has {tokens} of {wanted} tokens, and no more come: {reason}")]
    Unanswered {
        /// Tokens that came.
        tokens: usize,
        /// Tokens that were wanted.
        wanted: usize,
        /// What the node said, if anything.
        reason: String,
    },
    /// Something was left over.
    #[error("{node:?} still holds a session after all answers ended")]
    Leftover {
        /// Who.
        node: NodeId,
    },
    /// No plan came into force.
    #[error("no plan is live")]
    NoPlan,
}

/// Looks on, step by step.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    leaders: BTreeMap<Term, NodeId>,
    votes: BTreeMap<(NodeId, Term), NodeId>,
}

impl Watch {
    /// One leader a term.
    pub(crate) fn node(&mut self, node: &Node) -> Result<(), Broken> {
        if node.leader() != Some(node.id()) {
            return Ok(());
        }
        let (term, one) = (node.term(), node.id());
        match *self.leaders.entry(term).or_insert(one) {
            leader if leader == one => Ok(()),
            other => Err(Broken::TwoLeaders { term, one, other }),
        }
    }

    /// One vote a term, over restarts too.
    pub(crate) fn ballot(&mut self, node: NodeId, ballot: &Ballot) -> Result<(), Broken> {
        let Some(voted) = ballot.voted else { return Ok(()) };
        match *self.votes.entry((node, ballot.term)).or_insert(voted) {
            first if first == voted => Ok(()),
            _ => Err(Broken::VotedTwice { node, term: ballot.term }),
        }
    }
}
