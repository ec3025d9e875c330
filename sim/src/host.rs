//! A host: a real node, and what is made up around it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use swarm_core::{Config, Meetings, Node};
use swarm_proto::{Ballot, Device, ModelSpec, NodeId, Time};

use crate::{
    Routers,
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

/// What nodes are told otherwise than [`Config::new`] has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Knobs {
    /// Sessions of a batch.
    pub batch_sessions_max: Option<usize>,
    /// An entry's sessions through a pipeline, for each of its stages.
    pub stage_sessions_max: Option<u32>,
    /// Sessions that one entry runs at a time.
    pub sessions_max: Option<usize>,
    /// Requests that may wait at an entry.
    pub waiting_max: Option<usize>,
    /// How long they wait for their turn.
    pub turn_wait_max: Option<Duration>,
    /// How often neighbours hear of each other.
    pub beat_every: Option<Duration>,
    /// How long one may be silent.
    pub silence_max: Option<Duration>,
    /// KV cache to plan for, in tokens.
    pub context_tokens: Option<u32>,
}

impl Knobs {
    /// Milliseconds from beat to beat, and of silence, as they are in a live swarm.
    pub(crate) fn usual_ms() -> (f64, f64) {
        let usual = Config::new(model::spec());
        (usual.beat_every.as_secs_f64() * 1e3, usual.silence_max.as_secs_f64() * 1e3)
    }

    /// As a live node was told.
    pub fn of(config: &Config) -> Self {
        Self {
            batch_sessions_max: Some(config.batch_sessions_max),
            stage_sessions_max: Some(config.stage_sessions_max),
            sessions_max: Some(config.sessions_max),
            waiting_max: Some(config.waiting_max),
            turn_wait_max: Some(config.turn_wait_max),
            beat_every: Some(config.beat_every),
            silence_max: Some(config.silence_max),
            context_tokens: Some(config.context_tokens),
        }
    }

    fn set(self, config: Config) -> Config {
        Config {
            batch_sessions_max: self.batch_sessions_max.unwrap_or(config.batch_sessions_max),
            stage_sessions_max: self.stage_sessions_max.unwrap_or(config.stage_sessions_max),
            sessions_max: self.sessions_max.unwrap_or(config.sessions_max),
            waiting_max: self.waiting_max.unwrap_or(config.waiting_max),
            turn_wait_max: self.turn_wait_max.unwrap_or(config.turn_wait_max),
            beat_every: self.beat_every.unwrap_or(config.beat_every),
            silence_max: self.silence_max.unwrap_or(config.silence_max),
            context_tokens: self.context_tokens.unwrap_or(config.context_tokens),
            ..config
        }
    }
}

/// A machine with one node.
pub(crate) struct Host {
    pub(crate) number: usize,
    model: ModelSpec,
    knobs: Knobs,
    routers: Routers,
    pub(crate) node: Node,
    pub(crate) workers: BTreeMap<u8, Worker>,
    pub(crate) meetings: Meetings<Arc<[u64]>>,
    /// Whether whoever waits there may find something else than when it last looked.
    pub(crate) stirred: bool,
    pub(crate) disk: Disk,
    pub(crate) state: State,
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
    mesh_max: usize,
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
    pub(crate) fn new(
        number: usize,
        rigs: &[Rig],
        model: &ModelSpec,
        (knobs, mesh_max): (Knobs, usize),
        routers: Routers,
    ) -> Self {
        let shape = Shape::of(model);
        let worker = |rig: &Rig| (rig.told.index, Worker::new(rig.clone(), shape));
        let workers = rigs.iter().map(worker).collect();
        Self {
            number,
            model: model.clone(),
            knobs,
            node: mind((number, mesh_max), (model, knobs), number == 0, (0, 0), Ballot::default()),
            routers,
            workers,
            meetings: Meetings::new(node_id(number)),
            stirred: false,
            disk: Disk::default(),
            state: State::Down,
            drains: false,
            founds: number == 0,
            stranded: false,
            life: 0,
            clock: Clock::default(),
            armed: Time::NEVER,
            wished: Vec::new(),
            seeks: false,
            gossip: Gossip::default(),
            mesh_max,
        }
    }

    /// Starts a process that finds `ballot` on disk; its devices are empty.
    pub(crate) fn start(&mut self, seed: u64, ballot: Ballot) {
        let (who, told) = ((self.number, self.mesh_max), (&self.model, self.knobs));
        let node = mind(who, told, self.founds, (self.life, seed), ballot);
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
    (number, mesh_max): (usize, usize),
    (model, knobs): (&ModelSpec, Knobs),
    founds: bool,
    (life, seed): (u32, u64),
    ballot: Ballot,
) -> Node {
    let config = Config {
        founds,
        context_tokens: 512,
        mesh_max,
        advert_base: u64::from(life) * 1_000_000,
        // Sessions whose end was lost are to be let go of while a scenario still looks.
        idle_max: Duration::from_secs(30),
        ..Config::new(model::known(model))
    };
    Node::new(knobs.set(config), Box::new(SimKeys(node_id(number))), seed, ballot)
}
