//! The swarm: nodes, a clock, a queue.

mod carry;
mod effects;
mod event;
mod setup;
#[cfg(test)]
mod tests;
mod work;

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_core::{Effect, Input};
use swarm_proto::{NodeId, Time};

use crate::{
    Sabotage,
    check::{Broken, Watch},
    client::Clients,
    clock::Clock,
    film::{Film, Seen},
    host::{Host, State},
    hosts::Hosts,
    keys::number_of,
    link::Links,
    log::Log,
    obituary::Obituary,
    queue::Queue,
    traffic::Traffic,
};

pub(crate) use event::{Entry, Event, Part, Via};
pub use setup::Setup;

/// Whoever hears what a node is handed, and what it wants done.
type Ear = Box<dyn FnMut(Time, usize, &Input, &[Effect])>;

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
