//! A host: a real node, and what is made up around it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use swarm_core::{Config, Meetings, Node};
use swarm_proto::{Ballot, Device, NodeId, Time};

use crate::{
    Routers, Setup,
    clock::Clock,
    device::Shape,
    disk::Disk,
    gossip::Gossip,
    keys::{SimKeys, node_id},
    model,
    rig::Rig,
    worker::Worker,
    world::Entry,
};

/// What nodes are told if nothing else is said: what live ones are, but for a small KV cache.
pub(crate) fn usual() -> Config {
    Config { context_tokens: 512, ..Config::new(model::spec()) }
}

/// A machine with one node.
pub(crate) struct Host {
    pub(crate) number: usize,
    told: Config,
    routers: Routers,
    pub(crate) node: Node,
    pub(crate) workers: BTreeMap<u8, Worker>,
    pub(crate) meetings: Meetings<Arc<[u64]>>,
    /// Whether whoever waits there may find something else than when it last looked.
    pub(crate) stirred: bool,
    pub(crate) disk: Disk,
    pub(crate) state: State,
    /// Since when its process runs, or runs again.
    pub(crate) runs_since: Time,
    /// Whether it was asked to leave.
    pub(crate) drains: bool,
    /// Whether it founds a swarm if it knows of none.
    pub(crate) founds: bool,
    /// Whether it said that a person must have it join anew.
    pub(crate) stranded: bool,
    /// Rises with each death: what was under way before is not for the node that is there now.
    pub(crate) life: u32,
    pub(crate) clock: Clock,
    /// When its alarm is set to ring, by its own clock.
    pub(crate) armed: Time,
    /// With whom its node wants to be connected, and whether it is about to call them again.
    pub(crate) wished: Vec<NodeId>,
    pub(crate) seeks: bool,
    /// What its network has of gossip.
    pub(crate) gossip: Gossip,
}

/// What a host's process does.
#[derive(Debug)]
pub(crate) enum State {
    Up,
    /// Stopped by a signal; what comes for it waits in the buffers of its system.
    Paused(VecDeque<Entry>),
    /// Dead, and its connections closed.
    Down,
    /// Dead without a word: its cable was pulled, or its power.
    Vanished,
}

impl Host {
    /// A host that is down and has never been up.
    pub(crate) fn new(number: usize, rigs: &[Rig], setup: &Setup) -> Self {
        let shape = Shape::of(&setup.model);
        let worker = |rig: &Rig| (rig.told.index, Worker::new(rig.clone(), shape));
        let workers = rigs.iter().map(worker).collect();
        // Rows of simulated models are short.
        let told = Config { model: model::known(&setup.model), ..setup.told.clone() };
        let founds = number == 0;
        Self {
            number,
            node: mind(number, &told, founds, (0, 0), Ballot::default()),
            told,
            routers: setup.routers.clone(),
            workers,
            meetings: Meetings::new(node_id(number)),
            stirred: false,
            disk: Disk::default(),
            state: State::Down,
            runs_since: Time::ZERO,
            drains: false,
            founds,
            stranded: false,
            life: 0,
            clock: Clock::default(),
            armed: Time::NEVER,
            wished: Vec::new(),
            seeks: false,
            gossip: Gossip::default(),
        }
    }

    /// Starts a process that finds `ballot` on disk; its devices are empty.
    pub(crate) fn start(&mut self, seed: u64, ballot: Ballot) {
        let node = mind(self.number, &self.told, self.founds, (self.life, seed), ballot);
        self.node = node.routed_by(self.routers.make());
        self.wished.clear();
        self.seeks = false;
        self.gossip = Gossip::default();
        for worker in self.workers.values_mut() {
            *worker = Worker::new(worker.rig.clone(), worker.shape);
        }
        self.meetings = Meetings::new(node_id(self.number));
        self.state = State::Up;
        (self.drains, self.stranded) = (false, false);
        self.armed = Time::NEVER;
    }

    pub(crate) fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Where its devices meet others, which is about to change.
    pub(crate) fn meetings(&mut self) -> &mut Meetings<Arc<[u64]>> {
        self.stirred = true;
        &mut self.meetings
    }

    /// Whether its process is there, running or stopped.
    pub(crate) fn is_there(&self) -> bool {
        matches!(self.state, State::Up | State::Paused(_))
    }

    /// Its devices, as measured.
    pub(crate) fn devices(&self) -> Vec<Device> {
        self.workers.values().map(|worker| worker.rig.told.clone()).collect()
    }
}

fn mind(
    number: usize,
    told: &Config,
    founds: bool,
    (life, seed): (u32, u64),
    ballot: Ballot,
) -> Node {
    let advert_base = u64::from(life) * 1_000_000;
    let config = Config { founds, advert_base, ..told.clone() };
    Node::new(config, Box::new(SimKeys(node_id(number))), seed, ballot)
}
