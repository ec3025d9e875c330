//! The swarm: nodes, a clock, a queue.

mod carry;
mod event;
#[cfg(test)]
mod tests;
mod work;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_core::{Body, Config, Effect, Input, Notice};
use swarm_proto::{LinkReport, ModelSpec, NodeId, Pool, Time};
use swarm_scheduler::Ways;

use crate::{
    Planner, Routers, Sabotage,
    check::{Broken, Watch},
    client::Clients,
    clock::Clock,
    film::{Film, Seen},
    host::{Host, State, usual},
    hosts::Hosts,
    keys::number_of,
    link::{Links, Weather},
    log::Log,
    model,
    obituary::Obituary,
    queue::Queue,
    rig::Rig,
    stopwatch::Stopwatch,
    traffic::Traffic,
};

pub(crate) use event::{Entry, Event, Part, Via};

/// Whoever hears what a node is handed, and what it wants done.
type Ear = Box<dyn FnMut(Time, usize, &Input, &[Effect])>;

/// What a swarm is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The model that is served.
    pub model: ModelSpec,
    /// The devices of every node. The first node founds the swarm.
    pub machines: Vec<Vec<Rig>>,
    /// The ways between them; a LAN on a busy day between any two if it does not say.
    pub ways: Option<Arc<Ways>>,
    /// What those ways are like beside.
    pub weather: Weather,
    /// What nodes measure of ways, by the numbers of the near and the far end, where they take them
    /// for other than they are.
    pub believed: BTreeMap<(usize, usize), LinkReport>,
    /// Bytes of a row of activations on its way.
    pub row_bytes: u64,
    /// Nodes that are there only once they are started.
    pub late: Vec<usize>,
    /// What nodes are told, but for their model, which is that of above, and what is each one's own.
    pub told: Config,
    /// How much the times of one batch differ: their standard deviation over their mean.
    pub noise: f64,
    /// By how many millionths nodes' clocks are fast or slow, at most.
    pub skew_ppm: u32,
    /// Who plans.
    pub planner: Planner,
    /// Who decides which pipelines sessions take.
    pub routers: Routers,
    /// What goes wrong that must not.
    pub sabotage: Sabotage,
    /// Whether everything that happens is written down.
    pub record: bool,
    /// Whether what a viewer needs is kept.
    pub film: bool,
    /// Whether a run goes on after a property did not hold.
    pub lenient: bool,
}

impl Default for Setup {
    /// Nobody, to serve a small model.
    fn default() -> Self {
        Self {
            model: model::spec(),
            machines: Vec::new(),
            ways: None,
            weather: Weather::default(),
            believed: BTreeMap::new(),
            row_bytes: model::ROW_WIRE_BYTES,
            late: Vec::new(),
            // Sessions whose end was lost are to be let go of while a story still looks.
            told: Config { idle_max: Duration::from_secs(30), ..usual() },
            noise: 0.0,
            skew_ppm: 0,
            planner: Planner::default(),
            routers: Routers::default(),
            sabotage: Sabotage::default(),
            record: false,
            film: false,
            lenient: false,
        }
    }
}

impl Setup {
    /// Nodes whose devices have so much memory each, to serve a small model.
    pub fn of(memory_bytes: &[Vec<u64>]) -> Self {
        let machines = memory_bytes.iter().map(|machine| Rig::machine(machine)).collect();
        Self { machines, ..Self::default() }
    }

    /// A swarm with memory to spare, of nodes that differ: the founder holds no layer, and any two
    /// of the rest hold all of them.
    pub fn ample(nodes: usize) -> Self {
        const MIB: u64 = 1 << 20;
        let rest = (1..nodes).map(|number| vec![(92 + 4 * number as u64) * MIB]);
        let memory_bytes: Vec<_> = std::iter::once(vec![4 * MIB]).chain(rest).collect();
        Self::of(&memory_bytes)
    }
}

/// Something that is done beside what nodes do.
type Act = Box<dyn FnOnce(&mut World)>;

/// Clocks that are further off than this are broken.
pub(crate) const SKEW_MAX_PPM: u32 = 100_000;

/// A swarm on virtual time.
pub struct World {
    pub(crate) now: Time,
    pub(crate) rng: ChaCha8Rng,
    queue: Queue,
    /// What is to be done beside, and when.
    acts: BTreeMap<(Time, u64), Act>,
    planned: u64,
    pub(crate) hosts: Hosts,
    pub(crate) links: Links,
    pub(crate) clients: Clients,
    pub(crate) watch: Watch,
    pub(crate) log: Log,
    pub(crate) traffic: Traffic,
    pub(crate) obituary: Obituary,
    pub(crate) film: Option<Film>,
    pub(crate) setup: Setup,
    pub(crate) broken: Vec<Broken>,
    /// What [`Sabotage::ReplayLive`] says again.
    pub(crate) replayed: Vec<swarm_proto::Message>,
    ear: Option<Ear>,
    events: u64,
    /// What planning took of the processor; it decides nothing.
    planning: Duration,
    /// What a node wants, while it is done; kept so that it need not be made anew.
    effects: Vec<Effect>,
}

impl World {
    /// A swarm whose nodes have just been started.
    pub fn new(setup: Setup, seed: u64) -> Self {
        let hosts = setup.machines.iter().enumerate();
        let hosts = hosts.map(|(number, rigs)| Host::new(number, rigs, &setup));
        let mut world = Self {
            now: Time::ZERO,
            rng: ChaCha8Rng::seed_from_u64(seed),
            queue: Queue::default(),
            acts: BTreeMap::new(),
            planned: 0,
            hosts: hosts.collect(),
            links: Links::of(setup.ways.clone(), setup.weather),
            clients: Clients::of(&setup.model),
            watch: Watch::default(),
            log: Log::new(setup.record),
            traffic: Traffic::default(),
            obituary: Obituary::default(),
            film: setup.film.then(|| Film::new(&setup.machines, setup.model.layers)),
            setup,
            broken: Vec::new(),
            replayed: Vec::new(),
            ear: None,
            events: 0,
            planning: Duration::ZERO,
            effects: Vec::new(),
        };
        world.skew();
        for number in 0..world.setup.machines.len() {
            if !world.setup.late.contains(&number) {
                world.restart(number);
            }
        }
        world
    }

    /// Gives each node a clock of its own, if they are to differ: it began in the hour before.
    fn skew(&mut self) {
        const HOUR_NS: u64 = 3_600_000_000_000;
        let most = self.setup.skew_ppm.min(SKEW_MAX_PPM) as i32;
        for host in self.hosts.values_mut().filter(|_| most > 0) {
            let fast_ppm = self.rng.random_range(-most..=most);
            host.clock = Clock { began_ns: self.rng.random_range(0..HOUR_NS), fast_ppm };
        }
    }

    /// From now on `ear` hears whatever a node is handed, by the node's number, and what it wants
    /// done. It changes nothing.
    pub fn listen(&mut self, ear: impl FnMut(Time, usize, &Input, &[Effect]) + 'static) {
        self.ear = Some(Box::new(ear));
    }

    /// Runs for so long, or until a property does not hold.
    pub fn run(&mut self, span: Duration) -> Result<(), Broken> {
        self.run_until(span, |_| false).map(drop)
    }

    /// Runs for so long, or until something has come true. Whether it has.
    pub fn run_until(
        &mut self,
        span: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Result<bool, Broken> {
        let end = self.now + span;
        if done(self) {
            return Ok(true);
        }
        while let Some(outcome) = self.next(end) {
            if let Err(broken) = outcome {
                self.broken.push(broken.clone());
                if !self.setup.lenient {
                    return Err(broken);
                }
            }
            if done(self) {
                return Ok(true);
            }
        }
        self.now = end;
        Ok(false)
    }

    /// Does what comes next, if anything does until then: what is to be done beside goes first.
    fn next(&mut self, end: Time) -> Option<Result<(), Broken>> {
        let act = self.acts.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= end);
        let before = act.map_or(end, |(at, _)| Time(at.0.saturating_sub(1)));
        if let Some((at, entry)) = self.queue.pop_until(before) {
            self.now = at;
            return Some(self.step(entry));
        }
        let key = act?;
        let act = self.acts.remove(&key)?;
        self.now = key.0;
        act(self);
        Some(Ok(()))
    }

    fn step(&mut self, entry: Entry) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&entry.to) else { return Ok(()) };
        if host.life != entry.life || !host.is_there() {
            return Ok(());
        }
        if let State::Paused(held) = &mut host.state
            && !matches!(entry.event, Event::Resume)
        {
            held.push_back(entry);
            return Ok(());
        }
        let Entry { to, via, event, .. } = entry;
        if let Some(Via { from, connection }) = via
            && self.links.numbered((from as usize, number_of(to))).connection != connection
        {
            return Ok(());
        }
        match event {
            Event::Input(input) => self.feed(to, input),
            Event::Alarm(at) if host.armed == at => {
                host.armed = Time::NEVER;
                self.feed(to, Input::Tick)
            }
            Event::Alarm(_) => Ok(()),
            Event::Connected(peer) => self.connected(to, peer),
            Event::Probe { peer, again } => self.probe(to, peer, again),
            Event::Seek => {
                host.seeks = false;
                self.seek(to);
                Ok(())
            }
            Event::Rumour(rumour) => self.rumoured(to, rumour),
            Event::Part { from, part } => self.part(to, from, part),
            Event::Written(ballot) => {
                host.disk.written((*ballot).clone());
                if self.setup.sabotage != Sabotage::HastyDisk {
                    let delay = self.between(0.05, 0.5);
                    self.push(self.now + delay, to, Event::Input(Input::Persisted(ballot)));
                }
                Ok(())
            }
            Event::Due { device, serial } => self.due(to, device, serial),
            Event::Overdue { device } => self.overdue(to, device),
            Event::Idle(peer) => {
                self.disconnect(to, peer);
                Ok(())
            }
            Event::Resume => {
                self.resume(to);
                Ok(())
            }
        }
    }

    /// Hands a node something, and does what it wants.
    pub(crate) fn feed(&mut self, to: NodeId, input: Input) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&to) else { return Ok(()) };
        let (mut seek, down) = (false, matches!(input, Input::PeerDown(_)));
        if let Input::PeerDown(peer) = input {
            host.meetings().break_up_with(peer);
            seek = host.wished.contains(&peer) && !std::mem::replace(&mut host.seeks, true);
        }
        self.events += 1;
        self.log.input(self.now, to, &input);
        let heard = self.ear.is_some().then(|| input.clone());
        let mut effects = std::mem::take(&mut self.effects);
        host.node.handle_into(host.clock.says(self.now), input, &mut effects);
        if let (Some(ear), Some(input)) = (&mut self.ear, heard) {
            ear(self.now, host.number, &input, &effects);
        }
        let quiet = effects.is_empty() && !down;
        let mut outcome = Ok(());
        for effect in effects.drain(..) {
            outcome = outcome.and(self.perform(to, effect));
        }
        self.effects = effects;
        if let Some(host) = self.hosts.get_mut(&to) {
            let deadline = host.node.deadline();
            if host.armed != deadline {
                host.armed = deadline;
                let rings = host.clock.when(deadline).max(self.now);
                self.push(rings, to, Event::Alarm(deadline));
            }
        }
        if seek {
            self.push(self.now + Duration::from_secs(1), to, Event::Seek);
        }
        if quiet { outcome } else { outcome.and(self.poll(to)) }
    }

    fn perform(&mut self, from: NodeId, effect: Effect) -> Result<(), Broken> {
        let Some(host) = self.hosts.get(&from) else { return Ok(()) };
        let known = (host.disk.durable(), self.clients.open());
        let seen = self.watch.effect(self.now, from, known, &effect);
        let done = match effect {
            Effect::Send { to, message } => {
                self.send(from, to, message);
                Ok(())
            }
            Effect::Forward { to, header, body: Body(body) } => {
                self.forward(from, to, header, body);
                Ok(())
            }
            Effect::Publish(advert) => {
                self.gossip(from, *advert);
                Ok(())
            }
            Effect::Wish { peers, .. } => {
                self.wished(from, peers);
                Ok(())
            }
            Effect::Part(peer) => {
                self.disconnect(from, peer);
                Ok(())
            }
            Effect::Persist(ballot) => {
                let delay = self.between(1.0, 8.0);
                if self.setup.sabotage == Sabotage::HastyDisk {
                    let early = Event::Input(Input::Persisted(ballot.clone()));
                    self.push(self.now + delay / 4, from, early);
                }
                self.push(self.now + delay, from, Event::Written(ballot));
                Ok(())
            }
            Effect::Plan { .. } if self.setup.sabotage == Sabotage::MutePlanner => Ok(()),
            Effect::Plan { request, pool } => {
                // Simulated rows are short, but planners see the true model.
                let pool = Pool { model: self.setup.model.clone(), ..*pool };
                let watch = Stopwatch::start();
                let outcome = self.setup.planner.plan(&pool);
                self.planning += watch.busy();
                let delay = self.between(1.0, 30.0);
                let input = Input::Planned { request, outcome };
                self.push(self.now + delay, from, Event::Input(input));
                Ok(())
            }
            Effect::Load { load, plan, device, shard } => {
                self.load(from, load, plan, device, shard)
            }
            Effect::Unload { device } => self.unload(from, device),
            Effect::Compute { device, job, batch, input, group } => {
                self.compute(from, device, crate::worker::Work { job, batch, input, group })
            }
            Effect::Answer { request, event } => self.answer(request, &event),
            Effect::Absent(peer) => {
                if let Some(host) = self.hosts.get_mut(&from) {
                    host.meetings().break_up_with(peer);
                }
                Ok(())
            }
            Effect::Notice(notice) => self.noticed(from, notice),
        };
        seen.and(done)
    }

    fn noticed(&mut self, node: NodeId, notice: Notice) -> Result<(), Broken> {
        self.log.note(self.now, node, "notice", &notice);
        if let Notice::Lost(peer) = notice {
            self.obituary.missed(peer, self.now);
        }
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        match notice {
            Notice::Lost(peer) => host.meetings().break_up_with(peer),
            Notice::Stranded { .. } => host.stranded = true,
            Notice::Live(_) => {
                let Some(plan) = host.node.live_plan() else { return Ok(()) };
                if let Some(film) = &mut self.film {
                    film.live(self.now, plan);
                }
                return self.watch.live(node, plan);
            }
            Notice::Leader { leader, term } => {
                if let Some(film) = &mut self.film {
                    film.led(self.now, number_of(leader), term);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Something happened that a viewer wants to see.
    pub(crate) fn seen(&mut self, what: Seen) {
        if let Some(film) = &mut self.film {
            film.note(self.now, what);
        }
    }

    /// Schedules an event for a host as it is now.
    pub(crate) fn push(&mut self, at: Time, to: NodeId, event: Event) {
        self.push_via(at, to, None, event);
    }

    /// Schedules an event that is lost if the connection from `via` is.
    pub(crate) fn push_via(&mut self, at: Time, to: NodeId, via: Option<NodeId>, event: Event) {
        let via = via.map(|from| self.links.get(from, to).via(from));
        let life = self.hosts.get(&to).map_or(0, |host| host.life);
        self.requeue(at, Entry { to, life, via, event });
    }

    /// Schedules an event as it was meant to be.
    pub(crate) fn requeue(&mut self, at: Time, entry: Entry) {
        if at < Time::NEVER {
            self.queue.push(at, entry);
        }
    }

    /// Does something after so long, while the swarm runs: a fault of one's own. What is done may call
    /// for more to be done later.
    pub fn after(&mut self, span: Duration, act: impl FnOnce(&mut Self) + 'static) {
        self.acts.insert((self.now + span, self.planned), Box::new(act));
        self.planned += 1;
    }

    /// A time drawn between two numbers of milliseconds.
    pub(crate) fn between(&mut self, low_ms: f64, high_ms: f64) -> Duration {
        Duration::from_secs_f64(self.rng.random_range(low_ms..high_ms) / 1000.0)
    }

    /// What is under way, with whom it is for.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = (NodeId, &Event)> {
        self.queue.entries().map(|entry| (entry.to, &entry.event))
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Inputs handled.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What planning took so far of the processor.
    pub fn planning(&self) -> Duration {
        self.planning
    }

    /// What did not hold so far; more than one thing only in a lenient run.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// What a viewer needs, if it was wanted.
    pub fn take_film(&mut self) -> Option<Film> {
        let mut film = self.film.take()?;
        film.end = self.now;
        Some(film)
    }

    /// The event log, a JSON object a line; empty unless it was wanted.
    pub fn log(&self) -> &str {
        self.log.text()
    }
}
