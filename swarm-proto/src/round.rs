//! How a plan comes into force.

use bincode::{Decode, Encode};

use crate::{Certificate, Plan, PlanId, Signed};

/// Between the leader and everyone else.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum RoundMessage {
    /// Leader to members: load what this plan gives you.
    Propose {
        /// The plan, signed by the leader.
        plan: Box<Signed<Plan>>,
        /// Proof that it leads.
        certificate: Box<Certificate>,
    },
    /// Member to leader: loaded.
    Ready {
        /// Which plan.
        plan: PlanId,
    },
    /// Member to leader: not possible.
    Unready {
        /// Which plan.
        plan: PlanId,
        /// Why not, in words; at most [`REASON_BYTES_MAX`].
        reason: String,
    },
    /// To everyone: a canary token went through; this plan serves. A later leader endorses the
    /// plan it finds by signing it again, under its old number.
    Live {
        /// The plan, signed by the leader.
        plan: Box<Signed<Plan>>,
        /// Proof that it leads.
        certificate: Box<Certificate>,
    },
    /// Leader to members: what was proposed came to nothing; go back to the plan that serves.
    Withdrawn {
        /// Which plan.
        plan: PlanId,
    },
}

/// Bytes of a reason at most.
pub const REASON_BYTES_MAX: usize = 512;

/// What peers tell each other when they meet.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Hello {
    /// Who leads, with proof, as far as the sender knows.
    pub certificate: Option<Box<Certificate>>,
    /// The plan that serves.
    pub plan: Option<Box<Signed<Plan>>>,
    /// Who the sender is.
    pub advert: Box<Signed<crate::Advert>>,
}
