//! The bench: nodes, and a world that does at once what they want.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use swarm_core::{
    Answer, Ask, Body, ComputeFault, Computed, Config, Effect, Input, Keys, Node, Notice,
    RequestId, Router, Shard, Soonest,
};
use swarm_proto::{
    Attempt, Ballot, Batch, ColumnRange, Device, DeviceKind, Epoch, FrameHeader, Hash, HeadRange,
    LayerRange, Member, Message, ModelSpec, NodeId, Pipeline, Plan, PlanId, Pool, Predicted,
    Sampled, Sampling, SessionMessage, Signature, Stage, Time,
};

/// Whether a message from one to another is lost.
type Loss = fn(NodeId, NodeId, &Message) -> bool;

/// Nodes on a bench.
pub(crate) struct Lab {
    pub(crate) now: Time,
    nodes: BTreeMap<NodeId, Node>,
    queue: VecDeque<(NodeId, Input)>,
    /// Pairs between which nothing passes, in that direction.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// What is lost between everyone.
    pub(crate) lose: Loss,
    /// What a test wants otherwise of every node.
    change: fn(&mut Config),
    /// What decides where sessions of nodes go that start from now on.
    pub(crate) router: fn() -> Box<dyn Router>,
    /// Machines that a plan needs at least.
    pub(crate) machines_min: u32,
    /// Nodes whose devices refuse what they are to load.
    pub(crate) cannot_load: BTreeSet<NodeId>,
    /// Nodes whose devices fail every batch.
    pub(crate) cannot_compute: BTreeSet<NodeId>,
    /// Nodes whose devices never finish loading.
    pub(crate) slow_to_load: BTreeSet<NodeId>,
    /// Nodes whose disks do not answer.
    pub(crate) slow_disks: BTreeSet<NodeId>,
    /// What each node wrote down last.
    pub(crate) disks: BTreeMap<NodeId, Ballot>,
    /// How often devices were told to load.
    pub(crate) loads: usize,
    /// What devices hold.
    pub(crate) shards: BTreeMap<NodeId, (PlanId, Shard)>,
    pub(crate) notices: Vec<(NodeId, Notice)>,
    pub(crate) sent: Vec<(NodeId, NodeId, Message)>,
    pub(crate) answers: Vec<(RequestId, Answer)>,
    /// Sessions that members were asked to make room for.
    pub(crate) opened: Vec<Attempt>,
    /// With whom each node last wished to be connected.
    pub(crate) wishes: BTreeMap<NodeId, Vec<NodeId>>,
}

/// A key whose signatures are hashes; tests that forge one simply sign as somebody else.
pub(crate) struct LabKeys(pub(crate) NodeId);

impl Keys for LabKeys {
    fn id(&self) -> NodeId {
        self.0
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        let hash = Hash::of(&[&self.0.0, bytes].concat()).0;
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&hash);
        Signature(signature)
    }

    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool {
        LabKeys(author).sign(bytes) == *signature
    }
}

/// The id of a node; they are in the order of their numbers.
pub(crate) fn id(number: u8) -> NodeId {
    NodeId([number; 32])
}

/// A model of four layers.
pub(crate) fn model() -> ModelSpec {
    ModelSpec {
        name: "lab".to_owned(),
        hash: Hash::of(b"lab"),
        layers: 4,
        hidden: 8,
        heads: 2,
        kv_heads: 1,
        head_dim: 4,
        ffn: 32,
        ffn_grain: 32,
        vocab: 1000,
        context_max: 1024,
        head_bytes: 100,
        column_bytes: 10.0,
        layer_shared_bytes: 64,
        embedding_bytes: 1000,
        output_bytes: 1000,
        tied: true,
        kv_bytes: 32,
    }
}

/// A stage for every machine, of as many layers each.
fn even(pool: &Pool, machines_min: u32) -> Result<Plan, String> {
    let count = pool.machines.len() as u32;
    if count < machines_min || count > pool.model.layers {
        return Err(format!("{count} machines"));
    }
    let cut = |index: u32| index * pool.model.layers / count;
    let stages = pool.machines.iter().zip(0..).map(|(machine, index)| Stage {
        layers: LayerRange::new(cut(index), cut(index + 1)).unwrap(),
        members: vec![Member {
            node: machine.node,
            device: 0,
            kv_heads: HeadRange::new(0, 1).unwrap(),
            ffn_columns: ColumnRange::new(0, 32).unwrap(),
        }],
        step_us: 0,
    });
    Ok(Plan {
        id: PlanId::default(),
        leader: id(0),
        model: pool.model.hash,
        pipelines: vec![Pipeline { stages: stages.collect(), predicted: Predicted::default() }],
    })
}

impl Lab {
    /// Nodes 1 to `count`, the first of which founds; nobody knows anybody.
    pub(crate) fn new(count: u8) -> Self {
        Self::with(count, |_| {})
    }

    /// The same, of nodes that differ in something.
    pub(crate) fn with(count: u8, change: fn(&mut Config)) -> Self {
        let mut lab = Self {
            change,
            router: || Box::new(Soonest),
            now: Time::ZERO + Duration::from_millis(1),
            nodes: BTreeMap::new(),
            queue: VecDeque::new(),
            cut: BTreeSet::new(),
            lose: |_, _, _| false,
            machines_min: 1,
            cannot_load: BTreeSet::new(),
            cannot_compute: BTreeSet::new(),
            slow_to_load: BTreeSet::new(),
            slow_disks: BTreeSet::new(),
            disks: BTreeMap::new(),
            loads: 0,
            shards: BTreeMap::new(),
            notices: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
            opened: Vec::new(),
            wishes: BTreeMap::new(),
        };
        for number in 1..=count {
            lab.start(number, number == 1);
        }
        lab
    }

    /// Nodes that know each other, with a plan that all of them know to serve.
    pub(crate) fn serving(count: u8) -> Self {
        Self::new(count).served()
    }

    /// The same nodes, once they serve.
    pub(crate) fn served(mut self) -> Self {
        let count = self.nodes.len();
        let lab = &mut self;
        lab.introduce();
        lab.until(10_000, |lab| {
            let nodes = || lab.nodes.values();
            let live = lab.node(1).live_plan().map(|plan| plan.id);
            live.is_some()
                && nodes().all(|node| node.live_plan().map(|plan| plan.id) == live)
                && nodes().all(|node| node.voters().len() == lab.node(1).voters().len())
                && lab.node(1).voters().len() >= (count - 1) | 1
        });
        self
    }

    /// Starts a node, or starts one anew with what its disk remembers.
    pub(crate) fn start(&mut self, number: u8, founds: bool) {
        let mut config = Config {
            founds,
            advert_base: self.now.0,
            context_tokens: 64,
            load_max: Duration::from_secs(5),
            ..Config::new(model())
        };
        (self.change)(&mut config);
        let ballot = self.disks.get(&id(number)).cloned().unwrap_or_default();
        let node = Node::new(config, Box::new(LabKeys(id(number))), u64::from(number), ballot);
        self.nodes.insert(id(number), node.routed_by((self.router)()));
        self.shards.remove(&id(number));
        self.give(number, Input::Measured(vec![device(b"lab")]));
    }

    /// Everyone meets everyone.
    pub(crate) fn introduce(&mut self) {
        let all: Vec<_> = self.nodes.keys().copied().collect();
        for one in &all {
            for other in all.iter().filter(|other| *other != one) {
                self.queue.push_back((*one, Input::PeerUp(*other)));
            }
        }
        self.settle();
    }

    /// One meets everyone.
    pub(crate) fn meet(&mut self, number: u8) {
        let others: Vec<_> = self.nodes.keys().copied().filter(|o| *o != id(number)).collect();
        for other in others {
            self.queue.push_back((other, Input::PeerUp(id(number))));
            self.queue.push_back((id(number), Input::PeerUp(other)));
        }
        self.settle();
    }

    /// A process ends; its peers see their connections close.
    pub(crate) fn kill(&mut self, number: u8) {
        self.nodes.remove(&id(number));
        self.shards.remove(&id(number));
        self.queue.retain(|(to, _)| *to != id(number));
        let others: Vec<_> = self.nodes.keys().copied().collect();
        for other in others {
            self.queue.push_back((other, Input::PeerDown(id(number))));
        }
        self.settle();
    }

    /// Nothing passes between these any more, and nobody says so.
    pub(crate) fn part(&mut self, one: u8, other: u8) {
        self.cut.insert((id(one), id(other)));
        self.cut.insert((id(other), id(one)));
    }

    /// Everything passes again.
    pub(crate) fn heal(&mut self) {
        self.cut.clear();
    }

    pub(crate) fn node(&self, number: u8) -> &Node {
        &self.nodes[&id(number)]
    }

    pub(crate) fn numbers(&self) -> Vec<u8> {
        self.nodes.keys().map(|node| node.0[0]).collect()
    }

    /// The number of the node that leads, as one sees it.
    pub(crate) fn leader(&self, seen_by: u8) -> u8 {
        self.node(seen_by).leader().unwrap().0[0]
    }

    /// Hands a node one input, and does all that follows.
    pub(crate) fn give(&mut self, number: u8, input: Input) {
        self.queue.push_back((id(number), input));
        self.settle();
    }

    /// A client asks for so many tokens.
    pub(crate) fn ask(&mut self, number: u8, request: u64, tokens: u32) {
        let ask = Ask {
            tokens: vec![7; 20],
            answer_tokens_max: tokens,
            sampling: Sampling::default(),
            end_tokens: Vec::new(),
        };
        self.give(number, Input::Asked { request: RequestId(request), ask });
    }

    /// The tokens that a request has got.
    pub(crate) fn tokens(&self, request: u64) -> Vec<u32> {
        let ours = self.answers.iter().filter(|(of, _)| *of == RequestId(request));
        let token = |(_, answer): &(_, Answer)| match answer {
            Answer::Token(sampled) => Some(sampled.token),
            _ => None,
        };
        ours.filter_map(token).collect()
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.until_or(millis, |_| false);
    }

    /// Lets time pass until something has come true; fails if it does not.
    pub(crate) fn until(&mut self, millis: u64, done: impl Fn(&Self) -> bool) {
        assert!(self.until_or(millis, done), "not within {millis} ms: {:?}", self.notices);
    }

    fn until_or(&mut self, millis: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_millis(millis);
        loop {
            if done(self) {
                return true;
            }
            let next = self.nodes.iter().map(|(id, node)| (node.deadline(), *id)).min();
            let Some((at, node)) = next.filter(|(at, _)| *at <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(at) + Duration::from_micros(1);
            self.queue.push_back((node, Input::Tick));
            self.settle();
        }
    }

    fn settle(&mut self) {
        while let Some((to, input)) = self.queue.pop_front() {
            let Some(node) = self.nodes.get_mut(&to) else { continue };
            let effects: Vec<_> = node.handle(self.now, input).collect();
            for effect in effects {
                self.perform(to, effect);
            }
        }
    }

    fn perform(&mut self, from: NodeId, effect: Effect) {
        let mut say = |input| self.queue.push_back((from, input));
        match effect {
            Effect::Send { to, message } => self.carry(from, to, message),
            Effect::Forward { to, header, body } => {
                if let FrameHeader::Session(SessionMessage::Open(open)) = &header {
                    self.opened.push(open.attempt);
                }
                if self.cut.contains(&(from, to)) {
                    return;
                }
                match self.nodes.contains_key(&to) {
                    true => self.queue.push_back((to, Input::Arrived { from, header, body })),
                    false => self.queue.push_back((from, Input::Undeliverable(to))),
                }
            }
            Effect::Publish(advert) => {
                let others = self.nodes.keys().filter(|other| **other != from);
                let heard = others.filter(|other| !self.cut.contains(&(from, **other)));
                let heard: Vec<_> = heard.map(|o| (*o, Input::Heard(advert.clone()))).collect();
                self.queue.extend(heard);
            }
            Effect::Persist(ballot) => {
                if !self.slow_disks.contains(&from) {
                    self.disks.insert(from, (*ballot).clone());
                    say(Input::Persisted(ballot));
                }
            }
            Effect::Plan { request, pool } => {
                say(Input::Planned { request, outcome: even(&pool, self.machines_min) })
            }
            Effect::Load { load, plan, device, shard } => {
                self.loads += 1;
                let outcome = match self.cannot_load.contains(&from) {
                    true => Err("the lab says no".to_owned()),
                    false => Ok(()),
                };
                if outcome.is_ok() {
                    self.shards.insert(from, (plan, shard));
                }
                if !self.slow_to_load.contains(&from) {
                    say(Input::Loaded { load, device, outcome });
                }
            }
            Effect::Unload { .. } => drop(self.shards.remove(&from)),
            Effect::Compute { device, job, batch, .. } => {
                let outcome = match self.cannot_compute.contains(&from) {
                    true => Err(ComputeFault::Device),
                    false => Ok(computed(&self.shards[&from].1, &batch)),
                };
                say(Input::Computed { device, job, outcome });
            }
            Effect::Answer { request, event } => self.answers.push((request, event)),
            Effect::Wish { peers, .. } => drop(self.wishes.insert(from, peers)),
            // Everyone stays connected with everyone.
            Effect::Absent(_) | Effect::Part(_) => {}
            Effect::Notice(notice) => self.notices.push((from, notice)),
        }
    }

    fn carry(&mut self, from: NodeId, to: NodeId, message: Message) {
        self.sent.push((from, to, message.clone()));
        if self.cut.contains(&(from, to)) || (self.lose)(from, to, &message) {
            return;
        }
        match self.nodes.contains_key(&to) {
            true => self.queue.push_back((to, Input::Received { from, message })),
            false => self.queue.push_back((from, Input::Undeliverable(to))),
        }
    }
}

/// A device that computes the bits of a class.
pub(crate) fn device(class: &[u8]) -> Device {
    Device {
        index: 0,
        kind: DeviceKind::Cpu,
        name: "lab".to_owned(),
        memory_bytes: 1 << 30,
        bandwidth_bytes_per_s: 1e9,
        flops_per_s: 1e9,
        threads: 1,
        drift_class: Hash::of(class),
    }
}

/// Rows of nothing; a token that says where it stands.
fn computed(shard: &Shard, batch: &Batch) -> Computed {
    if !shard.samples {
        return Computed::Activations(Body(vec![0; batch.rows() * 32].into()));
    }
    let token = |position: u32, rows: usize| position + rows as u32;
    let samples = batch.items.iter().map(|item| {
        let token = token(item.position, item.tokens.len());
        item.sample.as_ref().map(|_| Sampled { token, logprob: None, top: Vec::new() })
    });
    Computed::Samples(samples.collect())
}

/// The plan's number in short.
pub(crate) fn number(term: u64, epoch: u64) -> PlanId {
    PlanId { term: swarm_proto::Term(term), epoch: Epoch(epoch) }
}
