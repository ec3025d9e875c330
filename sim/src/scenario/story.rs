//! The story that every change must survive: five nodes join, elect, plan and serve; one that leads
//! a stage is killed in mid-answer; the answers go on, and the dead one returns.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Wishes, ask, swarm};
use crate::{Broken, World};

pub(super) fn run(seed: u64, wishes: Wishes) -> (World, Result<(), Broken>) {
    let mut world = World::new(swarm(wishes), seed);
    let outcome = play(&mut world, seed);
    (world, outcome)
}

fn play(world: &mut World, seed: u64) -> Result<(), Broken> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x5ce);
    let ready = |world: &World| world.serves() && world.voters() >= 5;
    if !world.run_until(Duration::from_secs(30), ready)? {
        let why = format!("{} vote, five should", world.voters());
        return Err(if world.serves() { Broken::Apart { why } } else { Broken::NoPlan });
    }
    let asks: Vec<_> = (0..3).map(|_| ask(&mut dice, 80, 40)).collect();
    for ask in &asks {
        world.ask(dice.random_range(0..5), ask.clone());
    }
    let strike = dice.random_range(0..60);
    let struck = |world: &World| world.tokens() >= strike || world.answered();
    world.run_until(Duration::from_secs(20), struck)?;
    let victim = world.leader_of_stage(dice.random_range(0..2)).ok_or(Broken::NoPlan)?;
    let died = world.now();
    world.kill(victim);
    let away = Duration::from_millis(dice.random_range(10..4_000));
    world.run(away)?;
    world.check_noticed(victim, died)?;
    if dice.random_bool(0.5) {
        world.restart(victim);
    }
    world.run_until(Duration::from_secs(60), World::answered)?;
    // The same prompts twice more, through the entry that nothing happens to: what is served out
    // of KV caches now must be what the devices hold under the plan of now.
    for _ in 0..2 {
        for ask in &asks {
            world.ask(0, swarm_core::Ask { answer_tokens_max: 4, ..ask.clone() });
        }
        world.run_until(Duration::from_secs(60), World::answered)?;
    }
    world.run(Duration::from_secs(5))?;
    world.check_answers()?;
    world.check_leftover()?;
    world.check_converged()
}
