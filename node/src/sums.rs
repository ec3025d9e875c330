//! Tensor-parallel sums between devices, of one host or of several.
//!
//! Twice a layer the members of a stage add up what each of them computed. The values are 64-bit
//! fixed-point integers, so the order of adding does not matter and all members get the same bits.
//! Each member gives its own sums to everyone else and adds up what it gets: one trip, no root.
//! Members of this process meet in memory; others are reached by frames on the data plane.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dashmap::DashMap;
use swarm_core::{GroupKey, Shard};
use swarm_engine::{Collective, CollectiveError};
use swarm_proto::{FrameHeader, NodeId, PlanId, SumsHeader};

/// How long a member waits for the others. Core notices a dead one much sooner and says so, and so
/// does the next plan; this ends the wait for one that is alive and silent.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Sums of one member that may wait here: it cannot go on to its next one without ours, so two
/// wait at most, and one may be left over from a batch that failed.
const WAITING_MAX: usize = 4;

/// A way to other hosts.
pub trait Wire: Send + Sync {
    /// Sends a frame; whether it was taken.
    fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> bool;
}

type StageKey = (PlanId, u16, u16);

/// Every stage that devices of this process take part in with others.
pub struct Exchange {
    me: NodeId,
    wire: Arc<dyn Wire>,
    stages: DashMap<StageKey, Arc<Stage>>,
}

struct Stage {
    members: Vec<(NodeId, u8)>,
    /// How many members of this process read each sum.
    readers: usize,
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    sums: BTreeMap<(u64, u32, u16), Sum>,
    /// How often a member was lost. Whoever took a seat before that waits no more; whoever takes
    /// one after it may find the member back.
    losses: u64,
}

struct Sum {
    bytes: Bytes,
    readers_left: usize,
}

/// One member's place in one batch of a stage.
pub struct Seat {
    exchange: Arc<Exchange>,
    stage: Arc<Stage>,
    key: GroupKey,
    member: u16,
    index: u32,
    /// Losses before it was taken.
    losses: u64,
}

impl Exchange {
    /// An exchange that reaches other hosts by `wire`.
    pub fn new(me: NodeId, wire: Arc<dyn Wire>) -> Self {
        Self { me, wire, stages: DashMap::new() }
    }

    /// Makes the stage of `shard` known, in place of what earlier plans had there.
    pub fn form(&self, plan: PlanId, shard: &Shard) {
        self.retire(plan);
        if shard.members.len() > 1 {
            let readers = shard.members.iter().filter(|(node, _)| *node == self.me).count();
            let stage = || {
                let (table, changed) = Default::default();
                Arc::new(Stage { members: shard.members.clone(), readers, table, changed })
            };
            self.stages.entry((plan, shard.pipeline, shard.stage)).or_insert_with(stage);
        }
    }

    /// Ends the stages of other plans than `plan`, and every wait in them.
    pub fn retire(&self, plan: PlanId) {
        self.stages.retain(|key, stage| {
            let keep = key.0 == plan;
            if !keep {
                stage.break_up();
            }
            keep
        });
    }

    /// A peer is gone: ends the waits of every stage it is a member of. Batches that begin later
    /// wait for it as if nothing had been: it may be back, under the same plan.
    pub fn lost(&self, peer: NodeId) {
        for stage in &self.stages {
            if stage.members.iter().any(|(node, _)| *node == peer) {
                stage.break_up();
            }
        }
    }

    /// Takes another host's sums in; an error says why they are refused.
    pub fn arrived(
        &self,
        from: NodeId,
        header: SumsHeader,
        bytes: Bytes,
    ) -> Result<(), &'static str> {
        let key = (header.plan, header.pipeline, header.stage);
        let stage = self.stages.get(&key).map(|stage| Arc::clone(&stage));
        let stage = stage.ok_or("sums of a stage that this host has no part in")?;
        let member = stage.members.get(usize::from(header.member));
        if member.is_none_or(|(node, _)| *node != from) || from == self.me {
            return Err("sums in another member's name");
        }
        let mut table = stage.table();
        let waiting = table.sums.keys().filter(|(_, _, m)| *m == header.member).count();
        if waiting >= WAITING_MAX {
            return Err("sums that nobody is waiting for");
        }
        table.put(header.batch, header.index, header.member, bytes, stage.readers);
        stage.changed.notify_all();
        Ok(())
    }

    /// The place of `device` in a batch; `None` if it has none.
    pub fn seat(self: &Arc<Self>, key: GroupKey, device: u8) -> Option<Seat> {
        let stage = Arc::clone(&*self.stages.get(&(key.plan, key.pipeline, key.stage))?);
        let member = stage.members.iter().position(|place| *place == (self.me, device))?;
        let member = u16::try_from(member).ok()?;
        let losses = {
            let mut table = stage.table();
            table.sums.retain(|(batch, _, _), _| *batch >= key.batch);
            table.losses
        };
        Some(Seat { exchange: Arc::clone(self), stage, key, member, index: 0, losses })
    }
}

impl Stage {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing in here panics half-way through a change, so a poisoned table is a sound one.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_up(&self) {
        self.table().losses += 1;
        self.changed.notify_all();
    }
}

impl Table {
    fn put(&mut self, batch: u64, index: u32, member: u16, bytes: Bytes, readers_left: usize) {
        self.sums.entry((batch, index, member)).or_insert(Sum { bytes, readers_left });
    }

    /// Whether a member has gone on to a later batch: what it did not give it never will.
    fn is_past(&self, batch: u64, member: u16) -> bool {
        self.sums.keys().any(|(later, _, of)| *later > batch && *of == member)
    }

    /// The sums of a member, kept only while another reader is to come.
    fn take(&mut self, place: (u64, u32, u16)) -> Option<Bytes> {
        let sum = self.sums.get_mut(&place)?;
        sum.readers_left -= 1;
        if sum.readers_left > 0 {
            return Some(sum.bytes.clone());
        }
        self.sums.remove(&place).map(|sum| sum.bytes)
    }
}

impl Seat {
    /// Gives our sums to everyone else.
    fn give(&self, bytes: &Bytes) -> Result<(), CollectiveError> {
        let siblings = self.stage.readers - 1;
        if siblings > 0 {
            let mut table = self.stage.table();
            table.put(self.key.batch, self.index, self.member, bytes.clone(), siblings);
            self.stage.changed.notify_all();
        }
        let GroupKey { plan, pipeline, stage, batch } = self.key;
        let (index, member) = (self.index, self.member);
        let header = SumsHeader { plan, pipeline, stage, batch, index, member };
        let head = FrameHeader::Sums(header).seal().expect("a header of a few bytes");
        let head = Bytes::from(head);
        let me = self.exchange.me;
        let hosts: BTreeSet<_> = self.stage.members.iter().map(|(node, _)| *node).collect();
        let sent = hosts
            .into_iter()
            .filter(|host| *host != me)
            .all(|host| self.exchange.wire.frame(host, head.clone(), bytes.clone()));
        if sent { Ok(()) } else { Err(CollectiveError::Gone) }
    }

    /// Waits for another member's sums.
    fn wait(&self, member: u16, until: Instant) -> Result<Bytes, CollectiveError> {
        let mut table = self.stage.table();
        loop {
            if let Some(bytes) = table.take((self.key.batch, self.index, member)) {
                return Ok(bytes);
            }
            if table.losses != self.losses || table.is_past(self.key.batch, member) {
                return Err(CollectiveError::Gone);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(CollectiveError::Late { waited: WAIT_MAX });
            }
            let waited = self.stage.changed.wait_timeout(table, left);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Collective for Seat {
    fn members(&self) -> usize {
        self.stage.members.len()
    }

    fn all_reduce(&mut self, sums: &mut [i64]) -> Result<(), CollectiveError> {
        let mine: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        self.give(&Bytes::from(mine))?;
        let until = Instant::now() + WAIT_MAX;
        for member in 0..self.stage.members.len() as u16 {
            if member == self.member {
                continue;
            }
            let bytes = self.wait(member, until)?;
            if bytes.len() != size_of_val(sums) {
                let (expected, found) = (sums.len(), bytes.len() / 8);
                return Err(CollectiveError::Length { expected, found });
            }
            for (sum, other) in sums.iter_mut().zip(bytes.chunks_exact(8)) {
                let other = i64::from_le_bytes(other.try_into().expect("chunks of eight"));
                // A peer's numbers: whatever they are, they must not end this process.
                *sum = sum.wrapping_add(other);
            }
        }
        self.index += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, Epoch, HeadRange, LayerRange, Term};

    use super::*;

    const ME: NodeId = NodeId([1; 32]);
    const PEER: NodeId = NodeId([2; 32]);

    /// A wire to a peer that never answers.
    struct Silence;

    impl Wire for Silence {
        fn frame(&self, _: NodeId, _: Bytes, _: Bytes) -> bool {
            true
        }
    }

    fn plan(epoch: u64) -> PlanId {
        PlanId { term: Term(1), epoch: Epoch(epoch) }
    }

    /// An exchange with a stage that we share with a peer.
    fn exchange() -> Arc<Exchange> {
        let exchange = Exchange::new(ME, Arc::new(Silence));
        exchange.form(plan(1), &shard());
        Arc::new(exchange)
    }

    fn shard() -> Shard {
        Shard {
            pipeline: 0,
            stage: 0,
            layers: LayerRange::new(0, 1).unwrap(),
            kv_heads: HeadRange::new(0, 1).unwrap(),
            ffn_columns: ColumnRange::new(0, 8).unwrap(),
            embeds: true,
            samples: true,
            leads: true,
            kv_blocks: 16,
            members: vec![(ME, 0), (PEER, 0)],
        }
    }

    fn key(batch: u64) -> GroupKey {
        GroupKey { plan: plan(1), pipeline: 0, stage: 0, batch }
    }

    /// The peer's sums of a batch.
    fn arrives(exchange: &Exchange, batch: u64, sum: i64) {
        let GroupKey { plan, pipeline, stage, .. } = key(batch);
        let header = SumsHeader { plan, pipeline, stage, batch, index: 0, member: 1 };
        let bytes = Bytes::copy_from_slice(&sum.to_le_bytes());
        exchange.arrived(PEER, header, bytes).unwrap();
    }

    #[test]
    fn a_wait_ends_when_the_member_is_lost() {
        let exchange = exchange();
        let mut seat = exchange.seat(key(1), 0).unwrap();
        exchange.lost(PEER);
        assert!(matches!(seat.all_reduce(&mut [1]), Err(CollectiveError::Gone)));
    }

    #[test]
    fn a_member_that_comes_back_under_the_same_plan_is_added_up_again() {
        let exchange = exchange();
        exchange.lost(PEER);
        let mut seat = exchange.seat(key(2), 0).unwrap();
        let waited = seat.wait(1, Instant::now());
        assert!(
            matches!(waited, Err(CollectiveError::Late { .. })),
            "it is waited for: {waited:?}"
        );
        arrives(&exchange, 2, 41);
        let mut sums = [1];
        seat.all_reduce(&mut sums).unwrap();
        assert_eq!(sums, [42]);
    }

    #[test]
    fn the_next_plan_ends_the_waits_of_the_one_before() {
        let exchange = exchange();
        let mut seat = exchange.seat(key(1), 0).unwrap();
        exchange.form(plan(2), &shard());
        assert!(matches!(seat.all_reduce(&mut [1]), Err(CollectiveError::Gone)));
        assert!(exchange.seat(key(3), 0).is_none(), "the old plan has no seats");
    }

    #[test]
    fn sums_that_nobody_waits_for_take_a_bounded_room() {
        let exchange = exchange();
        for batch in 0..WAITING_MAX as u64 {
            arrives(&exchange, batch, 1);
        }
        let header =
            SumsHeader { plan: plan(1), pipeline: 0, stage: 0, batch: 99, index: 0, member: 1 };
        assert!(exchange.arrived(PEER, header, Bytes::new()).is_err());
        let other = NodeId([3; 32]);
        assert!(exchange.arrived(other, header, Bytes::new()).is_err(), "a stranger");
    }
}
