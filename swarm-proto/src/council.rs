//! Who leads: one leader a term, by majority of a named, numbered set of voters.

use bincode::{Decode, Encode};

use crate::{
    Hash, NodeId, Signature, Signed, Term, checked::decode_checked, codec, sign::Statement,
};

/// Changes of the set that a ballot remembers: so many fit a message beside the rest.
pub const CHANGES_MAX: usize = 32;
/// Voters in a set at most.
pub const VOTERS_MAX: usize = 7;

/// The peers whose majority elects. Sets are numbered; each differs from the one before by one
/// voter.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct VoterSet {
    /// Its number, from 1.
    pub number: u64,
    /// Its voters, in the order of their ids, none twice.
    pub voters: Vec<NodeId>,
}

/// What a voter must not forget: written down before anything that follows from it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode)]
pub struct Ballot {
    /// The latest term heard of.
    pub term: Term,
    /// Whom this voter voted for in it.
    pub voted: Option<NodeId>,
    /// The latest set of voters it accepted, decided by a majority or not yet.
    pub set: Option<VoterSet>,
    /// The term in which it accepted that set.
    pub set_term: Term,
    /// The latest set that a certificate proved. A set that was accepted may come to nothing; what
    /// comes next is judged by this one.
    pub proven: Option<VoterSet>,
    /// The swarm it belongs to.
    pub origin: Option<NodeId>,
    /// Certificates of the last changes of the set, oldest first, at most [`CHANGES_MAX`]: with them
    /// a peer that was away can check who votes now, though everyone else was restarted.
    pub changes: Vec<Certificate>,
}

/// A vote: its author wants `leader` to lead `term` with this set of voters.
///
/// One statement serves elections (the set is the author's own) and changes of the set (it is the
/// next one): both say who leads whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Vote {
    /// The swarm: the node that founded it.
    pub origin: NodeId,
    /// The term.
    pub term: Term,
    /// Who is to lead it.
    pub leader: NodeId,
    /// The hash of the set of voters.
    pub set: Hash,
}

/// Proof that a leader leads a set of voters. Whoever holds it can convince others.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Certificate {
    /// The swarm: the node that founded it.
    pub origin: NodeId,
    /// The term.
    pub term: Term,
    /// Its leader.
    pub leader: NodeId,
    /// Who can vote from now on.
    pub set: VoterSet,
    /// The set before, if this certifies a change: then its majority voted.
    pub previous: Option<VoterSet>,
    /// Who voted, with the signature of each [`Vote`].
    pub votes: Vec<(NodeId, Signature)>,
}

/// Between voters, and from leaders to everyone.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum CouncilMessage {
    /// A candidate asks for a vote.
    Ask {
        /// The term it wants to lead.
        term: Term,
        /// When it accepted its set: votes go to the better informed.
        set_term: Term,
        /// The set that it wants to lead.
        set: VoterSet,
        /// Whether it only asks if it could win, so that one who returns deposes nobody.
        pre: bool,
    },
    /// Yes, it could win.
    Could {
        /// The term asked about.
        term: Term,
    },
    /// A vote, for an election or for a change of the set.
    Voted(Box<Signed<Vote>>),
    /// Who leads, with proof.
    Certified(Box<Certificate>),
    /// The leader is alive. To voters, several times a second.
    Lead {
        /// Its term.
        term: Term,
    },
    /// A voter follows: the leader's certificate is on its disk.
    Following {
        /// The voter's term: the leader's, or a later one in which it voted for nobody who won.
        term: Term,
        /// The number of the set of voters that it knows.
        set: u64,
    },
    /// The leader proposes the next set of voters; said again until it is decided.
    Change {
        /// Its term.
        term: Term,
        /// The next set.
        set: VoterSet,
    },
}

impl Ballot {
    /// What a node keeps that was away so long that nobody can prove to it who votes now: how it
    /// voted, so that it never votes twice in a term. It believes the next swarm that it is sent to.
    #[must_use]
    pub fn without_set(self) -> Self {
        Self { term: self.term, voted: self.voted, ..Self::default() }
    }
}

impl Statement for Vote {
    const KIND: &'static str = "hexswarm vote";
}

impl Ballot {
    /// Refuses more changes than are remembered. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.changes.len() <= CHANGES_MAX { Ok(()) } else { Err("more than 32 changes") }
    }
}

impl VoterSet {
    /// A founder's first set: itself.
    pub fn founded_by(founder: NodeId) -> Self {
        Self { number: 1, voters: vec![founder] }
    }

    /// How many votes make a majority.
    pub fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether `node` votes.
    pub fn has(&self, node: NodeId) -> bool {
        self.voters.binary_search(&node).is_ok()
    }

    /// What votes name it by.
    pub fn hash(&self) -> Hash {
        Hash::of(&codec::encode(self))
    }

    /// Refuses what cannot be a set. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.is_sound() { Ok(()) } else { Err("an impossible set of voters") }
    }

    /// Whether it could be a set at all: neither empty nor too large, in order, none twice.
    pub fn is_sound(&self) -> bool {
        self.number > 0
            && (1..=VOTERS_MAX).contains(&self.voters.len())
            && self.voters.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Whether it may come after `before`: the next number, and one voter more or less. Then the
    /// majorities of both have a voter in common.
    pub fn follows(&self, before: &Self) -> bool {
        let fewer = before.voters.iter().filter(|voter| !self.has(**voter)).count();
        let more = self.voters.iter().filter(|voter| !before.has(**voter)).count();
        self.is_sound() && before.number.checked_add(1) == Some(self.number) && fewer + more == 1
    }

    /// The next set, with `node` in it.
    pub fn with(&self, node: NodeId) -> Self {
        let mut voters = self.voters.clone();
        voters.push(node);
        voters.sort_unstable();
        Self { number: self.number.saturating_add(1), voters }
    }

    /// The next set, with `node` out of it.
    pub fn without(&self, node: NodeId) -> Self {
        let voters = self.voters.iter().copied().filter(|voter| *voter != node).collect();
        Self { number: self.number.saturating_add(1), voters }
    }
}

impl Certificate {
    /// Refuses more votes than any set has voters, before a signature is looked at. Decoding does too.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.votes.len() <= VOTERS_MAX { Ok(()) } else { Err("more votes than voters") }
    }

    /// The statement that its voters signed.
    pub fn vote(&self) -> Vote {
        Vote { origin: self.origin, term: self.term, leader: self.leader, set: self.set.hash() }
    }

    /// The set whose majority had to vote.
    pub fn electorate(&self) -> &VoterSet {
        self.previous.as_ref().unwrap_or(&self.set)
    }
}

decode_checked!(Ballot { term, voted, set, set_term, proven, origin, changes });
decode_checked!(VoterSet { number, voters });
decode_checked!(Certificate { origin, term, leader, set, previous, votes });
