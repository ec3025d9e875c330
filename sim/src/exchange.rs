//! Where tensor-parallel members of one host meet those of others: the shape of the node's own
//! exchange, with one sum a batch in place of two a layer.

use std::{collections::BTreeMap, sync::Arc};

use swarm_core::{GroupKey, Shard};
use swarm_proto::{NodeId, PlanId};

/// Parts of one member that may wait here.
const WAITING_MAX: usize = 4;

type StageKey = (PlanId, u16, u16);

/// The stages that devices of a host take part in with others.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    stages: BTreeMap<StageKey, Stage>,
}

#[derive(Debug)]
struct Stage {
    members: Vec<(NodeId, u8)>,
    parts: BTreeMap<(u64, u16), Arc<[u64]>>,
    /// A member is gone: nothing is waited for any more.
    broken: bool,
}

/// What a member that waits finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The parts of all others.
    Whole(Vec<Arc<[u64]>>),
    /// Some are missing yet.
    Partial,
    /// They will not come.
    Broken,
}

impl Exchange {
    /// A device is to hold a shard of this plan: its stage is known from now on, others no more.
    pub(crate) fn form(&mut self, plan: PlanId, shard: &Shard) {
        self.stages.retain(|key, _| key.0 >= plan);
        if shard.members.len() > 1 {
            let members = shard.members.clone();
            let stage = || Stage { members, parts: BTreeMap::new(), broken: false };
            self.stages.entry((plan, shard.pipeline, shard.stage)).or_insert_with(stage);
        }
    }

    /// A peer is gone.
    pub(crate) fn lost(&mut self, peer: NodeId) {
        for stage in self.stages.values_mut() {
            stage.broken |= stage.members.iter().any(|(node, _)| *node == peer);
        }
    }

    /// The place of a device in a batch, if its stage is known here.
    pub(crate) fn seat(&mut self, key: GroupKey, place: (NodeId, u8)) -> Option<u16> {
        let stage = self.stages.get_mut(&(key.plan, key.pipeline, key.stage))?;
        stage.parts.retain(|(batch, _), _| *batch >= key.batch);
        let member = stage.members.iter().position(|member| *member == place)?;
        Some(member as u16)
    }

    /// The other hosts of a stage.
    pub(crate) fn hosts(&self, key: GroupKey, me: NodeId) -> Vec<NodeId> {
        let stage = self.stages.get(&(key.plan, key.pipeline, key.stage));
        let nodes = stage.iter().flat_map(|stage| &stage.members).map(|(node, _)| *node);
        let mut nodes: Vec<_> = nodes.filter(|node| *node != me).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// A member's part is here; parts that nobody can wait for are dropped.
    pub(crate) fn put(&mut self, from: NodeId, key: GroupKey, member: u16, part: Arc<[u64]>) {
        let Some(stage) = self.stages.get_mut(&(key.plan, key.pipeline, key.stage)) else { return };
        let theirs = stage.members.get(usize::from(member)).is_some_and(|(node, _)| *node == from);
        let waiting = stage.parts.keys().filter(|(_, m)| *m == member).count();
        if theirs && waiting < WAITING_MAX {
            stage.parts.insert((key.batch, member), part);
        }
    }

    /// What the member at a place finds.
    pub(crate) fn meet(&self, key: GroupKey, member: u16) -> Meeting {
        let Some(stage) = self.stages.get(&(key.plan, key.pipeline, key.stage)) else {
            return Meeting::Broken;
        };
        let others = (0..stage.members.len() as u16).filter(|other| *other != member);
        let parts: Option<Vec<_>> =
            others.map(|other| stage.parts.get(&(key.batch, other)).cloned()).collect();
        match parts {
            Some(parts) => Meeting::Whole(parts),
            None if stage.broken => Meeting::Broken,
            None => Meeting::Partial,
        }
    }
}
