//! A stage that devices of this node are members of.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use swarm_proto::{NodeId, Plan, RowsHeader, SessionId};

use super::{super::guest::Seat, StageKey};
use crate::{ComputeFault, Computed};

/// Our part of a stage.
#[derive(Debug)]
pub(super) struct OwnStage {
    pub(super) leader: NodeId,
    /// Whether that is us.
    pub(super) leads: bool,
    /// The leader's device, if we lead.
    pub(super) lead_device: u8,
    pub(super) first: bool,
    pub(super) last: bool,
    /// Our devices in it.
    pub(super) devices: Vec<u8>,
    /// Other nodes in it, each once.
    pub(super) others: Vec<NodeId>,
    /// How many devices it has altogether.
    pub(super) members: usize,
    /// Who leads the stage before, and the one after.
    pub(super) before: Option<NodeId>,
    pub(super) after: Option<NodeId>,
    /// Sessions with a step of an answer to compute, in order.
    decode: VecDeque<SessionId>,
    /// Sessions with a piece of a prompt to compute, in order.
    prefill: VecDeque<SessionId>,
    /// The leader's batches that wait here.
    pub(super) inbound: VecDeque<(RowsHeader, Bytes)>,
    pub(super) running: Option<RunningBatch>,
    pub(super) batches: u64,
}

/// A batch that our devices compute.
#[derive(Debug)]
pub(super) struct RunningBatch {
    pub(super) header: RowsHeader,
    /// Devices that have not answered, with the job each was given.
    pub(super) jobs: BTreeMap<u8, u64>,
    /// What the leader's device gave.
    pub(super) output: Option<Computed>,
    pub(super) fault: Option<ComputeFault>,
}

impl OwnStage {
    /// Queues a session that has rows to compute.
    pub(super) fn queue(&mut self, session: SessionId, seat: &mut Seat) {
        if seat.has_work() && !std::mem::replace(&mut seat.queued, true) {
            let queue = if seat.decodes() { &mut self.decode } else { &mut self.prefill };
            queue.push_back(session);
        }
    }

    /// Whether it has nothing to do and something waits.
    pub(super) fn could_start(&self) -> bool {
        let waits = if self.leads { self.waiting() > 0 } else { !self.inbound.is_empty() };
        self.running.is_none() && waits
    }

    /// The session whose turn it is.
    pub(super) fn next_session(&mut self) -> Option<SessionId> {
        self.decode.pop_front().or_else(|| self.prefill.pop_front())
    }

    /// How many sessions wait.
    pub(super) fn waiting(&self) -> usize {
        self.decode.len() + self.prefill.len()
    }
}

/// The stages of a plan that `me` is a member of; their batches are numbered from `batches` on.
pub(super) fn stages(plan: &Plan, me: NodeId, batches: u64) -> BTreeMap<StageKey, OwnStage> {
    let mut own = BTreeMap::new();
    for (p, pipeline) in plan.pipelines.iter().enumerate() {
        let leader = |index: usize| pipeline.stages.get(index).map(|stage| stage.leader().node);
        for (s, stage) in pipeline.stages.iter().enumerate() {
            let mine = stage.members.iter().filter(|member| member.node == me);
            let devices: Vec<u8> = mine.map(|member| member.device).collect();
            if devices.is_empty() {
                continue;
            }
            let nodes = stage.members.iter().map(|member| member.node);
            let mut others: Vec<_> = nodes.filter(|node| *node != me).collect();
            others.sort_unstable();
            others.dedup();
            let part = OwnStage {
                leader: stage.leader().node,
                leads: stage.leader().node == me,
                lead_device: stage.leader().device,
                first: s == 0,
                last: s + 1 == pipeline.stages.len(),
                devices,
                others,
                members: stage.members.len(),
                before: s.checked_sub(1).and_then(leader),
                after: leader(s + 1),
                decode: VecDeque::new(),
                prefill: VecDeque::new(),
                inbound: VecDeque::new(),
                running: None,
                batches,
            };
            own.insert((p as u16, s as u16), part);
        }
    }
    own
}
