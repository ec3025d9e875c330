//! The swarm: nodes, a clock, a queue.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_core::{Answer, Ask, Config, Effect, Input, Node, RequestId};
use swarm_proto::{Ballot, Hash, NodeId, Sampling, Time, codec};

use crate::{
    check::{Broken, Watch},
    device::{SimDevice, next_token},
    keys::{SimKeys, node_id},
    model,
};

/// A fault that is planted to see it caught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// None.
    #[default]
    None,
    /// Devices forget a KV block now and then.
    ForgetBlocks,
    /// A stage's activations are changed on the way.
    CorruptRows,
    /// Ballots are not kept over a restart.
    ForgetBallots,
    /// Half of the messages that end a session are lost, as by a network that does not say so.
    LoseClose,
}

/// A host: a real node, and what is made up around it.
struct Host {
    node: Node,
    device: SimDevice,
    memory_bytes: u64,
    armed: Time,
    up: bool,
    ballot: Ballot,
    /// Rises with each restart: what was under way before is not for the node that is there now.
    life: u32,
}

/// One client's request.
#[derive(Debug)]
struct Wanted {
    at: NodeId,
    prompt: Vec<u32>,
    tokens: usize,
    got: Vec<u32>,
    over: Option<String>,
}

/// A swarm on virtual time.
pub struct World {
    now: Time,
    rng: ChaCha8Rng,
    queue: BTreeMap<(Time, u64), (NodeId, u32, Input)>,
    scheduled: u64,
    hosts: BTreeMap<NodeId, Host>,
    /// When the last message from one to another arrives: links keep their order.
    links: BTreeMap<(NodeId, NodeId), Time>,
    wanted: BTreeMap<RequestId, Wanted>,
    asked: u64,
    watch: Watch,
    sabotage: Sabotage,
    log: blake3_log::Log,
    /// Inputs handled.
    pub events: u64,
}

mod blake3_log {
    //! The event log, as one hash: two runs are the same if their logs are.
    use swarm_proto::Hash;

    #[derive(Debug)]
    pub(super) struct Log(Hash);

    impl Log {
        pub(super) fn new() -> Self {
            Self(Hash([0; 32]))
        }

        pub(super) fn write(&mut self, line: &str) {
            self.0 = Hash::of(&[&self.0.0[..], line.as_bytes()].concat());
        }

        pub(super) fn hash(&self) -> Hash {
            self.0
        }
    }
}

impl World {
    /// Nodes with so much memory each; the first founds the swarm.
    pub fn new(memory_bytes: &[u64], seed: u64, sabotage: Sabotage) -> Self {
        let mut world = Self {
            now: Time::ZERO,
            rng: ChaCha8Rng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            scheduled: 0,
            hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            wanted: BTreeMap::new(),
            asked: 0,
            watch: Watch::default(),
            sabotage,
            log: blake3_log::Log::new(),
            events: 0,
        };
        for (number, memory) in memory_bytes.iter().enumerate() {
            let host = world.host(number, *memory, Ballot::default(), 0);
            world.hosts.insert(node_id(number), host);
        }
        for number in 0..memory_bytes.len() {
            world.boot(number);
        }
        world
    }

    fn host(&mut self, number: usize, memory_bytes: u64, ballot: Ballot, life: u32) -> Host {
        let id = node_id(number);
        let config = Config {
            founds: number == 0,
            context_tokens: 512,
            advert_base: u64::from(life) * 1_000_000,
            ..Config::new(model::spec())
        };
        let node = Node::new(config, Box::new(SimKeys(id)), self.rng.random(), ballot.clone());
        let (device, armed, up) = (SimDevice::default(), Time::NEVER, true);
        Host { node, device, memory_bytes, armed, up, ballot, life }
    }

    /// A node starts, and meets everyone who is there.
    fn boot(&mut self, number: usize) {
        let id = node_id(number);
        let memory = self.hosts[&id].memory_bytes;
        let delay = self.millis(1, 50);
        self.push(self.now + delay, id, Input::Measured(vec![model::device(memory)]));
        let others: Vec<_> =
            self.hosts.iter().filter(|(o, h)| **o != id && h.up).map(|(o, _)| *o).collect();
        for other in others {
            let delay = self.millis(50, 300);
            self.push(self.now + delay, id, Input::PeerUp(other));
            self.push(self.now + delay, other, Input::PeerUp(id));
        }
    }

    /// Kills a node. Others see its connections close a little later.
    pub fn kill(&mut self, number: usize) {
        let id = node_id(number);
        let Some(host) = self.hosts.get_mut(&id) else { return };
        host.up = false;
        host.life += 1;
        // Clients of a node that dies ask elsewhere; that is not simulated.
        self.wanted.retain(|_, wanted| wanted.at != id);
        self.log.write(&format!("{:?} kill {id:?}", self.now));
        let others: Vec<_> = self.hosts.iter().filter(|(_, h)| h.up).map(|(o, _)| *o).collect();
        for other in others {
            let delay = self.millis(1, 20);
            self.push(self.now + delay, other, Input::PeerDown(id));
        }
    }

    /// Starts a killed node again, with the ballot that it had on disk.
    pub fn restart(&mut self, number: usize) {
        let id = node_id(number);
        let Some(host) = self.hosts.get(&id) else { return };
        let (memory, life) = (host.memory_bytes, host.life);
        let ballot = match self.sabotage {
            Sabotage::ForgetBallots => Ballot::default(),
            _ => host.ballot.clone(),
        };
        let host = self.host(number, memory, ballot, life);
        self.hosts.insert(id, host);
        self.boot(number);
    }

    /// A client asks at a node.
    pub fn ask(&mut self, number: usize, prompt: Vec<u32>, tokens: usize) {
        let (at, request) = (node_id(number), RequestId(self.asked));
        let ask = Ask {
            tokens: prompt.clone(),
            answer_tokens_max: tokens as u32,
            sampling: Sampling::default(),
            end_tokens: Vec::new(),
        };
        self.asked += 1;
        self.wanted.insert(request, Wanted { at, prompt, tokens, got: Vec::new(), over: None });
        self.push(self.now, at, Input::Asked { request, ask });
    }

    /// Runs for so long, or until a property does not hold.
    pub fn run(&mut self, span: Duration) -> Result<(), Broken> {
        self.run_until(span, |_| false)
    }

    /// Runs for so long, or until something has come true.
    pub fn run_until(
        &mut self,
        span: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), Broken> {
        let end = self.now + span;
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), (to, life, input)) = entry.remove_entry();
            self.now = at;
            self.step(to, life, input)?;
            if done(self) {
                return Ok(());
            }
        }
        self.now = end;
        Ok(())
    }

    fn step(&mut self, to: NodeId, life: u32, input: Input) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&to).filter(|host| host.up && host.life == life) else {
            return Ok(());
        };
        self.events += 1;
        self.log.write(&format!("{:?} {to:?} {input:?}", self.now));
        let effects: Vec<_> = host.node.handle(self.now, input).collect();
        for effect in effects {
            self.perform(to, effect)?;
        }
        let Some(host) = self.hosts.get_mut(&to) else { return Ok(()) };
        let deadline = host.node.deadline();
        if host.armed != deadline {
            host.armed = deadline;
            self.push(deadline.max(self.now), to, Input::Tick);
        }
        self.watch.node(&self.hosts[&to].node)
    }

    fn perform(&mut self, from: NodeId, effect: Effect) -> Result<(), Broken> {
        match effect {
            Effect::Send { to, message } => self.carry(from, to, Input::Received { from, message }),
            Effect::Forward { to, header, body } => {
                let body = match self.sabotage {
                    Sabotage::CorruptRows if body.len() > 8 && self.rng.random_bool(0.05) => {
                        let mut bytes = body.to_vec();
                        bytes[3] ^= 1;
                        bytes.into()
                    }
                    _ => body,
                };
                self.carry(from, to, Input::Arrived { from, header, body });
            }
            Effect::Publish(advert) => {
                let others: Vec<_> = self.hosts.keys().filter(|o| **o != from).copied().collect();
                for other in others {
                    let delay = self.millis(2, 60);
                    self.push(self.now + delay, other, Input::Heard(advert.clone()));
                }
            }
            Effect::Persist(ballot) => {
                self.watch.ballot(from, &ballot)?;
                if let Some(host) = self.hosts.get_mut(&from) {
                    host.ballot = ballot.clone();
                }
                let delay = self.millis(1, 8);
                self.push(self.now + delay, from, Input::Persisted(ballot));
            }
            Effect::Plan { request, pool } => {
                let outcome = swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default());
                let outcome = outcome.map(|found| found.plan).map_err(|error| error.to_string());
                let delay = self.millis(1, 30);
                self.push(self.now + delay, from, Input::Planned { request, outcome });
            }
            Effect::Load { plan, device, shard } => {
                if let Some(host) = self.hosts.get_mut(&from) {
                    host.device = SimDevice::default();
                    host.device.shard = Some(shard);
                }
                let delay = self.millis(20, 200);
                self.push(self.now + delay, from, Input::Loaded { plan, device, outcome: Ok(()) });
            }
            Effect::Unload { .. } => {
                if let Some(host) = self.hosts.get_mut(&from) {
                    host.device = SimDevice::default();
                }
            }
            Effect::Compute { device, job, batch, input, .. } => {
                let forget = self.sabotage == Sabotage::ForgetBlocks && self.rng.random_bool(0.02);
                let Some(host) = self.hosts.get_mut(&from) else { return Ok(()) };
                if forget {
                    host.device.forget();
                }
                let vocab = model::spec().vocab;
                let outcome = host.device.compute(&batch, input.as_ref(), vocab);
                let span = Duration::from_micros(2_000 + 40 * batch.rows() as u64);
                self.push(self.now + span, from, Input::Computed { device, job, outcome });
            }
            Effect::Answer { request, event } => return self.answer(request, event),
            Effect::Notice(notice) => self.log.write(&format!("{from:?} {notice:?}")),
        }
        Ok(())
    }

    fn answer(&mut self, request: RequestId, event: Answer) -> Result<(), Broken> {
        let Some(wanted) = self.wanted.get_mut(&request) else { return Ok(()) };
        match event {
            Answer::Started { .. } => {}
            Answer::Token(sampled) => {
                let context = [wanted.prompt.as_slice(), wanted.got.as_slice()].concat();
                let expected = next_token(&context, model::spec().vocab);
                let (step, found) = (wanted.got.len(), sampled.token);
                wanted.got.push(found);
                if found != expected {
                    return Err(Broken::WrongToken { step, found, expected });
                }
            }
            Answer::Finished(finish) => wanted.over = Some(format!("{finish:?}")),
            Answer::Failed(refusal) => wanted.over = Some(refusal.to_string()),
        }
        Ok(())
    }

    /// Carries something over a link: in order, and not to or from the dead.
    fn carry(&mut self, from: NodeId, to: NodeId, input: Input) {
        if !self.hosts.get(&to).is_some_and(|host| host.up) {
            let delay = self.millis(1, 5);
            self.push(self.now + delay, from, Input::Undeliverable(to));
            return;
        }
        let lose = self.sabotage == Sabotage::LoseClose
            && format!("{input:?}").contains("Close")
            && self.rng.random_bool(0.5);
        if lose {
            return;
        }
        let delay = self.millis(1, 6);
        let at = (self.now + delay).max(self.links.get(&(from, to)).copied().unwrap_or(Time::ZERO));
        self.links.insert((from, to), at);
        self.push(at, to, input);
    }

    fn push(&mut self, at: Time, to: NodeId, input: Input) {
        let life = self.hosts.get(&to).map_or(0, |host| host.life);
        self.queue.insert((at, self.scheduled), (to, life, input));
        self.scheduled += 1;
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(low * 1000..high * 1000))
    }

    /// Whether all nodes that are up know the same live plan, whose members are up.
    pub fn serves(&self) -> bool {
        let up = || self.hosts.values().filter(|host| host.up);
        let Some(plan) = up().next().and_then(|host| host.node.live_plan()) else { return false };
        let whole = plan.members().all(|m| self.hosts.get(&m.node).is_some_and(|host| host.up));
        whole && up().all(|host| host.node.live_plan().map(|p| p.id) == Some(plan.id))
    }

    /// How many voters the first node knows of.
    pub fn voters(&self) -> usize {
        self.hosts.values().map(|host| host.node.voters().len()).max().unwrap_or(0)
    }

    /// Whether every answer is over.
    pub fn answered(&self) -> bool {
        self.wanted.values().all(|wanted| wanted.over.is_some())
    }

    /// How many tokens clients have got.
    pub fn tokens(&self) -> usize {
        self.wanted.values().map(|wanted| wanted.got.len()).sum()
    }

    /// The number of the node that leads a stage of the live plan.
    pub fn leader_of_stage(&self, stage: usize) -> Option<usize> {
        let up = self.hosts.values().find(|host| host.up)?;
        let node = up.node.live_plan()?.pipelines[0].stages.get(stage)?.leader().node;
        (0..self.hosts.len()).find(|number| node_id(*number) == node)
    }

    /// What must hold at the end: every answer whole, nothing left over.
    pub fn finish(&self) -> Result<(), Broken> {
        for wanted in self.wanted.values() {
            let whole =
                wanted.got.len() == wanted.tokens && wanted.over.as_deref() == Some("Length");
            if !whole {
                return Err(Broken::Unanswered {
                    tokens: wanted.got.len(),
                    wanted: wanted.tokens,
                    reason: wanted.over.clone().unwrap_or_default(),
                });
            }
        }
        let busy = self.hosts.iter().find(|(_, host)| host.up && !host.node.is_idle());
        busy.map_or(Ok(()), |(node, _)| Err(Broken::Leftover { node: *node }))
    }

    /// A hash over everything that happened.
    pub fn log(&self) -> Hash {
        Hash::of(&codec::encode(&(self.log.hash(), self.events)))
    }
}
