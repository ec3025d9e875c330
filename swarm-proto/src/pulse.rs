//! How far a peer is, in a few bytes: whoever is further sends it what it lacks.

use bincode::{Decode, Encode};

use crate::{PlanId, Term};

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
    /// The latest proposal that it has taken up.
    pub proposed: PlanId,
    /// The plan whose share its devices hold.
    pub holds: PlanId,
    /// Sessions that hold KV cache here.
    pub sessions: u32,
}
