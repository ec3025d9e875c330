//! Who leads: one leader a term, by majority of a named, numbered set of voters.

use bincode::{Decode, Encode};

use crate::{NodeId, Signature, Term, sign::Statement};

/// Voters in a set at most.
pub const VOTERS_MAX: usize = 7;

/// The peers whose majority elects. Sets are numbered; each differs from the one before by one
/// voter.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VoterSet {
    /// Its number, from 1.
    pub number: u64,
    /// Its voters, in the order of their ids, none twice.
    pub voters: Vec<NodeId>,
}

/// What a voter must not forget: written down before a vote is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Ballot {
    /// The latest term heard of.
    pub term: Term,
    /// Whom this voter voted for in it.
    pub voted: Option<NodeId>,
    /// The latest set of voters it accepted.
    pub set: Option<VoterSet>,
}

/// A vote: `by` (of [`crate::Signed`]) wants `candidate` to lead `term`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Vote {
    /// The term.
    pub term: Term,
    /// Who is to lead it.
    pub candidate: NodeId,
    /// The number of the set of voters that both know.
    pub set: u64,
}

/// Proof that a leader was elected: the votes of a majority. Whoever holds it can convince others.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Certificate {
    /// The term.
    pub term: Term,
    /// Its leader.
    pub leader: NodeId,
    /// Who could vote.
    pub set: VoterSet,
    /// Who did, with the signature of each [`Vote`].
    pub votes: Vec<(NodeId, Signature)>,
}

impl Statement for Vote {
    const KIND: &'static str = "hexswarm vote";
}

impl VoterSet {
    /// How many votes make a majority.
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether it could be a set at all: neither empty nor too large, in order, none twice.
    pub fn is_sound(&self) -> bool {
        (1..=VOTERS_MAX).contains(&self.voters.len())
            && self.voters.windows(2).all(|pair| pair[0] < pair[1])
    }
}
