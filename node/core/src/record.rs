//! A log of what a node's core was handed, from which another core does the same again.
//!
//! A log is [`OPENING`] and frames. The first frame is the [`Head`]; then, for every input, a frame
//! that was written before the core saw it and one that was written after; an [`End`] if there was
//! time for one. A frame is the length of its content (four bytes, little-endian), the first four
//! bytes of the content's blake3 hash, and the content: a byte that says what it is, and the value
//! as the codec encodes it.
//!
//! Activations are written as their length. The node's private key is in no frame: what it signed
//! is, signature by signature. Prompts are, token by token. A router of one's own is code, and in no
//! frame: whoever plays the log again must bring it, or the first session that it sends elsewhere
//! differs.

mod frame;

use bincode::{Decode, Encode};
use swarm_proto::{Ballot, Hash, NodeId, Signature, codec};

use crate::{Config, Effect};
pub use frame::{Claim, FRAME_BYTES_MAX, Fault, Frame, Frames, TooLong};

/// The form of logs: whatever changes how a [`Config`], an [`crate::Input`] or an [`Effect`] is encoded
/// raises it.
pub const VERSION: u8 = 2;

/// How a log begins: a name, the form of logs, and the protocol whose messages it holds.
pub const OPENING: [u8; 14] = {
    let mut opening = *b"hexswarm log\0\0";
    opening[12] = VERSION;
    opening[13] = codec::VERSION;
    opening
};

/// All that a core is made of, but for its key.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Head {
    /// Who it is.
    pub node: NodeId,
    /// What it was told.
    pub config: Config,
    /// The seed of its dice.
    pub seed: u64,
    /// How it had voted before.
    pub ballot: Ballot,
}

/// What an input led to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Outcome {
    /// The effects.
    pub effects: Digest,
    /// What the node signed on the way, in order.
    pub signatures: Vec<Signature>,
}

/// Tells effects apart: eight bytes of the hash of their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Digest(pub [u8; 8]);

impl Outcome {
    /// These effects, and what was signed for them.
    pub fn of(effects: &[Effect], signatures: Vec<Signature>) -> Self {
        Self { effects: Digest::of(effects), signatures }
    }
}

impl Digest {
    /// Of these effects, in this order.
    pub fn of(effects: &[Effect]) -> Self {
        let Hash([a, b, c, d, e, f, g, h, ..]) = Hash::of(&codec::encode(&effects));
        Self([a, b, c, d, e, f, g, h])
    }
}

/// Why a log goes no further.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct End {
    /// The reason.
    pub why: Why,
    /// Inputs that the node was handed after the last one of the log.
    pub inputs_missed: u64,
}

/// Why a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Why {
    /// The node stopped.
    #[error("the node stopped")]
    Stopped,
    /// The log is as long as it may be.
    #[error("the log was as long as --record-max allows")]
    Long,
    /// The disk was too slow for all that happened.
    #[error("the disk was slower than what there was to record")]
    Slow,
    /// The disk took no more.
    #[error("the disk took no more")]
    Disk,
    /// An input that no frame can hold.
    #[error("there was an input too long to record")]
    Input,
    /// The node panicked, or was let go of, while it handled the last input.
    #[error("the node broke off while it handled the last input")]
    Unhandled,
}
