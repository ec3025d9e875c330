//! A simulated swarm beside a live one: the same nodes, told the same, asked the same.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use hexswarm_sim::{Pace, Planner, Rig, Sabotage, Setup, World, node_id, replay::Step};
use swarm_core::{Ask, Config};
use swarm_proto::{Device, LinkReport, Member, NodeId, Pipeline, Stage};
use swarm_scheduler::{Way, Ways};

use crate::{History, Times, Witness};

/// How long a simulated swarm may take to have a plan, and for each answer.
const SERVES_MAX: Duration = Duration::from_secs(120);
/// After this long nodes have told each other all that they have measured.
const SETTLE: Duration = Duration::from_secs(10);

/// A simulated swarm that is like a live one.
#[derive(Clone, Debug)]
pub struct Twin {
    names: Vec<String>,
    setup: Setup,
}

impl Twin {
    /// Nodes that have and tell what those of a live swarm had and told its leader. Their devices and
    /// ways are not like in truth: see [`Twin::timed`].
    pub fn of(live: &History, config: &Config) -> Self {
        let (_, pool) = live.planned();
        let names = names(live);
        let devices = |name: &String| {
            let id = live.nodes.iter().find(|node| node.name == *name).map(|node| node.id);
            let machine = pool.machines.iter().find(|machine| Some(machine.node) == id);
            let devices = machine.map(|machine| machine.devices.clone()).unwrap_or_default();
            devices.into_iter().map(steady).collect::<Vec<_>>()
        };
        let machines: Vec<_> = names.iter().map(devices).collect();
        let number = |id: NodeId| names.iter().position(|name| name == live.name(id));
        let links = pool.machines.iter().flat_map(|machine| {
            let from = number(machine.node);
            let pair = move |link: &LinkReport| Some(((from?, number(link.to)?), link.clone()));
            machine.links.iter().filter_map(pair)
        });
        let believed: BTreeMap<_, _> = links.collect();
        let ways = believed.iter().map(|(pair, link)| (*pair, way(link)));
        let setup = Setup {
            model: config.model.clone(),
            machines,
            ways: Some(Arc::new(between(names.len(), ways))),
            believed,
            row_bytes: 4 * u64::from(config.model.hidden),
            told: config.clone(),
            late: vec![0],
            ..Setup::default()
        };
        Self { names, setup }
    }

    /// With devices and ways that take what a live swarm's took, under that swarm's plan.
    pub fn timed(mut self, live: &History, times: &Times) -> Self {
        for (name, rigs) in self.names.iter().zip(&mut self.setup.machines) {
            if let Some(timed) = times.devices.get(name) {
                rigs.iter_mut().for_each(|rig| rig.pace = Pace::Timed(timed.clone()));
            }
        }
        let way = |from: usize, to: usize| {
            let span = if from == 0 || to == 0 { times.entry_way } else { times.ring_way };
            let (ms, bytes_per_ms) = (span.as_secs_f64() * 1e3, times.bytes_per_s / 1e3);
            ((from, to), Way { ms, bytes_per_ms })
        };
        let count = self.names.len();
        let ways = (0..count).flat_map(|from| (0..count).map(move |to| way(from, to)));
        self.setup.ways = Some(Arc::new(between(count, ways)));
        self.setup.planner = Planner::Given(self.pipelines(live));
        self
    }

    /// With something that goes wrong that must not.
    pub fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.setup.sabotage = sabotage;
        self
    }

    /// The pipelines of a live swarm, of the nodes that are here in place of its own.
    fn pipelines(&self, live: &History) -> Arc<[Pipeline]> {
        let (plan, _) = live.planned();
        let number = |id: NodeId| self.names.iter().position(|name| name == live.name(id));
        let here = |member: &Member| {
            let node = node_id(number(member.node).expect("a member of the swarm"));
            Member { node, ..member.clone() }
        };
        let stage = |stage: &Stage| Stage {
            members: stage.members.iter().map(here).collect(),
            ..stage.clone()
        };
        let pipeline = |pipeline: &Pipeline| Pipeline {
            stages: pipeline.stages.iter().map(stage).collect(),
            ..pipeline.clone()
        };
        plan.pipelines.iter().map(pipeline).collect()
    }

    /// Asks one thing after the other; what all nodes were handed and did.
    pub fn ask(&self, asks: &[Ask], seed: u64) -> History {
        let heard: Rc<RefCell<BTreeMap<usize, Vec<Step>>>> = Rc::default();
        let mut world = World::new(self.setup.clone(), seed);
        let ear = Rc::clone(&heard);
        world.listen(move |at, number, input, effects| {
            let mut all = ear.borrow_mut();
            let steps = all.entry(number).or_default();
            let (input, effects) = (input.clone(), effects.to_vec());
            let number = steps.len() as u64 + 1;
            steps.push(Step { number, offset: 0, at, input, effects, same: None });
        });
        let wait = |world: &mut World, what, done: fn(&World) -> bool| {
            let done = world.run_until(SERVES_MAX, done).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(done, "{what}: {:?}", world.trouble(0));
        };
        let rest = |world: &mut World, span| {
            world.run(span).unwrap_or_else(|broken| panic!("{broken}"));
        };
        // The entry founds the swarm when the members have met, as [`crate::Swarm`] has it.
        rest(&mut world, SETTLE);
        world.restart(0);
        wait(&mut world, "a plan", World::serves);
        rest(&mut world, SETTLE);
        for ask in asks {
            world.ask(0, ask.clone());
            wait(&mut world, "an answer", World::answered);
            // What is said last, such as that it is over, comes to everyone.
            rest(&mut world, Duration::from_secs(1));
        }
        let mut heard = heard.take();
        let witness = |(number, name): (usize, &String)| Witness {
            name: name.clone(),
            id: node_id(number),
            steps: heard.remove(&number).unwrap_or_default(),
        };
        History::of(self.names.iter().enumerate().map(witness).collect())
    }
}

/// Who is which number: the founder 0, and the others in such an order that their ids have the same
/// order as they have in the live swarm, for planners go by it where nothing else tells.
fn names(live: &History) -> Vec<String> {
    let mut members: Vec<_> = live.nodes.iter().skip(1).collect();
    members.sort_unstable_by_key(|member| member.id);
    let mut numbers: Vec<usize> = (1..live.nodes.len()).collect();
    numbers.sort_unstable_by_key(|number| node_id(*number));
    let mut names = vec![live.nodes[0].name.clone(); live.nodes.len()];
    for (member, number) in members.into_iter().zip(numbers) {
        names[number] = member.name.clone();
    }
    names
}

fn steady(told: Device) -> Rig {
    Rig { told, ..Rig::small(0, 0) }
}

fn way(link: &LinkReport) -> Way {
    Way { ms: link.rtt_ms / 2.0, bytes_per_ms: link.bytes_per_s / 1e3 }
}

/// These ways; of pairs that nobody has told of the other direction's, or a short one.
fn between(count: usize, told: impl Iterator<Item = ((usize, usize), Way)>) -> Ways {
    let told: BTreeMap<_, _> = told.collect();
    let short = Way { ms: 0.1, bytes_per_ms: 1e6 };
    let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
    let way = |(from, to)| *told.get(&(from, to)).or(told.get(&(to, from))).unwrap_or(&short);
    Ways::Measured(pairs.map(|pair| (pair, way(pair))).collect())
}
