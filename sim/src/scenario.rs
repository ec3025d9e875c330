//! Stories with a seed: what happens to a swarm, and what must hold when it is over.

mod draft;
mod serve;
mod settle;
mod storm;
mod story;

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use swarm_core::Ask;
use swarm_proto::Sampling;

use crate::{
    Broken, Film, Sabotage, Setup, World,
    fleets::Fleets,
    model,
    recipe::{self, Play, Recipe, RecipeError},
    script::{Scene, Script},
};
pub use draft::Draft;
pub use serve::{Report, Spread};

const MIB: u64 = 1 << 20;

/// What happens to a swarm.
#[derive(Clone, Debug, Default)]
pub enum Scenario {
    /// Five nodes join, elect, plan and serve; one is killed in mid-answer; the answers go on.
    #[default]
    Story,
    /// Anything goes wrong at any time, then nothing does.
    Storm,
    /// Machines of a pool serve a workload.
    Serve(Arc<Recipe>),
    /// One of these, with what happens as it is written there, whatever the seed.
    Scripted(Box<Scenario>, Arc<Script>),
}

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a name nor a file.
    #[error(
        "`{name}` is neither a scenario of the simulator's ({known}) nor a file: {reason}{near}"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
        /// Why it is no file.
        reason: String,
        /// Which may be meant.
        near: String,
    },
    /// What is written there cannot be.
    #[error("in {name}: {reason}")]
    Wrong {
        /// Which scenario.
        name: String,
        /// What is wrong.
        reason: RecipeError,
    },
    /// A script that cannot be played.
    #[error("in the script {file}: {reason}")]
    Script {
        /// Where it is.
        file: String,
        /// What is wrong.
        reason: String,
    },
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
    /// Whether what a viewer needs is kept.
    pub film: bool,
}

impl Wishes {
    /// A swarm that is run so.
    fn of(self, setup: Setup) -> Setup {
        let Self { sabotage, record, lenient, film } = self;
        Setup { sabotage, record, lenient, film, ..setup }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// What became of the workload, if there was one.
    pub report: Option<Report>,
    /// What a viewer needs, if it was wanted.
    pub film: Option<Film>,
}

impl Scenario {
    /// A scenario of the simulator's, by its name, or one in a file.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        Draft::named(name)?.scenario()
    }

    /// A scenario out of a text; `reads` gives the text of files that it names.
    pub fn parse(text: &str, reads: &recipe::Reads<'_>) -> Result<Self, RecipeError> {
        Self::of(&recipe::Text::parse(text)?, reads, &Fleets::default())
    }

    fn of(
        text: &recipe::Text,
        reads: &recipe::Reads<'_>,
        fleets: &Fleets,
    ) -> Result<Self, RecipeError> {
        let (play, recipe) = text.recipe(reads, fleets)?;
        Ok(match (play, recipe) {
            (Play::Storm, _) => Self::Storm,
            (_, Some(recipe)) => Self::Serve(Arc::new(recipe)),
            (_, None) => Self::Story,
        })
    }

    /// What was assumed or left out, for whoever reads what comes of it.
    pub fn notes(&self) -> &[String] {
        self.recipe().map_or(&[], |recipe| &recipe.notes)
    }

    /// What its machines are called; those of stories have numbers only.
    pub fn names(&self) -> Vec<String> {
        self.recipe().map_or(Vec::new(), |recipe| recipe.fleet.names())
    }

    /// The workload that it serves, if it serves one.
    pub fn recipe(&self) -> Option<&Recipe> {
        match self {
            Self::Serve(recipe) => Some(recipe),
            Self::Scripted(scenario, _) => scenario.recipe(),
            Self::Story | Self::Storm => None,
        }
    }

    /// What happens in it, drawn from a seed.
    pub fn script(&self, seed: u64) -> Script {
        match self {
            Self::Story => story::draw(seed),
            Self::Storm => storm::draw(seed),
            Self::Serve(recipe) => Script::of_faults(&recipe.faults(seed)),
            Self::Scripted(_, script) => (**script).clone(),
        }
    }

    /// The same with what happens as it is written there.
    pub fn scripted(self, script: Script) -> Self {
        match self {
            Self::Scripted(scenario, _) => Self::Scripted(scenario, Arc::new(script)),
            scenario => Self::Scripted(Box::new(scenario), Arc::new(script)),
        }
    }

    /// Whether a script is of its kind; why not, if it is not.
    fn plays(&self, script: &Script) -> Result<(), String> {
        let own = match self {
            Self::Story => Scene::Story,
            Self::Storm => Scene::Storm,
            Self::Serve(_) => Scene::Workload,
            Self::Scripted(scenario, _) => return scenario.plays(script),
        };
        if script.head.play != own {
            let found = script.head.play;
            return Err(format!("it is for a {found:?}, and this is a {own:?}").to_lowercase());
        }
        let machines = self.recipe().map_or(usize::MAX, |recipe| recipe.fleet.machines());
        let faults = script.faults();
        let named =
            faults.iter().flat_map(|fault| [&[fault.machine], fault.does.others()].concat());
        match named.into_iter().find(|machine| *machine >= machines) {
            Some(machine) => {
                Err(format!("machine {machine}: there are {machines}, counted from 0"))
            }
            None => Ok(()),
        }
    }

    /// Runs it with this seed.
    pub fn run(&self, seed: u64, wishes: Wishes) -> Outcome {
        match self {
            Self::Scripted(scenario, script) => scenario.play(script, seed, wishes),
            scenario => scenario.play(&scenario.script(seed), seed, wishes),
        }
    }

    /// Plays a script of its kind; all dice but those of the script are this seed's.
    pub fn play(&self, script: &Script, seed: u64, wishes: Wishes) -> Outcome {
        match self {
            Self::Story => Outcome::of(story::play(script, seed, wishes)),
            Self::Storm => Outcome::of(storm::play(script, seed, wishes)),
            Self::Serve(recipe) => serves(recipe, (seed, script), wishes),
            Self::Scripted(scenario, _) => scenario.play(script, seed, wishes),
        }
    }
}

impl From<Recipe> for Scenario {
    fn from(recipe: Recipe) -> Self {
        Self::Serve(Arc::new(recipe))
    }
}

/// Machines of a pool serve a workload; what is told of it was seen before they came to rest.
fn serves(recipe: &Recipe, (seed, script): (u64, &Script), wishes: Wishes) -> Outcome {
    let mut world = World::new(wishes.of(recipe.setup()), seed);
    match serve::run(&mut world, recipe, (seed, script)) {
        Err(broken) => Outcome::of((world, Err(broken))),
        Ok((report, lasting)) => {
            let seen = Outcome { report: Some(report), ..Outcome::seen(&mut world) };
            let planned = seen.report.as_ref().is_some_and(|report| report.trouble.is_none());
            let rests = if planned {
                settle::settle(&mut world, &script.faults(), &lasting)
            } else {
                Ok(())
            };
            let Outcome { broken, log, .. } = Outcome::of((world, rests));
            Outcome { broken, log, ..seen }
        }
    }
}

impl Outcome {
    /// What is seen of a world as it is now, but for its log and what did not hold.
    fn seen(world: &mut World) -> Self {
        Self {
            events: world.events(),
            tokens: world.tokens(),
            refused: world.refused(),
            virtual_ms: world.now().0 / 1_000_000,
            film: world.take_film(),
            ..Self::default()
        }
    }

    /// What a run came to that is over.
    fn of((mut world, result): (World, Result<(), Broken>)) -> Self {
        if let Err(broken) = result
            && world.broken.last() != Some(&broken)
        {
            world.broken.push(broken);
        }
        let broken = std::mem::take(&mut world.broken);
        Self { broken, log: world.log().to_owned(), ..Self::seen(&mut world) }
    }
}

/// The swarm of the stories: an entry that can hold no layer, a node with two devices, and three
/// more of which any can be missed.
pub fn swarm(wishes: Wishes) -> Setup {
    let memory_bytes =
        [vec![4 * MIB], vec![52 * MIB, 48 * MIB], vec![96 * MIB], vec![100 * MIB], vec![104 * MIB]];
    wishes.of(Setup::of(&memory_bytes))
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
