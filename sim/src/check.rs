//! What must hold, whatever happens: a property a file.

mod answers;
mod converge;
mod device;
mod flood;
mod kv;
mod layers;
mod leader;
mod leftover;
mod notice;
mod plan;
mod vote;

use swarm_core::{Effect, Notice};
use swarm_proto::{Ballot, NodeId, Plan, PlanId, Term, Time};

pub(crate) use device::{fits, known_blocks, one_piece};
pub(crate) use kv::meant_blocks;
pub(crate) use notice::NOTICE_MAX;

/// A property that did not hold. Nodes are named by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two leaders in a term.
    #[error("two leaders in term {}: {one:?} and {other:?}", term.0)]
    TwoLeaders {
        /// The term.
        term: Term,
        /// One.
        one: NodeId,
        /// The other.
        other: NodeId,
    },
    /// A node voted twice in a term.
    #[error("{node:?} voted twice in term {}", term.0)]
    VotedTwice {
        /// Who.
        node: NodeId,
        /// When.
        term: Term,
    },
    /// A node said something that it could forget.
    #[error("{node:?} sent a vote for term {} that was not on its disk", term.0)]
    VotedUnwritten {
        /// Who.
        node: NodeId,
        /// When.
        term: Term,
    },
    /// A deposed leader's plan went live, or one that is older than the one before.
    #[error("plan {plan} went live at {node:?}, which knew of term {} and plan {known}", term.0)]
    OldPlan {
        /// Where.
        node: NodeId,
        /// Which.
        plan: PlanId,
        /// The latest term whose leader the node had heard of.
        term: Term,
        /// The latest plan that was live there.
        known: PlanId,
    },
    /// An answer is not what one device alone would say.
    #[error("token {step} of an answer is {found}, one device alone says {expected:?}")]
    WrongToken {
        /// Its place.
        step: usize,
        /// What came.
        found: u32,
        /// What should have come; nothing if the answer is longer than it should be.
        expected: Option<u32>,
    },
    /// A client heard things that do not belong together.
    #[error("the client of request {request} heard {what}")]
    OutOfOrder {
        /// Whose.
        request: u64,
        /// What it heard.
        what: &'static str,
    },
    /// An answer that is not whole, or that never ended.
    #[error("request {request} got {tokens} of {wanted} tokens: {reason}")]
    Unanswered {
        /// Which.
        request: u64,
        /// Tokens that came.
        tokens: usize,
        /// Tokens that were due.
        wanted: usize,
        /// What the client was told, if anything.
        reason: String,
    },
    /// Something was left over.
    #[error("node {node} still holds {what} after all answers ended")]
    Leftover {
        /// Who.
        node: usize,
        /// What.
        what: String,
    },
    /// A device was to hold more than it has memory for.
    #[error("device {device} of node {node} has {memory_bytes} bytes and was to hold {bytes}")]
    Memory {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// What it was to hold.
        bytes: u64,
        /// What it has.
        memory_bytes: u64,
    },
    /// A batch names a KV block that the device does not have.
    #[error("device {device} of node {node} was to use KV block {block} of {blocks}")]
    NoSuchBlock {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// The block.
        block: u32,
        /// Blocks that it has.
        blocks: u32,
    },
    /// A KV block that holds something else than the session's tokens so far.
    #[error("device {device} of node {node} was to go on after {position} tokens that nobody said")]
    WrongKv {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// After how many tokens.
        position: u32,
    },
    /// A layer of the live plan that its members do not hold whole.
    #[error("layer {layer} of pipeline {pipeline} of plan {plan} is not held whole")]
    Unheld {
        /// Which plan.
        plan: PlanId,
        /// Which of its pipelines.
        pipeline: usize,
        /// Which layer.
        layer: u32,
    },
    /// No plan is live, and whoever leads cannot say why.
    #[error("no plan is live, and node {node}, which leads, does not know what is lacking")]
    LackUnknown {
        /// Who.
        node: usize,
    },
    /// A device was given a batch while it had one.
    #[error("device {device} of node {node} was given a second batch")]
    TwoBatches {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
    },
    /// A batch has two pieces of one session.
    #[error("device {device} of node {node} was given two pieces of a session in one batch")]
    TwoPieces {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
    },
    /// A queue grew beyond its bound.
    #[error("{from:?} sent {to:?} {messages} messages within a second")]
    Flood {
        /// Who.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// How many.
        messages: usize,
    },
    /// A dead peer that another still counts on.
    #[error("node {node} died {after_ms} ms ago, and node {by} has not noticed")]
    Unnoticed {
        /// Who died.
        node: usize,
        /// Who counts on it.
        by: usize,
        /// Since when.
        after_ms: u64,
    },
    /// No plan came into force.
    #[error("no plan is live")]
    NoPlan,
    /// Faults have stopped, and the swarm is not one again.
    #[error("the swarm does not come to rest: {why}")]
    Apart {
        /// In what way.
        why: String,
    },
}

/// Looks on, step by step.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    leaders: leader::Leaders,
    votes: vote::Votes,
    plans: plan::Plans,
    flood: flood::Flood,
}

impl Watch {
    /// A node wants something done, with this ballot on its disk, while so many requests are open.
    pub(crate) fn effect(
        &mut self,
        now: Time,
        node: NodeId,
        (disk, open): (&Ballot, usize),
        effect: &Effect,
    ) -> Result<(), Broken> {
        match effect {
            Effect::Notice(Notice::Leader { leader, term }) => {
                self.plans.led(node, *term, *leader);
                self.leaders.led(*term, *leader)
            }
            Effect::Send { to, message } => {
                self.votes.sent(node, disk, message)?;
                self.flood.sent(now, node, *to, message)
            }
            Effect::Forward { to, .. } => self.flood.framed(now, node, *to, open),
            _ => Ok(()),
        }
    }

    /// A plan is live at a node that was not, or not by that leader.
    pub(crate) fn live(&mut self, node: NodeId, plan: &Plan) -> Result<(), Broken> {
        self.plans.live(node, plan)
    }

    /// A node starts with nothing but its disk.
    pub(crate) fn started(&mut self, node: NodeId, disk: &Ballot) {
        self.plans.started(node, disk.term);
    }
}
