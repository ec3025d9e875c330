//! After a workload: whoever waits leaves, what was not to go wrong for ever is over, and the swarm must be
//! one again and hold nothing for anybody.

use std::time::Duration;

use crate::{Broken, Fault, World};

/// How long a swarm may take to be one again.
const CALM_MAX: Duration = Duration::from_secs(90);
/// How long after that anything may be held for a session: beside what nodes are told where things went
/// wrong, and its end may have been lost, or more was asked than was served, and ways are still full of it.
const HELD_MAX: Duration = Duration::from_secs(5);
/// How often that is looked at: what is left over takes a while to be seen.
const LOOK: Duration = Duration::from_millis(100);
/// How often a person looks after the swarm.
const PERSONS_MAX: usize = 4;

/// Whether all that must hold after a workload does, in which `faults` were to be, of which so much goes
/// wrong still.
pub(super) fn settle(world: &mut World, faults: &[Fault], lasting: &[Fault]) -> Result<(), Broken> {
    world.check_waits()?;
    let served = world.answered();
    world.cancel_all();
    lasting.iter().for_each(|fault| world.mend(fault));
    // Of who was asked to leave, and is not to come back, the process ends.
    for number in 0..world.hosts.len() {
        if world.drains(number) && !world.is_dead(number) {
            world.kill(number);
        }
    }
    for _ in 0..PERSONS_MAX {
        if within(world, CALM_MAX, World::at_rest)? || !world.rejoin_stranded() {
            break;
        }
    }
    let soon = served && faults.is_empty();
    let held_max = HELD_MAX + if soon { Duration::ZERO } else { world.setup.told.idle_max };
    within(world, held_max, |world| world.check_leftover().is_ok())?;
    world.check_answers_from(world.asked())?;
    world.check_leftover()?;
    world.check_deaths()?;
    world.check_left()
}

impl World {
    /// Whether all are one, and nobody holds anything or counts on the dead.
    fn at_rest(&self) -> bool {
        let missed = || (0..self.hosts.len()).all(|n| !self.is_dead(n) || self.counts_on(n) == 0);
        self.apart().is_none() && self.check_leftover().is_ok() && (!self.all_meet() || missed())
    }
}

/// Runs until something has come true, so long at most. Whether it has.
fn within(world: &mut World, span: Duration, done: fn(&World) -> bool) -> Result<bool, Broken> {
    let end = world.now() + span;
    while !done(world) {
        if world.now() >= end {
            return Ok(false);
        }
        world.run(LOOK)?;
    }
    Ok(true)
}
