//! The story that every change must survive: five nodes join, elect, plan and serve; one that leads
//! a stage is killed in mid-answer; the answers go on, and the dead one returns.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_proto::Hash;

use crate::{
    check::Broken,
    world::{Sabotage, World},
};

const MIB: u64 = 1 << 20;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Inputs handled.
    pub events: u64,
    /// Tokens that clients got.
    pub tokens: usize,
    /// A hash over everything that happened.
    pub log: Hash,
}

/// Runs the story with this seed.
pub fn default_scenario(seed: u64, sabotage: Sabotage) -> Result<Outcome, Broken> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x5ce);
    // The first is an entry that can hold no layer; any two of the others can hold the model.
    let mut world =
        World::new(&[4 * MIB, 92 * MIB, 96 * MIB, 100 * MIB, 104 * MIB], seed, sabotage);
    world.run_until(Duration::from_secs(30), |world| world.serves() && world.voters() >= 5)?;
    if !world.serves() {
        return Err(Broken::NoPlan);
    }
    let mut prompts: Vec<Vec<u32>> = Vec::new();
    for _ in 0..3 {
        let length = dice.random_range(1..80);
        let prompt: Vec<u32> = (0..length).map(|_| dice.random_range(0..49_152)).collect();
        prompts.push(prompt.clone());
        world.ask(dice.random_range(0..5), prompt, dice.random_range(1..40));
    }
    let strike = dice.random_range(0..60);
    world
        .run_until(Duration::from_secs(20), |world| world.tokens() >= strike || world.answered())?;
    let victim = world.leader_of_stage(dice.random_range(0..2)).ok_or(Broken::NoPlan)?;
    world.kill(victim);
    world.run(Duration::from_millis(dice.random_range(10..4_000)))?;
    if dice.random_bool(0.5) {
        world.restart(victim);
    }
    world.run_until(Duration::from_secs(60), World::answered)?;
    // The same prompts twice more, through the entry that nothing happens to: what is served out
    // of KV caches now must be what the devices hold under the plan of now.
    for _ in 0..2 {
        for prompt in &prompts {
            world.ask(0, prompt.clone(), 4);
        }
        world.run_until(Duration::from_secs(60), World::answered)?;
    }
    world.run(Duration::from_secs(5))?;
    world.finish()?;
    Ok(Outcome { events: world.events, tokens: world.tokens(), log: world.log() })
}
