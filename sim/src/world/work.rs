//! What devices do: loading, computing, and meeting the other members of their stage.

use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};
use swarm_core::{ComputeFault, Computed, Found, Input, MEETING_MAX, Seat, Shard};
use swarm_proto::{LayerRange, NodeId, PlanId};

use super::{Event, Part};
use crate::{
    Sabotage, World,
    check::{Broken, fits, known_blocks, meant_blocks, one_piece},
    keys::node_id,
    model,
    worker::{Job, Running, Work, Worker, times},
};

impl World {
    fn worker(&mut self, node: NodeId, device: u8) -> Option<&mut Worker> {
        self.hosts.get_mut(&node)?.workers.get_mut(&device)
    }

    pub(super) fn load(
        &mut self,
        node: NodeId,
        load: u64,
        plan: PlanId,
        device: u8,
        shard: Shard,
    ) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        host.meetings().form(plan, &shard);
        let number = host.number;
        let Some(worker) = host.workers.get_mut(&device) else { return Ok(()) };
        let memory_bytes = match self.setup.sabotage {
            Sabotage::SmallDevices => worker.rig.told.memory_bytes / 4,
            _ => worker.rig.told.memory_bytes,
        };
        fits(&model::known(&self.setup.model), (number, device), &shard, memory_bytes)?;
        if worker.give(Job::Load { load, plan, shard }).is_err() {
            let outcome = Err(format!("device {device} takes no more jobs"));
            let input = Input::Loaded { load, device, outcome };
            self.push(self.now, node, Event::Input(input));
        }
        self.next_job(node, device);
        Ok(())
    }

    pub(super) fn unload(&mut self, node: NodeId, device: u8) -> Result<(), Broken> {
        if let Some(worker) = self.worker(node, device) {
            // A thread whose queue is full keeps what it holds.
            drop(worker.give(Job::Unload));
        }
        self.next_job(node, device);
        Ok(())
    }

    pub(super) fn compute(
        &mut self,
        node: NodeId,
        device: u8,
        mut work: Work,
    ) -> Result<(), Broken> {
        if self.setup.sabotage == Sabotage::SplitPieces {
            work.split_last();
        }
        let forgets = self.setup.sabotage == Sabotage::ForgetBlocks && self.rng.random_bool(0.02);
        let hasty = self.setup.sabotage == Sabotage::EarlyDone && work.group.is_none();
        let swaps = self.setup.sabotage == Sabotage::SwapBlocks && self.rng.random_bool(0.2);
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let number = host.number;
        let Some(worker) = host.workers.get_mut(&device) else { return Ok(()) };
        if forgets {
            worker.cache.clear();
        }
        if swaps {
            worker.cache.swap(0, 1);
        }
        if let Some((_, shard)) = &worker.holds
            && worker.queue.is_empty()
        {
            known_blocks(number, device, shard, &work.batch)?;
            one_piece(number, device, &work.batch)?;
            if worker.running.is_none() {
                let held = (shard, &worker.cache);
                meant_blocks((number, device), held, &work.batch, &self.clients)?;
            }
        }
        let busy = worker.queue.iter().any(|job| matches!(job, Job::Compute(_)));
        if busy {
            return Err(Broken::TwoBatches { node: number, device });
        }
        if hasty {
            let outcome = worker.compute(&work);
            let outcome = outcome.and_then(|outcome| worker.finish(outcome, &work, &[]));
            let job = work.job;
            drop(worker.give(Job::Compute(work)));
            self.computed(node, device, job, outcome);
        } else if let Err(Job::Compute(work)) = worker.give(Job::Compute(work)) {
            self.computed(node, device, work.job, Err(ComputeFault::Device));
        }
        self.next_job(node, device);
        Ok(())
    }

    fn computed(
        &mut self,
        node: NodeId,
        device: u8,
        job: u64,
        outcome: Result<Computed, ComputeFault>,
    ) {
        let input = Input::Computed { device, job, outcome };
        self.push(self.now, node, Event::Input(input));
    }

    /// Begins the next job of a device that has none.
    fn next_job(&mut self, node: NodeId, device: u8) {
        loop {
            let Some(worker) = self.worker(node, device).filter(|w| w.running.is_none()) else {
                return;
            };
            let Some(job) = worker.queue.pop_front() else { return };
            worker.serial += 1;
            if let Some(span) = self.begin(node, device, job)
                && let Some(worker) = self.worker(node, device)
            {
                let (serial, goes_on) = (worker.serial, worker.still_until);
                let at = goes_on.max(self.now) + span;
                return self.push(at, node, Event::Due { device, serial });
            }
        }
    }

    /// Begins a job, and says how long it takes; of one that is over at once, nothing.
    fn begin(&mut self, node: NodeId, device: u8, job: Job) -> Option<Duration> {
        let drawn = match job {
            Job::Load { .. } => self.between(20.0, 200.0),
            _ => Duration::ZERO,
        };
        let noise = self.noise();
        let host = self.hosts.get_mut(&node)?;
        let worker = host.workers.get_mut(&device)?;
        match job {
            Job::Unload => {
                worker.holds = None;
                None
            }
            Job::Load { load, plan, shard } => {
                let held = worker.holds.take();
                let kept = held.is_some_and(|(_, held)| shard.same_weights(&held));
                worker.cache.clear();
                worker.running = Some(Running::Load { load, plan, shard });
                Some(if kept { Duration::ZERO } else { drawn })
            }
            Job::Compute(work) => {
                let span = times(worker.span(node, &work.batch, &self.setup.model), noise);
                let seat = work.group.map(|key| host.meetings.seat(key, device));
                if seat.is_some_and(|seat| seat.is_none()) {
                    self.computed(node, device, work.job, Err(ComputeFault::Group));
                    return None;
                }
                worker.running = Some(Running::Compute { work, seat: seat.flatten() });
                Some(span)
            }
        }
    }

    /// How many times as long as on average a batch takes, drawn.
    fn noise(&mut self) -> f64 {
        let cv = self.setup.noise;
        let drawn = (cv > 0.0).then(|| LogNormal::from_mean_cv(1.0, cv).ok()).flatten();
        drawn.map_or(1.0, |times| times.sample(&mut self.rng))
    }

    /// Devices of a machine that stood still go on, and are done with what they had begun.
    pub(crate) fn wake_machine(&mut self, number: usize) {
        let (node, now) = (node_id(number), self.now);
        let Some(host) = self.hosts.get_mut(&node) else { return };
        let wake = |(device, worker): (&u8, &mut Worker)| {
            worker.wake(now);
            (*device, worker.serial)
        };
        let awake: Vec<_> = host.workers.iter_mut().map(wake).collect();
        for (device, serial) in awake {
            self.push(now, node, Event::Due { device, serial });
        }
    }

    /// A device is done with what it does alone.
    pub(super) fn due(&mut self, node: NodeId, device: u8, serial: u64) -> Result<(), Broken> {
        let sabotage = self.setup.sabotage;
        let Some(worker) = self.worker(node, device) else { return Ok(()) };
        if worker.serial != serial {
            return Ok(());
        }
        if !worker.owed.is_zero() {
            let owed = std::mem::take(&mut worker.owed);
            self.push(self.now + owed, node, Event::Due { device, serial });
            return Ok(());
        }
        match worker.running.take() {
            Some(Running::Load { load, plan, mut shard }) => {
                let fails = worker.bad_loads > 0 || sabotage == Sabotage::DeadDevices;
                if sabotage == Sabotage::FewBlocks {
                    shard.kv_blocks = shard.kv_blocks.min(2);
                }
                if sabotage == Sabotage::HalfLoads {
                    let (first, layers) = (shard.layers.first(), shard.layers.len());
                    let half = LayerRange::new(first, first + layers.div_ceil(2));
                    shard.layers = half.unwrap_or(shard.layers);
                }
                worker.bad_loads = worker.bad_loads.saturating_sub(1);
                let outcome = if fails {
                    Err("the device failed".to_owned())
                } else {
                    worker.holds = Some((plan, shard));
                    Ok(())
                };
                let input = Input::Loaded { load, device, outcome };
                self.push(self.now, node, Event::Input(input));
            }
            Some(Running::Compute { work, seat }) => self.worked(node, device, work, seat),
            meets @ Some(Running::Meet { .. }) => worker.running = meets,
            None => {}
        }
        self.next_job(node, device);
        self.poll(node)
    }

    /// Nobody waits for others for ever.
    pub(super) fn overdue(&mut self, node: NodeId, device: u8) -> Result<(), Broken> {
        let now = self.now;
        let Some(worker) = self.worker(node, device) else { return Ok(()) };
        worker.watched = false;
        match worker.running.take() {
            Some(Running::Meet { work, .. }) if worker.waits_until <= now => {
                self.computed(node, device, work.job, Err(ComputeFault::Group));
                self.next_job(node, device);
            }
            running => {
                let waits = matches!(running, Some(Running::Meet { .. }));
                worker.running = running;
                if waits {
                    self.watch_over(node, device);
                }
            }
        }
        Ok(())
    }

    /// Sets an alarm for when a device has waited too long, if none is set.
    fn watch_over(&mut self, node: NodeId, device: u8) {
        let Some(worker) = self.worker(node, device) else { return };
        let until = worker.waits_until;
        if !std::mem::replace(&mut worker.watched, true) {
            self.push(until, node, Event::Overdue { device });
        }
    }

    /// A device has computed its part.
    fn worked(&mut self, node: NodeId, device: u8, work: Work, seat: Option<Seat>) {
        let now = self.now;
        let Some(worker) = self.worker(node, device) else { return };
        let outcome = match worker.compute(&work) {
            Ok(outcome) => outcome,
            Err(fault) => return self.computed(node, device, work.job, Err(fault)),
        };
        let Some(seat) = seat else {
            let outcome = worker.finish(outcome, &work, &[]);
            return self.computed(node, device, work.job, outcome);
        };
        let part = Part { header: seat.header(), values: outcome.part.clone() };
        let layers = worker.holds.as_ref().map_or(0, |(_, shard)| shard.layers.len());
        worker.running = Some(Running::Meet { work, seat, outcome });
        worker.waits_until = now + MEETING_MAX;
        self.watch_over(node, device);
        let Some(host) = self.hosts.get_mut(&node) else { return };
        host.meetings().give(&seat, part.values.clone());
        for other in host.meetings.hosts(&seat) {
            self.carry_part(node, other, part.clone(), layers);
        }
    }

    /// A part came from another host.
    pub(super) fn part(&mut self, to: NodeId, from: NodeId, part: Part) -> Result<(), Broken> {
        if let Some(host) = self.hosts.get_mut(&to) {
            // One that is refused is late, or of another time: the node logs it and goes on.
            let _ = host.meetings().arrived(from, part.header, part.values);
        }
        self.poll(to)
    }

    /// Whoever waits for others looks whether they are there.
    pub(crate) fn poll(&mut self, node: NodeId) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        if !std::mem::take(&mut host.stirred) {
            return Ok(());
        }
        let devices = host.workers.len() as u8;
        for device in 0..devices {
            let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
            let Some(worker) = host.workers.get_mut(&device) else { continue };
            let Some(Running::Meet { seat, .. }) = &worker.running else { continue };
            let others = match host.meetings.look(seat) {
                Found::Some => continue,
                Found::All(others) => Some(others),
                Found::Gone => None,
            };
            let Some(Running::Meet { work, outcome, .. }) = worker.running.take() else { continue };
            let finished = match others {
                Some(others) => worker.finish(outcome, &work, &others),
                None => Err(ComputeFault::Group),
            };
            self.computed(node, device, work.job, finished);
            self.next_job(node, device);
        }
        Ok(())
    }
}
