//! What the planner thinks that its plan attains, beside what is simulated.

use std::time::Duration;

use swarm_scheduler::Serving;

use super::{
    extent::{DRAWN, Extent, round},
    runs::{Case, OUTPUT, PaperError, beside, reference},
    search::replicas,
    spot::{command, reading, set},
    system::System,
};
use crate::Draft;

/// Rates that are tried, in parts of what the planner thinks is served within the deadline.
const PARTS: [f64; 7] = [0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4];
/// The one at which the planner thinks that 99 of 100 are in time.
const ALL: usize = 3;
/// Requests of the planner's own simulation.
const REQUESTS: usize = 4_000;
/// What the paper estimated; what it then measured was 0.94.
pub(super) const PUBLISHED: (f64, f64) = (0.92, 0.94);

/// What cards reach of their makers' figures in the second simulation, about what Helix's authors measured.
const REACHED: [(&str, f64); 2] = [("truth.bandwidth", 0.8), ("truth.arithmetic", 0.55)];

/// Attainment by rate, and what runs one of them again.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub(super) rates: Vec<Estimated>,
    pub(super) commands: Vec<String>,
}

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
        let fleet = case.recipe()?.fleet;
        let no_plan = || PaperError::NoPlan { system: case.system.label(), why: String::new() };
        let found = fleet.propose(|ask| ask).ok_or_else(no_plan)?;
        let replicas = replicas(&found);
        let serving = Serving::new(1, REQUESTS);
        let believed_ms = fleet.reference_ms().unwrap_or_default() * DRAWN;
        let usual = (case.draft()?, reference(OUTPUT)?.mul_f64(DRAWN));
        let slow = (slower(case)?, slower_reference()?.mul_f64(DRAWN));
        let rates = PARTS.map(|part| round(part * found.requests_per_s));
        let told = beside(&rates, |&rate| {
            let met = |(draft, deadline): &(Draft, Duration)| {
                Ok::<_, PaperError>(case.point(draft, rate, extent)?.attainment(*deadline))
            };
            Ok(Estimated {
                requests_per_s: rate,
                estimated: serving.attainment(&replicas[..], rate, believed_ms),
                simulated: met(&usual)?,
                slower: met(&slow)?,
            })
        });
        let command = |(draft, deadline): (Draft, Duration), about| {
            let draft = set(case.at(&draft, rates[ALL], extent)?, &reading(deadline))?;
            Ok::<_, PaperError>(command(&draft, &extent.seeds_of(case.system), about))
        };
        let commands =
            vec![command(usual, "simulated")?, command(slow, "simulated, cards reach less")?];
        Ok(Self { rates: told.into_iter().collect::<Result<_, PaperError>>()?, commands })
    }

    /// What is simulated where so much is estimated, on a straight line between the rates tried.
    pub(super) fn simulated_at(&self, estimated: f64) -> Option<f64> {
        let mut pairs = self.rates.windows(2).map(|pair| (pair[0], pair[1]));
        let (a, b) = pairs.find(|(a, b)| a.estimated >= estimated && b.estimated < estimated)?;
        let part = (a.estimated - estimated) / (a.estimated - b.estimated);
        Some(a.simulated + part * (b.simulated - a.simulated))
    }

    /// How far they are apart, on average over the rates.
    pub(super) fn apart(&self) -> f64 {
        let sum: f64 = self.rates.iter().map(|at| (at.estimated - at.simulated).abs()).sum();
        sum / self.rates.len().max(1) as f64
    }
}

/// The same machines, whose cards reach less.
fn slower(case: Case) -> Result<Draft, PaperError> {
    set(case.draft()?, &REACHED.map(|(key, part)| (key, part.to_string())))
}

/// What such cards take for the request that deadlines count.
fn slower_reference() -> Result<Duration, PaperError> {
    let case = Case::of(System::Tp8, OUTPUT, DRAWN);
    case.alone(&slower(case)?)
}
