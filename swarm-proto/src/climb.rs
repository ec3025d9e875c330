//! What finds its way to the voters of a large swarm, from neighbour to neighbour.

use bincode::{Decode, Encode};

use crate::{Advert, NodeId, Signed, checked::decode_checked, sign::Statement};

/// Neighbours that one word may pass on its way to a voter.
pub const HOPS_MAX: u8 = 16;
/// Peers that are told of at a time.
pub const MEET_MAX: usize = 16;

/// A word for the voters: who is no voter passes it to a neighbour that is nearer to one.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Climb {
    /// Neighbours that it may still pass; 0 from one voter to another.
    pub hops_left: u8,
    /// The word.
    pub word: Word,
}

/// What only voters need to know of everyone.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Word {
    /// What a peer says of itself.
    Advert(Box<Signed<Advert>>),
    /// What a peer says of another: that it has gone.
    Gone(Box<Signed<Gone>>),
}

/// A peer has gone: its author watched it closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Gone {
    /// Who has gone.
    pub peer: NodeId,
    /// Rises with each that its author says, over restarts too: none is heard twice.
    pub number: u64,
}

/// Peers that the sender is connected with, for one that needs neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Meet {
    /// At most [`MEET_MAX`].
    pub peers: Vec<NodeId>,
}

impl Statement for Gone {
    const KIND: &'static str = "hexswarm gone";
}

impl Meet {
    /// Refuses more peers than anyone tells of. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.peers.len() <= MEET_MAX { Ok(()) } else { Err("more than 16 peers to meet") }
    }
}

decode_checked!(Meet { peers });
