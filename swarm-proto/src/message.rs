//! Everything one peer can say to another.

use bincode::{Decode, Encode};

use crate::{
    BatchId, Climb, CouncilMessage, Hello, Meet, Pulse, RoundMessage, RowsHeader, SessionMessage,
    SumsHeader, codec,
};

/// A control message. A variant's position is its tag on the wire: append, never reorder.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Message {
    /// I am here, and this far: sent to neighbours several times a second.
    Beat(Pulse),
    /// About a generation.
    Session(SessionMessage),
    /// We have just met.
    Hello(Hello),
    /// Who leads.
    Council(CouncilMessage),
    /// How a plan comes into force.
    Round(RoundMessage),
    /// For the voters of a large swarm: pass it on.
    Climb(Climb),
    /// Peers that a newcomer to a large swarm could know.
    Meet(Meet),
}

/// The header of a frame on the data plane; raw bytes follow it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum FrameHeader {
    /// Activations: `rows x hidden` f32 values, little-endian.
    Rows(RowsHeader),
    /// A session message that must stay in order with activations; no bytes follow.
    Session(SessionMessage),
    /// One member's partial sums of a tensor-parallel stage: `rows x hidden` i64 values,
    /// little-endian.
    Sums(SumsHeader),
    /// A member to its stage's leader: it has not taken up this batch, for it does not hold the plan.
    Dropped(BatchId),
}

impl Message {
    /// As it travels.
    pub fn seal(&self) -> Result<Vec<u8>, codec::TooLong> {
        codec::seal(self)
    }

    /// From outside.
    pub fn open(bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        codec::open(bytes)
    }
}

impl FrameHeader {
    /// As it travels.
    pub fn seal(&self) -> Result<Vec<u8>, codec::TooLong> {
        codec::seal(self)
    }

    /// From outside.
    pub fn open(bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        codec::open(bytes)
    }
}
