//! What devices do: loading, computing, and meeting the other members of their stage.

use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};
use swarm_core::{ComputeFault, Computed, Found, Input, MEETING_MAX, Seat, Shard};
use swarm_proto::{LayerRange, NodeId, PlanId};

use super::{Event, Part};
use crate::{
    Sabotage, World,
    check::{Broken, fits, known_blocks, meant_blocks},
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
        host.meetings.form(plan, &shard);
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

    pub(super) fn compute(&mut self, node: NodeId, device: u8, work: Work) -> Result<(), Broken> {
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
        let load_span = self.between(20.0, 200.0);
        let noise = self.noise();
        let now = self.now;
        loop {
            let Some(host) = self.hosts.get_mut(&node) else { return };
            let Some(worker) = host.workers.get_mut(&device) else { return };
            if worker.running.is_some() {
                return;
            }
            let Some(job) = worker.queue.pop_front() else { return };
            worker.serial += 1;
            let serial = worker.serial;
            let goes_on = worker.still_until.max(now);
            let span = match job {
                Job::Unload => {
                    worker.holds = None;
                    continue;
                }
                Job::Load { load, plan, shard } => {
                    let held = worker.holds.take();
                    let kept = held.is_some_and(|(_, held)| shard.same_weights(&held));
                    worker.cache.clear();
                    worker.running = Some(Running::Load { load, plan, shard });
                    if kept { Duration::ZERO } else { load_span }
                }
                Job::Compute(work) => {
                    let span = worker.span(node, &work.batch, &self.setup.model);
                    let span = times(span, noise);
                    let seat = work.group.map(|key| host.meetings.seat(key, device));
                    if seat.is_some_and(|seat| seat.is_none()) {
                        self.computed(node, device, work.job, Err(ComputeFault::Group));
                        continue;
                    }
                    let seat = seat.flatten();
                    if let Some(worker) = host.workers.get_mut(&device) {
                        worker.running = Some(Running::Compute { work, seat });
                    }
                    span
                }
            };
            self.push(goes_on + span, node, Event::Due { device, serial });
            return;
        }
    }

    /// How many times as long as on average a batch takes, drawn.
    fn noise(&mut self) -> f64 {
        let cv = self.setup.noise;
        let drawn = (cv > 0.0).then(|| LogNormal::from_mean_cv(1.0, cv).ok()).flatten();
        drawn.map_or(1.0, |times| times.sample(&mut self.rng))
    }

    /// A device is done with what it does alone, or has waited too long for others.
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
            Some(Running::Meet { work, .. }) => {
                self.computed(node, device, work.job, Err(ComputeFault::Group));
            }
            None => {}
        }
        self.next_job(node, device);
        self.poll(node)
    }

    /// A device has computed its part.
    fn worked(&mut self, node: NodeId, device: u8, work: Work, seat: Option<Seat>) {
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
        let serial = worker.serial;
        self.push(self.now + MEETING_MAX, node, Event::Due { device, serial });
        let Some(host) = self.hosts.get_mut(&node) else { return };
        host.meetings.give(&seat, part.values.clone());
        for other in host.meetings.hosts(&seat) {
            self.carry_part(node, other, part.clone(), layers);
        }
    }

    /// A part came from another host.
    pub(super) fn part(&mut self, to: NodeId, from: NodeId, part: Part) -> Result<(), Broken> {
        if let Some(host) = self.hosts.get_mut(&to) {
            // One that is refused is late, or of another time: the node logs it and goes on.
            let _ = host.meetings.arrived(from, part.header, part.values);
        }
        self.poll(to)
    }

    /// Whoever waits for others looks whether they are there.
    pub(crate) fn poll(&mut self, node: NodeId) -> Result<(), Broken> {
        let devices = self.hosts.get(&node).map_or(0, |host| host.workers.len() as u8);
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
