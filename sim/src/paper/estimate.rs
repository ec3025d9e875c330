//! What the planner thinks that its plan attains, beside what is simulated.

use std::time::Duration;

use swarm_scheduler::{Replica, Serving};

use super::{
    extent::{DRAWN, Extent},
    runs::{Case, OUTPUT, PaperError, beside, reference},
    system::System,
};
use crate::{Recipe, Setting};

/// Rates that are tried, in parts of what the planner thinks is served within the deadline.
const PARTS: [f64; 7] = [0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4];
/// Requests of the planner's own simulation.
const REQUESTS: usize = 4_000;
/// What the paper estimated; what it then measured was 0.94.
pub(super) const PUBLISHED: (f64, f64) = (0.92, 0.94);

/// What cards reach of their makers' figures in the second simulation, about what Helix's authors measured.
const REACHED: [(&str, f64); 2] = [("truth.bandwidth", 0.8), ("truth.arithmetic", 0.55)];

/// Attainment by rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate(pub(super) Vec<Estimated>);

/// At one rate: what is estimated, what is simulated with cards as they are believed to be, and with cards
/// that reach less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimated {
    pub(super) requests_per_s: f64,
    pub(super) estimated: f64,
    pub(super) simulated: f64,
    pub(super) slower: f64,
}

impl Estimate {
    pub(super) fn run(extent: &Extent) -> Result<Self, PaperError> {
        let case = Case::usual(System::Full);
        let recipe = case.recipe()?;
        let no_plan = || PaperError::NoPlan { system: case.system.label(), why: String::new() };
        let found = recipe.fleet.propose(|ask| ask).ok_or_else(no_plan)?;
        let replica = |pipeline: &swarm_scheduler::ProposedPipeline| Replica {
            latency_ms: pipeline.latency_ms,
            period_ms: 1e3 / pipeline.requests_per_s,
        };
        let replicas: Vec<Replica> = found.pipelines.iter().map(replica).collect();
        let serving = Serving::new(1, REQUESTS);
        let believed_ms = recipe.fleet.reference_ms().unwrap_or_default() * DRAWN;
        let deadline = reference(OUTPUT)?.mul_f64(DRAWN);
        let (slow, slow_deadline) = (slower(case)?, slower_reference()?.mul_f64(DRAWN));
        let rates = PARTS.map(|part| part * found.requests_per_s);
        let told = beside(&rates, |&rate| {
            let met = |recipe: &Recipe, deadline| {
                Ok::<_, PaperError>(case.point(recipe, rate, extent)?.attainment(deadline))
            };
            Ok(Estimated {
                requests_per_s: rate,
                estimated: serving.attainment(&replicas[..], rate, believed_ms),
                simulated: met(&recipe, deadline)?,
                slower: met(&slow, slow_deadline)?,
            })
        });
        Ok(Self(told.into_iter().collect::<Result<_, PaperError>>()?))
    }

    /// What is simulated where so much is estimated, on a straight line between the rates tried.
    pub(super) fn simulated_at(&self, estimated: f64) -> Option<f64> {
        let mut pairs = self.0.windows(2).map(|pair| (pair[0], pair[1]));
        let (a, b) = pairs.find(|(a, b)| a.estimated >= estimated && b.estimated < estimated)?;
        let part = (a.estimated - estimated) / (a.estimated - b.estimated);
        Some(a.simulated + part * (b.simulated - a.simulated))
    }

    /// How far they are apart, on average over the rates.
    pub(super) fn apart(&self) -> f64 {
        let sum: f64 = self.0.iter().map(|at| (at.estimated - at.simulated).abs()).sum();
        sum / self.0.len().max(1) as f64
    }
}

/// The same machines, whose cards reach less.
fn slower(case: Case) -> Result<Recipe, PaperError> {
    let mut draft = case.system.draft(case.output_tokens, case.scale)?;
    for (key, part) in REACHED {
        draft.set(&Setting::new(key, &part.to_string()))?;
    }
    case.read(&draft)
}

/// What such cards take for the request that deadlines count.
fn slower_reference() -> Result<Duration, PaperError> {
    let case = Case { system: System::Tp8, output_tokens: OUTPUT, scale: 0.0 };
    case.alone(&slower(case)?)
}
