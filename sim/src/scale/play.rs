//! What happens to a swarm that is looked at: it grows, rests while peers come and go, loses a stage,
//! then its leader.

use std::time::Duration;

use rand::{SeedableRng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;
use swarm_proto::Time;

use super::{
    Among, Scale, Scaled,
    turns::{Turn, Turns},
};
use crate::{Broken, World, stopwatch::Stopwatch};

/// How long a swarm grows at least, and how many come in a second then; and how long it rests before
/// it is looked at.
const GROWS: Duration = Duration::from_secs(20);
const COME_PER_S: f64 = 250.0;
const RESTS: Duration = Duration::from_secs(10);
/// How exactly it is seen when something comes true.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Play {
    scale: Scale,
    world: World,
    dice: ChaCha8Rng,
    seen: Scaled,
    /// Who is away, and since when; whether its death is known to whoever leads.
    away: Vec<(usize, Time, bool)>,
    known: Vec<f64>,
    watch: Stopwatch,
}

impl Play {
    pub(super) fn new(scale: Scale) -> Self {
        Self {
            scale,
            watch: Stopwatch::start(),
            world: World::new(scale.setup(), scale.seed),
            dice: ChaCha8Rng::seed_from_u64(scale.seed ^ 0x5ca1e),
            seen: Scaled {
                peers: scale.peers,
                span_s: scale.span.as_secs_f64(),
                ..Scaled::default()
            },
            away: Vec::new(),
            known: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Scaled, Broken> {
        self.grow()?;
        self.rest()?;
        self.lose_a_stage()?;
        self.lose_the_leader()?;
        self.seen.busy_in_all_s = self.watch.busy().as_secs_f64();
        self.seen.lived_s = self.world.now().since(Time::ZERO).as_secs_f64();
        Ok(self.seen)
    }

    /// Peers come one after the other, as many a second all the time.
    fn grow(&mut self) -> Result<(), Broken> {
        let peers = self.scale.peers;
        let grows = GROWS.max(Duration::from_secs_f64(peers as f64 / COME_PER_S));
        for number in 1..peers {
            let at = Time::ZERO + grows.mul_f64(number as f64 / peers as f64);
            self.world.run(at.since(self.world.now()))?;
            self.world.restart(number);
        }
        let grown = self.world.now();
        let live = self.until(|world| world.all_know_a_plan(|_| true))?;
        self.seen.live_ms = live.map(|_| self.ms(grown));
        self.world.run(RESTS)
    }

    /// Nothing happens but that some go and come back, half of them without a word.
    fn rest(&mut self) -> Result<(), Broken> {
        let (watch, events) = (Stopwatch::start(), self.world.events());
        let planning = self.world.planning();
        let began = self.world.now();
        self.world.count_traffic();
        let mut turns = Turns::of(self.scale.peers, self.scale.span, &mut self.dice);
        while self.world.now().since(began) < self.scale.span {
            self.world.run(LOOK)?;
            self.look_after();
            while let Some(turn) = turns.due(self.world.now().since(began)) {
                self.take(turn, turns.fleets);
            }
        }
        self.seen.churn_speed = turns.speed;
        self.seen.events = self.world.events() - events;
        self.seen.planning_s = (self.world.planning() - planning).as_secs_f64();
        self.seen.busy_s = watch.busy().as_secs_f64() - self.seen.planning_s;
        self.seen.wall_s = watch.wall().as_secs_f64();
        let voters = self.world.voting();
        self.seen.traffic(&self.world, &voters, self.scale.span);
        let peers = || (0..self.scale.peers).filter(|number| !voters.contains(number));
        self.seen.neighbours = Among::of(peers().map(|n| self.world.connections(n) as f64));
        self.seen.entries = Among::of(peers().map(|n| self.world.entries(n) as f64));
        let noticed = self.world.noticed_after();
        self.seen.noticed = noticed.len();
        self.seen.noticed_ms = Among::of(noticed.iter().map(|after| after.as_secs_f64() * 1e3));
        self.seen.known_ms = Among::of(self.known.iter().copied());
        Ok(())
    }

    /// One of a fleet goes that holds no layers and does not vote, for their losses are told apart; or
    /// whoever has been away for longest comes back.
    fn take(&mut self, turn: Turn, fleets: usize) {
        let is_of = |number: usize| number % fleets == turn.fleet;
        if !turn.goes {
            let back = self.away.iter().position(|(away, ..)| is_of(*away));
            back.into_iter().for_each(|place| self.world.restart(self.away.remove(place).0));
            return;
        }
        let voters = self.world.voting();
        let is_away = |number: &usize| self.away.iter().any(|(away, ..)| away == number);
        let idle = (self.scale.holders() + 1..self.scale.peers).filter(|number| is_of(*number));
        let free = idle.filter(|number| !voters.contains(number) && !is_away(number));
        let Some(victim) = free.choose(&mut self.dice) else { return };
        match self.seen.deaths % 2 {
            0 => self.world.vanish(victim),
            _ => self.world.kill(victim),
        }
        self.seen.deaths += 1;
        self.away.push((victim, self.world.now(), false));
    }

    fn look_after(&mut self) {
        let now = self.world.now();
        let unknown = self.away.iter().any(|(.., known)| !known);
        let leader = if unknown { self.world.led_by() } else { None };
        for (number, died, known) in &mut self.away {
            if !*known && leader.is_some_and(|leader| self.world.misses(leader, *number)) {
                *known = true;
                self.known.push(now.since(*died).as_secs_f64() * 1e3);
            }
        }
    }

    fn lose_a_stage(&mut self) -> Result<(), Broken> {
        let Some(victim) = self.world.leader_of_stage(0) else { return Ok(()) };
        let at = self.world.now();
        self.world.vanish(victim);
        let without = self.until(|world| world.all_know_a_plan(|plan| !plan.contains(&victim)))?;
        self.seen.replanned_ms = without.map(|_| self.ms(at));
        Ok(())
    }

    fn lose_the_leader(&mut self) -> Result<(), Broken> {
        let Some(leader) = self.world.led_by() else { return Ok(()) };
        let at = self.world.now();
        self.world.vanish(leader);
        let other = self.until(|world| world.led_by().is_some_and(|now| now != leader))?;
        self.seen.elected_ms = other.map(|_| self.ms(at));
        let agreed = self.until(|world| world.all_follow().is_some_and(|now| now != leader))?;
        self.seen.agreed_ms = agreed.map(|_| self.ms(at));
        Ok(())
    }

    fn ms(&self, since: Time) -> u64 {
        self.world.now().since(since).as_millis() as u64
    }

    /// Waits until something has come true; nothing if it does not.
    fn until(&mut self, done: impl Fn(&World) -> bool) -> Result<Option<()>, Broken> {
        let began = self.world.now();
        while self.world.now().since(began) < PATIENCE {
            if done(&self.world) {
                return Ok(Some(()));
            }
            self.world.run(LOOK)?;
        }
        Ok(None)
    }
}
