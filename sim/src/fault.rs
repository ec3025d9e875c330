//! What goes wrong with machines and, in [`ways`], between them, one thing a method.

mod ways;

use std::{collections::VecDeque, time::Duration};

use rand::RngExt;
use swarm_core::Input;
use swarm_proto::{Ballot, NodeId};

use crate::{
    Sabotage, World,
    film::Seen,
    host::{Host, State},
    keys::node_id,
    world::Event,
};

/// How long a connection may be silent before the network gives it up.
const IDLE_MAX: Duration = Duration::from_secs(10);

impl World {
    /// Kills a node's process. Others see its connections close a little later.
    pub fn kill(&mut self, number: usize) {
        self.die(number, State::Down);
        for other in self.acquainted(number) {
            self.disconnect(node_id(number), other);
        }
    }

    /// A node's machine is gone without a word: connections to it stand until they time out.
    pub fn vanish(&mut self, number: usize) {
        self.die(number, State::Vanished);
        let dead = node_id(number);
        for other in self.acquainted(number) {
            self.push_via(self.now + IDLE_MAX, other, Some(dead), Event::Idle(dead));
        }
    }

    fn die(&mut self, number: usize, state: State) {
        let id = node_id(number);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let seen = match state {
            _ if host.drains && host.is_there() => Seen::Ends(number),
            State::Vanished => Seen::Vanishes(number),
            _ => Seen::Dies(number),
        };
        host.state = state;
        host.life += 1;
        self.seen(seen);
        self.lose_clients(id);
        self.links.idle(number);
        self.obituary.died(id, self.now);
        self.log.note(self.now, id, "dead", &());
        for other in self.acquainted(number) {
            // What was on its way to it is lost; what it sent may arrive yet, as the life of those
            // who hear it goes on.
            self.links.get(id, other).up = false;
        }
        self.ghost(number);
    }

    /// Starts a node that is dead, or was never there, with what its disk has.
    pub fn restart(&mut self, number: usize) {
        let (id, seed) = (node_id(number), self.rng.random());
        let Some(host) = self.hosts.get_mut(&id).filter(|host| !host.is_there()) else { return };
        let ballot = match self.setup.sabotage {
            Sabotage::ReplayLive => Ballot::default(),
            Sabotage::LyingDisk => host.disk.without_last().clone(),
            _ => host.disk.durable().clone(),
        };
        host.start(seed, ballot);
        host.runs_since = self.now;
        let devices = host.devices();
        self.watch.started(id, self.hosts[&id].disk.durable());
        self.obituary.back(id);
        self.log.note(self.now, id, "starts", &());
        self.seen(Seen::Starts(number));
        let delay = self.between(1.0, 50.0);
        self.push(self.now + delay, id, Event::Input(Input::Measured(devices)));
        for other in self.acquainted(number) {
            self.reset(id, other);
        }
        self.introduce(number);
        self.replay(id);
    }

    /// A person restarts every node that says it is stranded, and has it join anew. Whether there
    /// was one.
    pub fn rejoin_stranded(&mut self) -> bool {
        let stranded: Vec<_> =
            self.hosts.values().filter(|host| host.stranded).map(|host| host.number).collect();
        for number in &stranded {
            self.kill(*number);
            if let Some(host) = self.hosts.get_mut(&node_id(*number)) {
                host.disk.forget_set();
                host.founds = false;
            }
            self.restart(*number);
        }
        !stranded.is_empty()
    }

    /// Asks a node to leave: it finishes what runs and takes nothing new, until it is restarted.
    pub fn drain(&mut self, number: usize) {
        let id = node_id(number);
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.is_there()) {
            host.drains = true;
            self.push(self.now, id, Event::Input(Input::Drain));
            self.seen(Seen::Leaves(number));
        }
    }

    /// Stops a node's process for so long. What comes for it waits, or, if connections are closed
    /// meanwhile, is lost.
    pub fn pause(&mut self, number: usize, span: Duration, closes: bool) {
        let id = node_id(number);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !matches!(host.state, State::Up) {
            return;
        }
        host.state = State::Paused(VecDeque::new());
        self.log.note(self.now, id, "paused", &span);
        self.seen(Seen::Pauses(number));
        if closes {
            for other in self.acquainted(number) {
                self.disconnect(id, other);
            }
        }
        self.push(self.now + span, id, Event::Resume);
    }

    pub(crate) fn resume(&mut self, id: NodeId) {
        let is_paused = |host: &&mut Host| matches!(host.state, State::Paused(_));
        let Some(host) = self.hosts.get_mut(&id).filter(is_paused) else { return };
        let State::Paused(held) = std::mem::replace(&mut host.state, State::Up) else { return };
        host.runs_since = self.now;
        let number = host.number;
        self.log.note(self.now, id, "resumed", &());
        self.seen(Seen::Resumes(number));
        for entry in held {
            self.requeue(self.now, entry);
        }
        self.introduce(number);
    }

    /// The next loads of a device fail.
    pub fn fail_loads(&mut self, number: usize, device: u8, loads: u32) {
        if let Some(worker) = self.device(number, device) {
            worker.bad_loads = loads;
        }
    }

    /// The next batches of a device fail.
    pub fn fail_batches(&mut self, number: usize, device: u8, batches: u32) {
        if let Some(worker) = self.device(number, device) {
            worker.bad_batches = batches;
        }
    }

    /// All devices of a node are so many times slower than they were measured to be.
    pub fn slow_machine(&mut self, number: usize, factor: f64) {
        for device in self.devices_of(number) {
            self.slow_device(number, device, factor);
        }
    }

    /// All devices of a node stand still for so long.
    pub fn stall_machine(&mut self, number: usize, span: Duration) {
        for device in self.devices_of(number) {
            self.stall_device(number, device, span);
        }
    }

    fn devices_of(&self, number: usize) -> Vec<u8> {
        let host = self.hosts.get(&node_id(number));
        host.map(|host| host.workers.keys().copied().collect()).unwrap_or_default()
    }

    /// A device is so many times slower than it was measured to be.
    pub fn slow_device(&mut self, number: usize, device: u8, factor: f64) {
        if let Some(worker) = self.device(number, device) {
            worker.slow = if factor.is_finite() { factor.max(1e-3) } else { 1.0 };
            let seen = match worker.slow {
                1.0 => Seen::Mends(number),
                slow => Seen::Slows(number, slow),
            };
            self.seen(seen);
        }
    }

    /// A device stands still for so long, while its node goes on.
    pub fn stall_device(&mut self, number: usize, device: u8, span: Duration) {
        let now = self.now;
        if let Some(worker) = self.device(number, device) {
            worker.stall(now, now + span);
            self.seen(Seen::Stalls(number));
        }
    }

    /// No device fails or is slow any more.
    pub fn mend_devices(&mut self) {
        for worker in self.hosts.values_mut().flat_map(|host| host.workers.values_mut()) {
            (worker.bad_loads, worker.bad_batches, worker.slow) = (0, 0, 1.0);
        }
    }

    fn device(&mut self, number: usize, device: u8) -> Option<&mut crate::worker::Worker> {
        self.hosts.get_mut(&node_id(number))?.workers.get_mut(&device)
    }

    /// Whoever a node has or had something to do with: where all meet, all others.
    pub(crate) fn acquainted(&self, number: usize) -> Vec<NodeId> {
        if self.all_meet() { self.others(number) } else { self.links.ends(node_id(number)) }
    }

    pub(crate) fn others(&self, number: usize) -> Vec<NodeId> {
        (0..self.hosts.len()).filter(|other| *other != number).map(node_id).collect()
    }
}
