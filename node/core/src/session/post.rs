//! The way between entries and stages: over the network, or, on one node, straight across.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use swarm_proto::{FrameHeader, Hash, NodeId, Pipeline, Plan, SessionMessage, codec};

use crate::{Body, Effect, turn::Turn};

/// What goes from one part of this node to another.
#[derive(Debug, Default)]
pub(crate) struct Post {
    pub(super) local: VecDeque<(FrameHeader, Bytes)>,
}

impl Post {
    /// Sends a frame to a node, which may be this one.
    pub(super) fn frame(
        &mut self,
        to: NodeId,
        header: FrameHeader,
        body: Bytes,
        turn: &mut Turn<'_>,
    ) {
        if to == turn.me() {
            self.local.push_back((header, body));
        } else {
            turn.emit(Effect::Forward { to, header, body: Body(body) });
        }
    }

    /// Sends a session message. It goes the way of activations, so that it keeps its order with
    /// them.
    pub(super) fn say(&mut self, to: NodeId, message: SessionMessage, turn: &mut Turn<'_>) {
        self.frame(to, FrameHeader::Session(message), Bytes::new(), turn);
    }
}

/// One pipeline of a plan.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) plan: Arc<Plan>,
    pub(super) pipeline: u16,
}

impl Route {
    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.plan.pipelines[usize::from(self.pipeline)]
    }

    /// Every node that computes some of it, each once.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        let stages = self.pipeline().stages.iter();
        let mut nodes: Vec<_> = stages.flat_map(|s| &s.members).map(|m| m.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    pub(super) fn first_leader(&self) -> NodeId {
        self.pipeline().stages[0].leader().node
    }

    pub(super) fn last_leader(&self) -> NodeId {
        self.pipeline().stages[self.pipeline().stages.len() - 1].leader().node
    }
}

/// The name of a full KV block: all tokens up to its end, through the name of the block before.
pub(super) fn block_name(before: Option<Hash>, tokens: &[u32]) -> Hash {
    Hash::of(&codec::encode(&(before, tokens)))
}

/// The names of a prompt's full blocks.
pub(super) fn block_names(tokens: &[u32]) -> Vec<Hash> {
    let mut names: Vec<Hash> = Vec::new();
    for block in tokens.chunks_exact(swarm_proto::BLOCK_TOKENS as usize) {
        names.push(block_name(names.last().copied(), block));
    }
    names
}
