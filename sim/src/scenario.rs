//! Stories with a seed: what happens to a swarm, and what must hold when it is over.

mod storm;
mod story;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_core::Ask;
use swarm_proto::Sampling;

use crate::{Broken, Planner, Sabotage, Setup, model};

const MIB: u64 = 1 << 20;

/// Which story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Five nodes join, elect, plan and serve; one is killed in mid-answer; the answers go on.
    #[default]
    Story,
    /// Anything goes wrong at any time, then nothing does.
    Storm,
}

/// How to run it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What goes wrong that must not.
    pub sabotage: Sabotage,
    /// Whether everything that happens is written down.
    pub record: bool,
    /// Whether the run goes on after a property did not hold.
    pub lenient: bool,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub broken: Vec<Broken>,
    /// Inputs handled.
    pub events: u64,
    /// Tokens that clients got.
    pub tokens: usize,
    /// Requests that were refused, with a reason.
    pub refused: usize,
    /// How long it took, in the simulated world.
    pub virtual_ms: u64,
    /// The event log, if it was wanted.
    pub log: String,
}

impl Scenario {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Storm => "storm",
        }
    }

    /// Runs it with this seed.
    pub fn run(self, seed: u64, wishes: Wishes) -> Outcome {
        let (mut world, outcome) = match self {
            Self::Story => story::run(seed, wishes),
            Self::Storm => storm::run(seed, wishes),
        };
        if let Err(broken) = outcome
            && world.broken.last() != Some(&broken)
        {
            world.broken.push(broken);
        }
        Outcome {
            events: world.events(),
            tokens: world.tokens(),
            refused: world.refused(),
            virtual_ms: world.now().0 / 1_000_000,
            log: world.log().to_owned(),
            broken: std::mem::take(&mut world.broken),
        }
    }
}

/// The swarm of the stories: an entry that can hold no layer, a node with two devices, and three
/// more of which any can be missed.
pub fn swarm(wishes: Wishes) -> Setup {
    let Wishes { sabotage, record, lenient } = wishes;
    let memory_bytes =
        [vec![4 * MIB], vec![52 * MIB, 48 * MIB], vec![96 * MIB], vec![100 * MIB], vec![104 * MIB]];
    let planner = Planner::Scheduler;
    Setup { planner, sabotage, record, lenient, ..Setup::of(&memory_bytes) }
}

/// A request drawn by lot: so many tokens of a prompt at most, and of an answer.
pub fn ask(dice: &mut ChaCha8Rng, prompt_max: usize, answer_max: u32) -> Ask {
    let length = dice.random_range(1..=prompt_max);
    let tokens = (0..length).map(|_| dice.random_range(0..model::VOCAB)).collect();
    let mut sampling = Sampling::default();
    if dice.random_bool(0.3) {
        sampling.temperature = 0.7;
        sampling.seed = dice.random();
    }
    if dice.random_bool(0.2) {
        sampling.repetition_penalty = 1.1;
    }
    let answer_tokens_max = dice.random_range(1..=answer_max);
    let end_tokens = Vec::new();
    Ask { tokens, answer_tokens_max, sampling, end_tokens }
}
