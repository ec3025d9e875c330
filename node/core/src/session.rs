//! Generations: what this node does for them, as an entry and as a member of stages.

mod entry;
mod guest;
mod post;
mod stage;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use swarm_proto::{FrameHeader, Load, NodeId, Plan, PlanId, SessionMessage, Time};

use crate::{Ask, ComputeFault, Computed, Notice, RequestId, Router, turn::Turn};
use entry::Entry;
use post::Post;
use stage::Stages;

/// Lost peers that are kept in mind; of others a try finds out by itself.
const GONE_MAX: usize = 4096;

/// All sessions of this node.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    entry: Entry,
    stages: Stages,
    post: Post,
    /// Peers that were lost and have not been heard of since.
    gone: BTreeSet<NodeId>,
}

/// What came of a canary: sessions of one token through a plan that is not live yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CanaryDone {
    pub(crate) plan: PlanId,
    /// Pipelines that no token came through.
    pub(crate) failed: BTreeSet<u16>,
}

impl Sessions {
    /// Whoever decides which pipelines sessions take from now on.
    pub(crate) fn routed_by(&mut self, router: Box<dyn Router>) {
        self.entry.router = router;
    }

    /// Another plan is being loaded: what runs here under the old one ends, and its entries are
    /// told. Their clients see a pause.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>) {
        self.stages.abandon(&mut self.post, turn);
        self.deliver(turn);
    }

    /// This node holds its shards of a plan, each with so many KV blocks.
    pub(crate) fn adopted(&mut self, plan: &Plan, kv_blocks: &[(u8, u32)], turn: &mut Turn<'_>) {
        let batches = turn.rising();
        self.stages.adopt(Arc::new(plan.clone()), kv_blocks, turn.me(), batches);
    }

    /// A plan is live: new tries go there.
    pub(crate) fn live(&mut self, plan: &Plan, turn: &mut Turn<'_>) {
        self.entry.live(Arc::new(plan.clone()), turn);
        self.tick(turn);
    }

    /// A peer is gone.
    pub(crate) fn lost(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.gone.len() < GONE_MAX {
            self.gone.insert(peer);
        }
        self.entry.lost(peer, &mut self.post, turn);
        self.stages.lost(peer);
        self.deliver(turn);
    }

    /// So many sessions hold KV cache at a peer.
    pub(crate) fn felt(&mut self, peer: NodeId, sessions: u32, now: Time) {
        self.entry.felt(peer, sessions, now);
    }

    /// A peer is back.
    pub(crate) fn found(&mut self, peer: NodeId) {
        self.gone.remove(&peer);
    }

    /// Something for a peer was not delivered: whatever runs through it cannot go on.
    pub(crate) fn undelivered(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        self.entry.lost(peer, &mut self.post, turn);
        self.deliver(turn);
    }

    /// Sends one token through each pipeline of a plan that all its members hold.
    pub(crate) fn canary(&mut self, plan: &Plan, turn: &mut Turn<'_>) {
        self.entry.canary(Arc::new(plan.clone()), &mut self.post, turn);
        self.deliver(turn);
    }

    /// A client wants an answer.
    pub(crate) fn asked(&mut self, request: RequestId, ask: Ask, turn: &mut Turn<'_>) {
        self.entry.asked(request, ask, turn);
        self.tick(turn);
    }

    /// A client has gone away.
    pub(crate) fn cancelled(&mut self, request: RequestId, turn: &mut Turn<'_>) {
        self.entry.cancelled(request, &mut self.post, turn);
        self.deliver(turn);
    }

    /// A session message came.
    pub(crate) fn hear(&mut self, from: NodeId, message: SessionMessage, turn: &mut Turn<'_>) {
        self.message(from, message, turn);
        self.deliver(turn);
    }

    /// A frame came.
    pub(crate) fn arrived(
        &mut self,
        from: NodeId,
        header: FrameHeader,
        body: Bytes,
        turn: &mut Turn<'_>,
    ) {
        self.frame(from, header, body, turn);
        self.deliver(turn);
    }

    /// A device answered.
    pub(crate) fn computed(
        &mut self,
        device: u8,
        job: u64,
        outcome: Result<Computed, ComputeFault>,
        turn: &mut Turn<'_>,
    ) {
        self.stages.computed(device, job, outcome, &mut self.post, turn);
        self.deliver(turn);
    }

    /// The node is leaving.
    pub(crate) fn drain(&mut self) {
        self.entry.drain();
    }

    /// What is due.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        self.entry.tick(&self.gone, self.stages.sessions(), &mut self.post, turn);
        self.stages.tick(&mut self.post, turn);
        self.deliver(turn);
    }

    /// Through whom sessions of this node's clients run.
    pub(crate) fn partners(&self) -> impl Iterator<Item = NodeId> {
        self.entry.partners()
    }

    /// A canary that ended since last asked.
    pub(crate) fn take_canary(&mut self) -> Option<CanaryDone> {
        self.entry.take_canary()
    }

    pub(crate) fn deadline(&self) -> Time {
        self.entry.deadline().min(self.stages.deadline())
    }

    /// Sessions and KV blocks, for our advert.
    pub(crate) fn load(&self) -> Load {
        self.stages.load()
    }

    /// The plan and the pipeline of it that a request goes through.
    pub(crate) fn way(&self, request: RequestId) -> Option<(PlanId, u16)> {
        self.entry.way(request)
    }

    /// Whether a client's request waits or runs here.
    pub(crate) fn knows(&self, request: RequestId) -> bool {
        self.entry.knows(request)
    }

    /// Whether nothing runs here any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.entry.is_idle() && self.stages.is_idle()
    }

    /// Carries what one part of this node has for another, until there is no more.
    fn deliver(&mut self, turn: &mut Turn<'_>) {
        while let Some((header, body)) = self.post.local.pop_front() {
            let me = turn.me();
            self.frame(me, header, body, turn);
        }
        self.stages.start(&mut self.post, turn);
        if !self.post.local.is_empty() {
            self.deliver(turn);
        }
    }

    fn frame(&mut self, from: NodeId, header: FrameHeader, body: Bytes, turn: &mut Turn<'_>) {
        match header {
            FrameHeader::Session(message) => self.message(from, message, turn),
            FrameHeader::Rows(rows) => {
                if let Err(reason) = self.stages.rows(from, rows, body, &mut self.post, turn) {
                    let reason = reason.to_owned();
                    turn.emit(crate::Effect::Notice(Notice::Refused { peer: from, reason }));
                }
            }
            FrameHeader::Dropped(batch) => self.stages.dropped(from, batch, turn),
            // Sums are for a device; a driver never hands them to the core.
            FrameHeader::Sums(_) => {}
        }
    }

    fn message(&mut self, from: NodeId, message: SessionMessage, turn: &mut Turn<'_>) {
        let Self { entry, stages, post, .. } = self;
        match message {
            SessionMessage::Open(open) => stages.open(from, *open, post, turn),
            SessionMessage::Opened { attempt, cached_blocks, blocks_max } => {
                entry.opened(from, attempt, (cached_blocks, blocks_max), post, turn);
            }
            SessionMessage::Prompt { attempt, position, tokens, last } => {
                stages.prompt(from, attempt, position, tokens, last, post, turn);
            }
            SessionMessage::Token(token) => {
                stages.token(from, &token, post, turn);
                entry.token(from, token, post, turn);
            }
            SessionMessage::Fault { attempt, fault } => {
                stages.member_fault(from, attempt, fault, post, turn);
                entry.fault(from, attempt, fault, post, turn);
            }
            SessionMessage::Close { attempt } => stages.close(from, attempt),
        }
    }
}
