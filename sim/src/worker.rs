//! A device's thread: jobs in their order, one at a time, each taking its time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use swarm_core::{Body, ComputeFault, GroupKey, Seat, Shard};
use swarm_proto::{Batch, Item, ModelSpec, NodeId, PlanId, Time};

use crate::{
    device::{Cache, Outcome, Shape},
    rig::Rig,
};

/// Jobs that may wait: a driver's thread refuses more.
pub(crate) const JOBS_MAX: usize = 8;

/// A device and what it has to do.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) rig: Rig,
    pub(crate) shape: Shape,
    /// What it holds, and under which plan.
    pub(crate) holds: Option<(PlanId, Shard)>,
    pub(crate) cache: Cache,
    pub(crate) queue: VecDeque<Job>,
    pub(crate) running: Option<Running>,
    /// Numbers what runs, so that an alarm for something that is over rings for nothing.
    pub(crate) serial: u64,
    /// Until when it waits for others, if it does,
    pub(crate) waits_until: Time,
    /// and whether an alarm for that is set: one is enough, however often it meets them until then.
    pub(crate) watched: bool,
    /// How many times slower than it was measured to be.
    pub(crate) slow: f64,
    /// Until when it stands still,
    pub(crate) still_until: Time,
    /// and how much later what it does now is done, for that.
    pub(crate) owed: Duration,
    /// The next loads that fail.
    pub(crate) bad_loads: u32,
    /// The next batches that fail.
    pub(crate) bad_batches: u32,
}

/// Something for a device to do.
#[derive(Debug)]
pub(crate) enum Job {
    Load { load: u64, plan: PlanId, shard: Shard },
    Unload,
    Compute(Work),
}

/// A batch for a device.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) job: u64,
    pub(crate) batch: Batch,
    pub(crate) input: Option<Body>,
    pub(crate) group: Option<GroupKey>,
}

impl Work {
    /// Makes two pieces of the last, if it has rows for two.
    pub(crate) fn split_last(&mut self) {
        let Some(last) = self.batch.items.last_mut().filter(|last| last.tokens.len() > 1) else {
            return;
        };
        let tokens = last.tokens.split_off(1);
        let rest = Item { position: last.position + 1, tokens, ..last.clone() };
        last.sample = None;
        self.batch.items.push(rest);
    }
}

/// What a device does now.
#[derive(Debug)]
pub(crate) enum Running {
    Load {
        load: u64,
        plan: PlanId,
        shard: Shard,
    },
    Compute {
        work: Work,
        seat: Option<Seat>,
    },
    /// Computed; the parts of others are not all here.
    Meet {
        work: Work,
        seat: Seat,
        outcome: Outcome,
    },
}

/// A time, so many times.
pub(crate) fn times(span: Duration, factor: f64) -> Duration {
    match factor == 1.0 {
        true => span,
        false => Duration::try_from_secs_f64(span.as_secs_f64() * factor).unwrap_or(Duration::MAX),
    }
}

impl Worker {
    pub(crate) fn new(rig: Rig, shape: Shape) -> Self {
        Self {
            rig,
            shape,
            holds: None,
            cache: Cache::default(),
            queue: VecDeque::new(),
            running: None,
            serial: 0,
            waits_until: Time::ZERO,
            watched: false,
            slow: 1.0,
            still_until: Time::ZERO,
            owed: Duration::ZERO,
            bad_loads: 0,
            bad_batches: 0,
        }
    }

    /// How long a batch takes; of what is not held, no time.
    pub(crate) fn span(&self, node: NodeId, batch: &Batch, model: &ModelSpec) -> Duration {
        let Some((_, shard)) = &self.holds else { return Duration::ZERO };
        let mates = shard.members.iter().filter(|(member, _)| *member == node).count();
        times(self.rig.pace.span(shard, batch, (model, mates)), self.slow)
    }

    /// Stands still until then.
    pub(crate) fn stall(&mut self, now: Time, until: Time) {
        // What waits for others is not on the device.
        if matches!(self.running, Some(Running::Load { .. } | Running::Compute { .. })) {
            self.owed += until.since(self.still_until.max(now));
        }
        self.still_until = self.still_until.max(until);
    }

    /// Stands still no longer.
    pub(crate) fn wake(&mut self, now: Time) {
        (self.still_until, self.owed) = (self.still_until.min(now), Duration::ZERO);
    }

    /// Queues a job; gives it back if there is no room.
    pub(crate) fn give(&mut self, job: Job) -> Result<(), Job> {
        if self.queue.len() >= JOBS_MAX {
            return Err(job);
        }
        self.queue.push_back(job);
        Ok(())
    }

    /// Computes the batch at hand, as far as it can be without the others.
    pub(crate) fn compute(&mut self, work: &Work) -> Result<Outcome, ComputeFault> {
        if self.bad_batches > 0 {
            self.bad_batches -= 1;
            return Err(ComputeFault::Device);
        }
        let (_, shard) = self.holds.as_ref().ok_or(ComputeFault::Device)?;
        self.cache.compute(shard, &work.batch, work.input.as_ref().map(|Body(rows)| rows))
    }

    /// What this device hands on, given the others' parts.
    pub(crate) fn finish(
        &mut self,
        outcome: Outcome,
        work: &Work,
        others: &[Arc<[u64]>],
    ) -> Result<swarm_core::Computed, ComputeFault> {
        let (_, shard) = self.holds.as_ref().ok_or(ComputeFault::Device)?;
        outcome.finish(shard, &work.batch, others, (&mut self.cache, self.shape))
    }
}
