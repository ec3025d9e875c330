//! What each node of a swarm was handed, and what it wanted done: of a live one as it was recorded,
//! of a simulated one as it was heard.

use std::{collections::BTreeMap, fs::File, io::BufReader};

use hexswarm_sim::replay::{Led, Replay, Step, Tally};
use swarm_core::{Ask, Config, Effect, Input, Notice};
use swarm_proto::{
    FrameHeader, Machine, Member, ModelSpec, NodeId, Plan, Pool, SessionId, SessionMessage, Span,
    Stage, Time,
};

use crate::Swarm;

/// All nodes of a swarm, the entry first.
#[derive(Clone, Debug)]
pub struct History {
    /// Node by node.
    pub nodes: Vec<Witness>,
    /// Which session each request of a client became, in the order of requests.
    pub sessions: Vec<SessionId>,
}

/// One node.
#[derive(Clone, Debug)]
pub struct Witness {
    /// What people call it.
    pub name: String,
    /// What peers call it.
    pub id: NodeId,
    /// What happened, in order.
    pub steps: Vec<Step>,
}

impl History {
    /// Of these nodes, the entry first.
    pub fn of(nodes: Vec<Witness>) -> Self {
        let sessions = nodes.first().map(opened).unwrap_or_default();
        Self { nodes, sessions }
    }

    /// What a stopped swarm recorded, and what its entry was told. Panics unless the core does now
    /// as it did then.
    pub fn recorded(swarm: &Swarm) -> (Self, Config) {
        let members = (0..swarm.members.len()).map(|number| format!("node{number}"));
        let names = std::iter::once("entry".to_owned()).chain(members);
        let (nodes, configs): (Vec<_>, Vec<_>) = names.map(|name| witness(swarm, name)).unzip();
        (Self::of(nodes), configs.into_iter().next().expect("an entry"))
    }

    /// The name of a node.
    pub fn name(&self, id: NodeId) -> &str {
        let found = self.nodes.iter().find(|node| node.id == id);
        found.map_or("a stranger", |node| &node.name)
    }

    /// The last plan that was found, and the pool that it was found for.
    pub fn planned(&self) -> (&Plan, &Pool) {
        let found = self.nodes.iter().find_map(|node| {
            node.steps.iter().rev().find_map(|step| match &step.input {
                Input::Planned { request, outcome: Ok(plan) } => Some((node, *request, plan)),
                _ => None,
            })
        });
        let (node, request, plan) = found.expect("somebody planned");
        let effects = node.steps.iter().flat_map(|step| &step.effects);
        let pool = effects.into_iter().find_map(|effect| match effect {
            Effect::Plan { request: asked, pool } if *asked == request => Some(&**pool),
            _ => None,
        });
        (plan, pool.expect("it was asked for"))
    }

    /// That plan without numbers and ids: who holds what of each stage of every pipeline.
    pub fn shape(&self) -> Vec<Vec<String>> {
        self.shape_of(self.planned().0)
    }

    fn shape_of(&self, plan: &Plan) -> Vec<Vec<String>> {
        let member = |member: &Member| {
            let Member { node, device, kv_heads, ffn_columns } = member;
            let (name, heads, columns) = (self.name(*node), ends(*kv_heads), ends(*ffn_columns));
            format!("{name} device {device}, KV heads {heads}, columns {columns}")
        };
        let stage = |stage: &Stage| {
            let members: Vec<_> = stage.members.iter().map(member).collect();
            format!("layers {}: {}", ends(stage.layers), members.join("; "))
        };
        let pipelines = plan.pipelines.iter();
        pipelines.map(|pipeline| pipeline.stages.iter().map(stage).collect()).collect()
    }

    /// Whether sessions ran under one plan, which is what the scheduler finds for its pool alone, and
    /// all ways between its members had been measured. When they are is a matter of time, and a plan
    /// that was found before may stay if another gains too little.
    pub fn came_to_rest(&self, model: &ModelSpec) -> bool {
        let (plan, pool) = self.planned();
        let pool = Pool { running: None, model: model.clone(), ..pool.clone() };
        let measured = |from: &Machine, to: &Machine| {
            from.node == to.node || from.links.iter().any(|link| link.to == to.node)
        };
        let machines = &pool.machines;
        let all = machines.iter().all(|from| machines.iter().all(|to| measured(from, to)));
        let anew = swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default());
        let anew = anew.expect("there was a plan").plan;
        all && !self.replanned() && self.shape_of(&anew) == self.shape_of(plan)
    }

    /// Whether another plan came to be live after the first request.
    fn replanned(&self) -> bool {
        let live = |effect: &Effect| matches!(effect, Effect::Notice(Notice::Live(_)));
        let mut steps = self.nodes[0].serving(&self.sessions);
        steps.any(|step| step.effects.iter().any(live))
    }

    /// What clients asked, in order.
    pub fn asks(&self) -> Vec<Ask> {
        let steps = self.nodes[0].steps.iter();
        let asks = steps.filter_map(|step| match &step.input {
            Input::Asked { ask, .. } => Some(ask.clone()),
            _ => None,
        });
        asks.collect()
    }

    /// What became of them.
    pub fn led(&self) -> Vec<Led> {
        let mut tally = Tally::default();
        self.nodes[0].steps.iter().for_each(|step| tally.count(step, Time::ZERO));
        tally.led.into_values().collect()
    }

    /// A client's session, by the number of its request.
    pub fn session(&self, id: SessionId) -> Option<usize> {
        self.sessions.iter().position(|session| *session == id)
    }
}

impl Witness {
    /// The steps from when this node first heard of one of these sessions: those of canaries and of
    /// how the swarm came to be are left out.
    pub fn serving<'a>(&'a self, sessions: &'a [SessionId]) -> impl Iterator<Item = &'a Step> {
        let begins = |step: &&Step| match &step.input {
            Input::Asked { .. } => false,
            Input::Arrived { header, .. } => !is_opening(header, sessions),
            _ => true,
        };
        self.steps.iter().skip_while(begins)
    }
}

fn ends<Of>(span: Span<Of>) -> String {
    format!("{}..{}", span.first(), span.end())
}

fn is_opening(header: &FrameHeader, sessions: &[SessionId]) -> bool {
    let FrameHeader::Session(SessionMessage::Open(open)) = header else { return false };
    sessions.contains(&open.attempt.session)
}

fn witness(swarm: &Swarm, name: String) -> (Witness, Config) {
    let file = BufReader::new(File::open(swarm.record(&name)).expect("a record"));
    let mut replay = Replay::open(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut steps = Vec::new();
    while let Some(step) = replay.step(Time::NEVER).unwrap_or_else(|e| panic!("{name}: {e}")) {
        assert_ne!(step.same, Some(false), "{name}: other effects: {step:?}");
        steps.push(step);
    }
    let head = replay.head();
    (Witness { name, id: head.node, steps }, head.config.clone())
}

/// The sessions that an entry opened for its clients: each is of the first request that waits and
/// whose prompt is as long.
fn opened(entry: &Witness) -> Vec<SessionId> {
    let mut waiting: BTreeMap<_, u32> = BTreeMap::new();
    let mut sessions = Vec::new();
    for step in &entry.steps {
        if let Input::Asked { request, ask } = &step.input {
            waiting.insert(*request, ask.tokens.len() as u32);
        }
        for effect in &step.effects {
            let Effect::Forward { header: FrameHeader::Session(message), .. } = effect else {
                continue;
            };
            let SessionMessage::Open(open) = message else { continue };
            let own = waiting.iter().find(|(_, tokens)| **tokens == open.prompt_tokens);
            if let Some(request) = own.map(|(request, _)| *request)
                && !sessions.contains(&open.attempt.session)
            {
                waiting.remove(&request);
                sessions.push(open.attempt.session);
            }
        }
    }
    sessions
}
