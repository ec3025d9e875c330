//! How far a peer is, in a few bytes: whoever is further sends it what it lacks.

use bincode::{Decode, Encode};

use crate::{PlanId, Term};

/// Hops to a voter if none is known of.
pub const HOPS_UNKNOWN: u8 = u8::MAX;

/// What a peer knows and holds, told with every beat. Nothing that is decided travels by being
/// sent once: a message that was lost is made good because the next beats show the lack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Pulse {
    /// The term of the leader it follows; 0 if it knows none.
    pub term: Term,
    /// The number of the voter set it knows to be decided; 0 if it knows none.
    pub set: u64,
    /// The plan that it knows to serve.
    pub live: PlanId,
    /// The term of the leader whose word it has for that; 0 if there is none.
    pub endorsed: Term,
    /// The latest proposal that it has taken up.
    pub proposed: PlanId,
    /// The plan whose share its devices hold.
    pub holds: PlanId,
    /// Sessions that hold KV cache here.
    pub sessions: u32,
    /// How large the swarm is.
    pub census: Census,
    /// Neighbours between it and a voter, itself counted: 0 for a voter, [`HOPS_UNKNOWN`] if it
    /// knows of none.
    pub hops: u8,
    /// What it wants whom it says this to to be.
    pub bond: Bond,
    /// Whether its beats to whom it says this come as often as beats can.
    pub fast: bool,
}

/// How many peers there are, as the leader counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Census {
    /// Which count of the leader's term; 0 if there was none in it. A later one replaces it.
    pub number: u32,
    /// Peers, the leader among them; 0 if nobody counted yet.
    pub peers: u32,
}

/// What one neighbour wants another to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Bond {
    /// Nothing: if neither wants more, their connection is closed.
    #[default]
    Loose,
    /// A neighbour.
    Near,
    /// One whose silence is noticed within a second.
    Close,
}
