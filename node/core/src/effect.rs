//! What to do.

use bincode::Encode;
use swarm_proto::{
    Advert, Ballot, Batch, ColumnRange, FrameHeader, HeadRange, LayerRange, Message, NodeId,
    PlanId, Pool, Sampled, Signed,
};

use crate::{Body, RequestId};

/// Something a node wants done. A driver does it and decides nothing.
#[derive(Clone, Debug, PartialEq, Encode)]
pub enum Effect {
    /// Send a control message.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Gossip our advert to everyone, in a swarm where everyone knows everyone.
    Publish(Box<Signed<Advert>>),
    /// Be connected with these peers and stay so, as far as they can be reached.
    Wish {
        /// With whom.
        peers: Vec<NodeId>,
        /// Whether to call whoever else is found, so that everyone is connected with everyone: so it
        /// is until a node wishes otherwise.
        others: bool,
    },
    /// Close all connections with a peer: neither end wants them.
    Part(NodeId),
    /// Send a frame on the data plane.
    Forward {
        /// To whom.
        to: NodeId,
        /// What it is.
        header: FrameHeader,
        /// The activations.
        body: Body,
    },
    /// Write this ballot to disk, then say [`crate::Input::Persisted`].
    Persist(Box<Ballot>),
    /// Plan this pool, then say [`crate::Input::Planned`].
    Plan {
        /// To be repeated in the answer.
        request: u64,
        /// What there is to plan with.
        pool: Box<Pool>,
    },
    /// Hold this share of the model on a device, instead of what it holds now, then say
    /// [`crate::Input::Loaded`]. A load that has not begun when the next one comes may be left out.
    Load {
        /// To be repeated in the answer. One plan can be loaded twice.
        load: u64,
        /// Under which plan.
        plan: PlanId,
        /// Which device.
        device: u8,
        /// What it is to hold.
        shard: Shard,
    },
    /// Let go of what a device holds.
    Unload {
        /// Which device.
        device: u8,
    },
    /// Compute a batch, then say [`crate::Input::Computed`]. At most one job a device at a time.
    Compute {
        /// Which device.
        device: u8,
        /// To be repeated in the answer.
        job: u64,
        /// The rows.
        batch: Batch,
        /// Activations of the rows; `None` at the first stage, which embeds tokens.
        input: Option<Body>,
        /// Which sums of which members belong together; `None` for a stage of one member.
        group: Option<GroupKey>,
    },
    /// Tell a client something.
    Answer {
        /// Whose request.
        request: RequestId,
        /// What.
        event: Answer,
    },
    /// A peer does not compute a batch that we compute now: whoever waits for its sums waits in vain.
    Absent(NodeId),
    /// Something a person who runs this node should read.
    Notice(Notice),
}

/// A device's share of the model.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Shard {
    /// Which pipeline of the plan.
    pub pipeline: u16,
    /// Which stage of that pipeline.
    pub stage: u16,
    /// Its layers.
    pub layers: LayerRange,
    /// Its KV-head groups of each.
    pub kv_heads: HeadRange,
    /// Its FFN columns of each.
    pub ffn_columns: ColumnRange,
    /// Whether its stage is the first, which embeds tokens.
    pub embeds: bool,
    /// Whether it leads the last stage, which holds the output head and samples.
    pub samples: bool,
    /// Whether it leads its stage, whose activations are handed on.
    pub leads: bool,
    /// KV blocks to make room for.
    pub kv_blocks: u32,
    /// Everyone who computes this stage, in the plan's order.
    pub members: Vec<(NodeId, u8)>,
}

impl Shard {
    /// Whether a device that holds `other` holds this too: the same weights and as much KV cache,
    /// whatever the plan calls their pipeline and whoever computes beside it.
    pub fn same_weights(&self, other: &Self) -> bool {
        let Self { pipeline, stage, members, .. } = other;
        *other
            == Self { pipeline: *pipeline, stage: *stage, members: members.clone(), ..self.clone() }
    }
}

/// Names one batch of one stage, the same for all its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct GroupKey {
    /// Under which plan.
    pub plan: PlanId,
    /// Which pipeline.
    pub pipeline: u16,
    /// Which stage.
    pub stage: u16,
    /// Which batch of that stage.
    pub batch: u64,
}

/// News of a request, in this order: `Started`, `Token`s, then `Finished` or `Failed`.
#[derive(Clone, Debug, PartialEq, Encode)]
pub enum Answer {
    /// It runs; this many tokens of the prompt were in the KV cache already.
    Started {
        /// Tokens that need not be computed.
        cached_tokens: u32,
    },
    /// The next token.
    Token(Sampled),
    /// That was all.
    Finished(swarm_proto::Finish),
    /// It cannot be answered.
    Failed(Refusal),
}

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, thiserror::Error)]
pub enum Refusal {
    /// Nothing serves the model, and nothing did for as long as a client should wait.
    #[error("no plan is live: {0}")]
    NoPlan(String),
    /// Prompt and answer do not fit the model's context.
    #[error(
        "{tokens} tokens, of prompt and answer together, and at most {tokens_max} fit into the \
         model's context"
    )]
    TooLong {
        /// What was asked for.
        tokens: u32,
        /// What fits.
        tokens_max: u32,
    },
    /// The prompt, with what of the answer there was already, does not fit a stage's KV cache.
    #[error("the prompt has {tokens} tokens, and a stage's KV cache has room for {tokens_max}")]
    NoRoom {
        /// What was to be computed anew.
        tokens: u32,
        /// What fits that stage.
        tokens_max: u32,
    },
    /// As many requests run or wait as this node takes.
    #[error("this node is busy: try again, or ask another")]
    Busy,
    /// The node is leaving.
    #[error("this node is leaving the swarm: ask another")]
    Draining,
    /// The request itself cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Tried as often as makes sense.
    #[error("the swarm could not finish the answer: {0}")]
    Failed(String),
}

/// News for whoever runs the node.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Notice {
    /// Someone leads now.
    Leader {
        /// Who.
        leader: NodeId,
        /// Since which term.
        term: swarm_proto::Term,
    },
    /// A plan is live.
    Live(PlanId),
    /// There is no plan, and why.
    Infeasible(String),
    /// A peer is thought dead.
    Lost(NodeId),
    /// We leave without those who stay being known to have votes enough to elect a leader.
    LeftInDebt,
    /// A peer claimed what it had no right to.
    Refused {
        /// Who.
        peer: NodeId,
        /// What it did.
        reason: String,
    },
    /// Another swarm of the same name is near; the two stay apart until a person says otherwise.
    OtherSwarm(NodeId),
    /// We were away while the set of voters changed, and nobody here can prove how: we cannot know
    /// whom to believe. A person must have this node forget its set and join anew.
    Stranded {
        /// The number of the set that we know.
        ours: u64,
        /// The number that others know.
        theirs: u64,
    },
}
