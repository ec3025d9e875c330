//! How a plan comes into force.

use bincode::{Decode, Encode, de::Decoder, error::DecodeError};

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
        /// Why not.
        reason: Reason,
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

/// Bytes of a [`Reason`] at most.
pub const REASON_BYTES_MAX: usize = 512;

/// Why something cannot be, in few words: at most [`REASON_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Reason(String);

impl Reason {
    /// `words`, or as many of them as there is room for.
    pub fn new(words: &str) -> Self {
        Self(words[..words.floor_char_boundary(REASON_BYTES_MAX)].to_owned())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<Context> Decode<Context> for Reason {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let words = String::decode(decoder)?;
        if words.len() > REASON_BYTES_MAX {
            return Err(DecodeError::Other("a reason of more than 512 bytes"));
        }
        Ok(Self(words))
    }
}

bincode::impl_borrow_decode!(Reason);

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
