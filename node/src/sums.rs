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

/// How long a member waits for the others. Core notices a dead one much sooner and says so; this
/// ends the wait for one that is alive and silent.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Sums of one member that may wait here: it cannot go on to its next one without ours, so two
/// wait at most, and one may be left over from a batch that failed.
const WAITING_MAX: usize = 4;

/// A way to other hosts.
pub trait Wire: Send + Sync {
    /// Sends a frame; whether it was taken.
    fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> bool;
}

impl Wire for swarm_net::Net {
    fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> bool {
        Self::frame(self, to, head, body).is_ok()
    }
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
    /// Set once a member is gone: nothing is waited for any more.
    broken: bool,
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
}

impl Exchange {
    /// An exchange that reaches other hosts by `wire`.
    pub fn new(me: NodeId, wire: Arc<dyn Wire>) -> Self {
        Self { me, wire, stages: DashMap::new() }
    }

    /// Makes the stage of `shard` known, in place of what other plans had there.
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

    /// Ends the stages of plans before `plan`, and every wait in them.
    pub fn retire(&self, plan: PlanId) {
        self.stages.retain(|key, stage| {
            let keep = key.0 >= plan;
            if !keep {
                stage.break_up();
            }
            keep
        });
    }

    /// A peer is gone: ends the waits of every stage it is a member of.
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
        let mut table = stage.table();
        table.sums.retain(|(batch, _, _), _| *batch >= key.batch);
        // Whoever was thought gone is back, or there would be no batch.
        table.broken = false;
        drop(table);
        Some(Seat { exchange: Arc::clone(self), stage, key, member, index: 0 })
    }
}

impl Stage {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing in here panics half-way through a change, so a poisoned table is a sound one.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_up(&self) {
        self.table().broken = true;
        self.changed.notify_all();
    }
}

impl Table {
    fn put(&mut self, batch: u64, index: u32, member: u16, bytes: Bytes, readers_left: usize) {
        self.sums.entry((batch, index, member)).or_insert(Sum { bytes, readers_left });
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
            if table.broken {
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
