//! Anything goes wrong at any time; then nothing does, and the swarm must be one again.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Wishes, ask, swarm};
use crate::{Broken, Planner, Quality, World};

/// How long a swarm may take to come to rest once faults have stopped: long enough for a session
/// that hangs to be tried anew, and for one that has no plan to be given up.
const CALM_MAX: Duration = Duration::from_secs(90);

/// How often a person looks after the swarm.
const PERSONS_MAX: usize = 4;

pub(super) fn run(seed: u64, wishes: Wishes) -> (World, Result<(), Broken>) {
    let mut setup = swarm(wishes);
    if seed % 3 == 2 {
        setup.planner = Planner::Pairs;
    }
    let mut world = World::new(setup, seed);
    let outcome = play(&mut world, seed);
    (world, outcome)
}

fn play(world: &mut World, seed: u64) -> Result<(), Broken> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x0057_0712);
    // Some storms begin before there is a plan, or even a leader.
    let ready = |world: &World| world.serves() && world.voters() >= 5;
    let patience = Duration::from_millis(dice.random_range(0..8_000));
    world.run_until(patience, ready)?;
    for _ in 0..dice.random_range(3..15) {
        for _ in 0..dice.random_range(0..3) {
            world.ask(dice.random_range(0..5), ask(&mut dice, 60, 30));
        }
        strike(world, &mut dice);
        world.run(Duration::from_millis(dice.random_range(10..2_500)))?;
    }
    calm(world);
    let rest = |world: &World| world.answered() && world.apart().is_none();
    // A swarm whose changes of voters nobody remembers needs a person, who does what it says.
    for _ in 0..PERSONS_MAX {
        if world.run_until(CALM_MAX, rest)? || !world.rejoin_stranded() {
            break;
        }
    }
    world.check_converged()?;
    let strict = world.asked();
    world.check_answers_from(strict)?;
    // Whoever is whole again serves again, at every node.
    for number in 0..5 {
        world.ask(number, ask(&mut dice, 60, 10));
    }
    world.run_until(Duration::from_secs(60), World::answered)?;
    world.run(Duration::from_secs(45))?;
    world.check_answers_from(strict)?;
    world.check_leftover()?;
    world.check_converged()
}

/// One thing that goes wrong, or right again.
fn strike(world: &mut World, dice: &mut ChaCha8Rng) {
    let number = dice.random_range(0..5);
    let other = (number + dice.random_range(1..5)) % 5;
    let device = dice.random_range(0..2);
    let told = dice.random_bool(0.5);
    match dice.random_range(0..17) {
        0 | 1 => world.kill(number),
        2 => world.vanish(number),
        3..=5 => {
            let dead: Vec<_> = (0..5).filter(|number| world.is_dead(*number)).collect();
            dead.into_iter().for_each(|number| world.restart(number));
        }
        6 => world.pause(number, Duration::from_millis(dice.random_range(50..5_000)), told),
        7 => world.partition(&[number, other], told),
        8 => world.isolate(number, told),
        9 => world.cut(number, other, told),
        10 => world.cut_one_way(number, other),
        11 => {
            let latency = Duration::from_millis(dice.random_range(5..400));
            let jitter = latency / 2;
            let bytes_per_s = 1e6;
            let loss = [0.0, 0.05][dice.random_range(0..2)];
            let quality = Quality { latency, jitter, bytes_per_s, loss, silent: told };
            world.set_link(number, other, quality);
        }
        12 => world.fail_loads(number, device, 2),
        13 if told => world.fail_batches(number, device, 3),
        13 => world.slow_device(number, device, 20.0),
        14 => world.set_gossip_loss(0.5),
        15 => world.drain(number),
        _ => {
            world.cancel_one();
            world.heal();
        }
    }
}

/// Nothing goes wrong any more, and whoever died is started again.
fn calm(world: &mut World) {
    world.set_gossip_loss(0.0);
    world.mend_devices();
    for number in 0..5 {
        if world.drains(number) {
            world.kill(number);
        }
        world.restart(number);
    }
    world.heal();
}
