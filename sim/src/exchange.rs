//! Where tensor-parallel members of one host meet those of others: the shape of the node's own
//! exchange, with one sum a batch in place of two a layer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    /// Members that were lost and have given nothing since: nobody waits for them.
    gone: BTreeSet<NodeId>,
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
    /// A device is to hold a shard of this plan: its stage begins, without anything of an earlier
    /// one, and stages of other plans end.
    pub(crate) fn form(&mut self, plan: PlanId, shard: &Shard) {
        self.stages.retain(|key, _| key.0 == plan);
        if shard.members.len() > 1 {
            let members = shard.members.clone();
            let stage = Stage { members, parts: BTreeMap::new(), gone: BTreeSet::new() };
            self.stages.insert((plan, shard.pipeline, shard.stage), stage);
        }
    }

    /// A peer is gone.
    pub(crate) fn lost(&mut self, peer: NodeId) {
        for stage in self.stages.values_mut() {
            if stage.members.iter().any(|(node, _)| *node == peer) {
                stage.gone.insert(peer);
            }
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
        stage.gone.remove(&from);
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
        let (mut parts, mut missing) = (Vec::new(), Vec::new());
        for other in (0..stage.members.len() as u16).filter(|other| *other != member) {
            match stage.parts.get(&(key.batch, other)) {
                Some(part) => parts.push(Arc::clone(part)),
                None => missing.push(other),
            }
        }
        if missing.is_empty() {
            return Meeting::Whole(parts);
        }
        let gone = |other: &u16| stage.gone.contains(&stage.members[usize::from(*other)].0);
        // Whoever gives a part of a later batch is done with this one.
        let done = |other: &u16| stage.parts.keys().any(|(b, o)| *b > key.batch && o == other);
        match missing.iter().any(|other| gone(other) || done(other)) {
            true => Meeting::Broken,
            false => Meeting::Partial,
        }
    }
}
