//! What happened.

use bincode::{Decode, Encode};
use swarm_proto::{
    Advert, Ballot, Device, FrameHeader, LinkReport, Message, NodeId, Plan, Sampled, Sampling,
    Signed,
};

use crate::Body;

/// Something a node hears of. Whatever a peer had a hand in is a claim until core has checked it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Input {
    /// The deadline has come.
    Tick,
    /// A connection to a peer that speaks our protocol stands.
    PeerUp(NodeId),
    /// The last connection to a peer is gone.
    PeerDown(NodeId),
    /// A control message came.
    Received {
        /// From whom; the network vouches for it.
        from: NodeId,
        /// What.
        message: Message,
    },
    /// An advert came by gossip.
    Heard(Box<Signed<Advert>>),
    /// Something for this peer could not be delivered.
    Undeliverable(NodeId),
    /// A frame came on the data plane.
    Arrived {
        /// From whom.
        from: NodeId,
        /// What it is.
        header: FrameHeader,
        /// The activations, unread.
        body: Body,
    },
    /// Our own devices were measured.
    Measured(Vec<Device>),
    /// A link of ours was measured.
    LinkMeasured(LinkReport),
    /// This ballot is on disk.
    Persisted(Box<Ballot>),
    /// The answer to [`crate::Effect::Plan`].
    Planned {
        /// Which question.
        request: u64,
        /// A plan without a number yet, or why there is none.
        outcome: Result<Plan, String>,
    },
    /// The answer to [`crate::Effect::Load`].
    Loaded {
        /// Which load.
        load: u64,
        /// Which device.
        device: u8,
        /// Whether it holds its shard now, or why not.
        outcome: Result<(), String>,
    },
    /// The answer to [`crate::Effect::Compute`].
    Computed {
        /// Which device.
        device: u8,
        /// Which job.
        job: u64,
        /// What came of it.
        outcome: Result<Computed, ComputeFault>,
    },
    /// Somebody tried an address of ours from outside.
    Reachability {
        /// Which.
        address: String,
        /// Whether it could be reached.
        reachable: bool,
    },
    /// A client of this node wants an answer.
    Asked {
        /// What to call it.
        request: RequestId,
        /// What it wants.
        ask: Ask,
    },
    /// A client has gone away, or has enough.
    Cancelled(RequestId),
    /// This node is to leave: finish what runs, take nothing new.
    Drain,
}

/// A client's request at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId(pub u64);

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Ask {
    /// The prompt.
    pub tokens: Vec<u32>,
    /// Tokens the answer may have.
    pub answer_tokens_max: u32,
    /// How to choose them.
    pub sampling: Sampling,
    /// Tokens that end the answer.
    pub end_tokens: Vec<u32>,
}

/// What a device computed.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Computed {
    /// Activations of every row, for the next stage.
    Activations(Body),
    /// An entry for each item of the batch: its next token, if one was asked for.
    Samples(Vec<Option<Sampled>>),
    /// Nothing to hand on: this member does not lead its stage.
    Nothing,
}

/// Why a device computed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ComputeFault {
    /// Another member of the stage did not do its part.
    Group,
    /// Something that is no number came out.
    Numbers,
    /// The device failed.
    Device,
}
