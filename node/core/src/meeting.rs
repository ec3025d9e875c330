//! Where the members of a tensor-parallel stage meet: what each gave, until all others took it.
//!
//! A host has one table for all its devices. It holds no lock and never waits: in the world threads
//! wait around it, in the simulator events come. What a part is made of is theirs to know.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::{NodeId, PlanId, SumsHeader};

use crate::{GroupKey, Shard};

/// How long a member waits for the others. Core notices a dead one much sooner and says so, and so
/// does the next plan; this ends the wait for one that is alive and silent.
pub const MEETING_MAX: Duration = Duration::from_secs(15);

/// Parts of one member that may wait here: it cannot go on to its next one without ours, so two
/// wait at most, and one may be left over from a batch that failed.
const PARTS_MAX: usize = 4;

/// Every stage that devices of one host take part in with others.
#[derive(Debug)]
pub struct Meetings<T> {
    me: NodeId,
    stages: BTreeMap<(PlanId, u16, u16), Stage<T>>,
}

#[derive(Debug)]
struct Stage<T> {
    members: Vec<(NodeId, u8)>,
    /// How many members of this host there are.
    ours: usize,
    parts: BTreeMap<(u64, u32, u16), Part<T>>,
    /// How often a member was lost. Whoever took a seat before that waits no more; whoever takes
    /// one after it may find the member back.
    losses: u64,
}

#[derive(Debug)]
struct Part<T> {
    part: T,
    readers_left: usize,
}

/// One member's place in one batch of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    key: GroupKey,
    member: u16,
    /// Which of the batch's sums is next.
    index: u32,
    /// Losses before it was taken.
    losses: u64,
}

/// What a member that waits finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The parts of all others, in the members' order.
    All(Vec<T>),
    /// Some are missing yet.
    Some,
    /// They will not come.
    Gone,
}

impl Seat {
    /// What its part's frame says of it.
    pub fn header(&self) -> SumsHeader {
        let GroupKey { plan, pipeline, stage, batch } = self.key;
        SumsHeader { plan, pipeline, stage, batch, index: self.index, member: self.member }
    }

    /// On to the batch's next sum.
    pub fn advance(&mut self) {
        self.index += 1;
    }
}

impl<T: Clone> Meetings<T> {
    /// Those of a host.
    pub fn new(me: NodeId) -> Self {
        Self { me, stages: BTreeMap::new() }
    }

    /// A device is to hold a shard: its stage begins, if no other device of ours has begun it, and
    /// the stages of other plans end.
    pub fn form(&mut self, plan: PlanId, shard: &Shard) {
        self.stages.retain(|key, _| key.0 == plan);
        if shard.members.len() > 1 {
            let members = shard.members.clone();
            let ours = members.iter().filter(|(node, _)| *node == self.me).count();
            let stage = || Stage { members, ours, parts: BTreeMap::new(), losses: 0 };
            self.stages.entry((plan, shard.pipeline, shard.stage)).or_insert_with(stage);
        }
    }

    /// A peer is gone, or sits out: ends the waits of every stage it is a member of. Batches that
    /// begin later wait for it as if nothing had been: it may be back, under the same plan.
    pub fn break_up_with(&mut self, peer: NodeId) {
        for stage in self.stages.values_mut() {
            if stage.members.iter().any(|(node, _)| *node == peer) {
                stage.losses += 1;
            }
        }
    }

    /// The place of `device` in a batch; `None` if it has none.
    pub fn seat(&mut self, key: GroupKey, device: u8) -> Option<Seat> {
        let place = (self.me, device);
        let stage = self.stages.get_mut(&(key.plan, key.pipeline, key.stage))?;
        let member = stage.members.iter().position(|member| *member == place)?;
        stage.parts.retain(|(batch, ..), _| ahead(*batch, key.batch).is_some());
        Some(Seat { key, member: u16::try_from(member).ok()?, index: 0, losses: stage.losses })
    }

    /// The other hosts of a seat's stage, each once.
    pub fn hosts(&self, seat: &Seat) -> Vec<NodeId> {
        let members = self.stage(seat).into_iter().flat_map(|stage| &stage.members);
        let mut hosts: Vec<_> = members.map(|(node, _)| *node).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.retain(|node| *node != self.me);
        hosts
    }

    /// How many members the seat's stage has, its own included.
    pub fn members(&self, seat: &Seat) -> usize {
        self.stage(seat).map_or(0, |stage| stage.members.len())
    }

    /// Our own part, for the other devices of this host. The other hosts are sent it.
    pub fn give(&mut self, seat: &Seat, part: T) {
        let GroupKey { plan, pipeline, stage, batch } = seat.key;
        let Some(stage) = self.stages.get_mut(&(plan, pipeline, stage)) else { return };
        if stage.ours > 1 {
            let part = Part { part, readers_left: stage.ours - 1 };
            stage.parts.entry((batch, seat.index, seat.member)).or_insert(part);
        }
    }

    /// Takes another host's part in; an error says why it is refused.
    pub fn arrived(&mut self, from: NodeId, of: SumsHeader, part: T) -> Result<(), &'static str> {
        let stage = self.stages.get_mut(&(of.plan, of.pipeline, of.stage));
        let stage = stage.ok_or("sums of a stage that this host has no part in")?;
        let member = stage.members.get(usize::from(of.member));
        if member.is_none_or(|(node, _)| *node != from) || from == self.me {
            return Err("sums in another member's name");
        }
        // A member's part shows where it is: what is far from there is of another time.
        let near = |batch| ahead(batch, of.batch).or(ahead(of.batch, batch)).is_some();
        stage.parts.retain(|(batch, _, member), _| *member != of.member || near(*batch));
        let waiting = stage.parts.keys().filter(|(.., member)| *member == of.member).count();
        if waiting >= PARTS_MAX {
            return Err("sums that nobody is waiting for");
        }
        let part = Part { part, readers_left: stage.ours };
        stage.parts.entry((of.batch, of.index, of.member)).or_insert(part);
        Ok(())
    }

    /// What a seat finds of the others' parts. Once it has found all it has taken them.
    pub fn look(&mut self, seat: &Seat) -> Found<T> {
        let GroupKey { plan, pipeline, stage, batch } = seat.key;
        let Some(stage) = self.stages.get_mut(&(plan, pipeline, stage)) else { return Found::Gone };
        let others = (0..stage.members.len() as u16).filter(|member| *member != seat.member);
        let here = |member: &u16| stage.parts.contains_key(&(batch, seat.index, *member));
        let mut missing = others.clone().filter(|member| !here(member)).peekable();
        if missing.peek().is_none() {
            return Found::All(
                others.filter_map(|of| stage.take((batch, seat.index, of))).collect(),
            );
        }
        let gone = stage.losses != seat.losses || missing.any(|of| stage.is_past(batch, of));
        if gone { Found::Gone } else { Found::Some }
    }

    fn stage(&self, seat: &Seat) -> Option<&Stage<T>> {
        self.stages.get(&(seat.key.plan, seat.key.pipeline, seat.key.stage))
    }
}

impl<T: Clone> Stage<T> {
    /// Whether a member has gone on to a later batch: what it did not give it never will.
    fn is_past(&self, batch: u64, member: u16) -> bool {
        let later = |of: u64| ahead(of, batch).is_some_and(|ahead| ahead > 0);
        self.parts.keys().any(|(of, _, giver)| *giver == member && later(*of))
    }

    /// A part, kept only while another reader is to come.
    fn take(&mut self, place: (u64, u32, u16)) -> Option<T> {
        let part = self.parts.get_mut(&place)?;
        part.readers_left -= 1;
        if part.readers_left > 0 {
            return Some(part.part.clone());
        }
        self.parts.remove(&place).map(|part| part.part)
    }
}

/// How many batches one is ahead of another of the same stage. Where a stage begins to count is
/// drawn anew each time, so what is neither this batch nor one of the next is of another time.
fn ahead(batch: u64, of: u64) -> Option<u64> {
    Some(batch.wrapping_sub(of)).filter(|ahead| *ahead <= PARTS_MAX as u64)
}
