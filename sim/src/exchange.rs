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
        stage.parts.retain(|(batch, _), _| ahead(*batch, key.batch).is_some());
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
        let done = |other: &u16| {
            stage.parts.keys().any(|(b, o)| ahead(*b, key.batch) > Some(0) && o == other)
        };
        match missing.iter().any(|other| gone(other) || done(other)) {
            true => Meeting::Broken,
            false => Meeting::Partial,
        }
    }
}

/// How many batches one is ahead of another of the same stage. Where a stage begins to count is
/// drawn anew each time, so what is neither this batch nor one of the next is of another time.
fn ahead(batch: u64, of: u64) -> Option<u64> {
    Some(batch.wrapping_sub(of)).filter(|ahead| *ahead <= WAITING_MAX as u64)
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, HeadRange, LayerRange};

    use super::*;

    const ME: NodeId = NodeId([1; 32]);
    const OTHER: NodeId = NodeId([2; 32]);

    fn key(batch: u64) -> GroupKey {
        GroupKey { plan: PlanId::default(), pipeline: 0, stage: 0, batch }
    }

    fn formed() -> (Exchange, Shard) {
        let shard = Shard {
            pipeline: 0,
            stage: 0,
            layers: LayerRange::new(0, 1).unwrap(),
            kv_heads: HeadRange::new(0, 1).unwrap(),
            ffn_columns: ColumnRange::new(0, 1).unwrap(),
            embeds: true,
            samples: true,
            leads: true,
            kv_blocks: 1,
            members: vec![(ME, 0), (OTHER, 0)],
        };
        let mut exchange = Exchange::default();
        exchange.form(PlanId::default(), &shard);
        (exchange, shard)
    }

    fn part(value: u64) -> Arc<[u64]> {
        vec![value].into()
    }

    #[test]
    fn members_meet_in_the_batch_that_they_share() {
        let (mut exchange, _) = formed();
        assert_eq!(exchange.seat(key(4), (ME, 0)), Some(0));
        assert_eq!(exchange.meet(key(4), 0), Meeting::Partial);
        exchange.put(OTHER, key(3), 1, part(3));
        assert_eq!(exchange.meet(key(4), 0), Meeting::Partial);
        exchange.put(ME, key(4), 1, part(9)); // not its place to give
        assert_eq!(exchange.meet(key(4), 0), Meeting::Partial);
        exchange.put(OTHER, key(4), 1, part(4));
        assert_eq!(exchange.meet(key(4), 0), Meeting::Whole(vec![part(4)]));
    }

    #[test]
    fn nobody_waits_for_who_is_gone_until_it_gives_again() {
        let (mut exchange, _) = formed();
        exchange.lost(OTHER);
        assert_eq!(exchange.meet(key(0), 0), Meeting::Broken);
        exchange.put(OTHER, key(1), 1, part(1));
        assert_eq!(exchange.meet(key(1), 0), Meeting::Whole(vec![part(1)]));
    }

    #[test]
    fn nobody_waits_for_who_is_done_with_the_batch() {
        let (mut exchange, _) = formed();
        exchange.put(OTHER, key(8), 1, part(8));
        assert_eq!(exchange.meet(key(7), 0), Meeting::Broken);
    }

    #[test]
    fn what_is_left_of_another_time_is_nothing() {
        let (mut exchange, _) = formed();
        exchange.put(OTHER, key(1 << 40), 1, part(8));
        assert_eq!(exchange.seat(key(7), (ME, 0)), Some(0));
        assert_eq!(exchange.meet(key(7), 0), Meeting::Partial);
        assert_eq!(exchange.meet(key(1 << 40), 0), Meeting::Partial);
    }

    #[test]
    fn a_plan_loaded_anew_finds_no_part_of_before() {
        let (mut exchange, shard) = formed();
        exchange.put(OTHER, key(0), 1, part(0));
        exchange.form(PlanId::default(), &shard);
        assert_eq!(exchange.meet(key(0), 0), Meeting::Partial);
    }
}
