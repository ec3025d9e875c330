//! Generations: what this node does for them as an entry and as a member of a stage.

use bytes::Bytes;
use swarm_proto::{FrameHeader, NodeId, Plan, PlanId, SessionMessage, Time};

use crate::{Ask, ComputeFault, Computed, RequestId, turn::Turn};

/// All sessions of this node.
#[derive(Debug, Default)]
pub(crate) struct Sessions {}

/// What came of a canary: a session of one token through a plan that is not live yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CanaryDone {
    pub(crate) plan: PlanId,
    pub(crate) passed: bool,
}

impl Sessions {
    /// This node adopted a plan: its devices hold their shards of it, each with so many KV blocks.
    pub(crate) fn adopted(&mut self, _plan: &Plan, _kv_blocks: &[(u8, u32)], _turn: &mut Turn<'_>) {
    }
    /// A plan is live: new tries go there, and sessions of other plans move to it.
    pub(crate) fn live(&mut self, _plan: &Plan, _turn: &mut Turn<'_>) {}
    /// A peer is gone.
    pub(crate) fn lost(&mut self, _peer: NodeId, _turn: &mut Turn<'_>) {}
    /// Sends one token through a plan that all its members hold.
    pub(crate) fn canary(&mut self, _plan: &Plan, _turn: &mut Turn<'_>) {}
    pub(crate) fn asked(&mut self, _request: RequestId, _ask: Ask, _turn: &mut Turn<'_>) {}
    pub(crate) fn cancelled(&mut self, _request: RequestId, _turn: &mut Turn<'_>) {}
    pub(crate) fn hear(&mut self, _from: NodeId, _message: SessionMessage, _turn: &mut Turn<'_>) {}
    pub(crate) fn arrived(
        &mut self,
        _from: NodeId,
        _header: FrameHeader,
        _body: Bytes,
        _turn: &mut Turn<'_>,
    ) {
    }
    pub(crate) fn computed(
        &mut self,
        _device: u8,
        _job: u64,
        _outcome: Result<Computed, ComputeFault>,
        _turn: &mut Turn<'_>,
    ) {
    }
    pub(crate) fn drain(&mut self, _turn: &mut Turn<'_>) {}
    pub(crate) fn tick(&mut self, _turn: &mut Turn<'_>) {}
    /// A canary that ended since last asked.
    pub(crate) fn take_canary(&mut self) -> Option<CanaryDone> {
        None
    }
    pub(crate) fn deadline(&self) -> Time {
        Time::NEVER
    }
    /// Sessions and KV blocks, for our advert.
    pub(crate) fn load(&self) -> swarm_proto::Load {
        swarm_proto::Load::default()
    }
    /// Whether nothing runs here any more.
    pub(crate) fn is_idle(&self) -> bool {
        true
    }
}
