//! Runs of all systems at all rates.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{
    curve::{Curve, Point},
    extent::{DRAWN, Extent, round},
    spot::set,
    system::System,
};
use crate::{Broken, Draft, Recipe, Report, Scenario, ScenarioError, Served, Wishes, cores, sweep};

/// Tokens of answers where one length stands for all.
pub(super) const OUTPUT: u32 = 64;
/// A rate is the last if fewer than this part of requests is done within the longest deadline.
const LOST: f64 = 0.6;

/// Why an evaluation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PaperError {
    /// A scenario of the simulator's that cannot be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Something did not hold.
    #[error("{system}: {broken}")]
    Broken {
        /// In whose run.
        system: &'static str,
        /// What.
        broken: Broken,
    },
    /// There is no plan.
    #[error("{system}: there is no plan: {why}")]
    NoPlan {
        /// For what.
        system: &'static str,
        /// Why not.
        why: String,
    },
}

/// What is run: a system, its answers' length, and the scale that its plan is made for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) system: System,
    pub(super) output_tokens: u32,
    pub(super) scale: f64,
}

impl Case {
    /// What is told of a system's plan where one plan stands for all.
    pub(super) fn usual(system: System) -> Self {
        Self { system, output_tokens: OUTPUT, scale: DRAWN }
    }

    fn key(self) -> (System, u32, u64) {
        (self.system, self.output_tokens, self.scale.to_bits())
    }

    /// Of a system, with the plan for a scale if it makes plans for deadlines.
    pub(super) fn of(system: System, output_tokens: u32, scale: f64) -> Self {
        let scale = if system.plans_for_deadline() { scale } else { 0.0 };
        Self { system, output_tokens, scale }
    }

    pub(super) fn recipe(self) -> Result<Recipe, PaperError> {
        match self.draft()?.scenario()? {
            Scenario::Serve(recipe) => Ok(Recipe::clone(&recipe)),
            _ => Err(self.no_plan("its scenario serves nothing")),
        }
    }

    /// Its scenario.
    pub(super) fn draft(self) -> Result<Draft, PaperError> {
        Ok(self.system.draft(self.output_tokens, self.scale)?)
    }

    /// The same, asked at a rate.
    pub(super) fn at(
        self,
        draft: &Draft,
        requests_per_s: f64,
        extent: &Extent,
    ) -> Result<Draft, PaperError> {
        let seconds = extent.seconds_at(self.system, requests_per_s);
        let keys = [("workload.requests_per_s", requests_per_s), ("run.seconds", seconds)];
        set(draft.clone(), &keys.map(|(key, value)| (key, value.to_string())))
    }

    fn no_plan(self, why: &str) -> PaperError {
        PaperError::NoPlan { system: self.system.label(), why: why.to_owned() }
    }

    /// What a request takes that is alone.
    pub(super) fn alone(self, draft: &Draft) -> Result<Duration, PaperError> {
        let few = Extent { requests: 3, seeds: 1..2, ..Extent::quick() };
        let point = self.point(draft, 0.001, &few)?;
        point.latencies.first().copied().ok_or_else(|| self.no_plan("no answer came"))
    }

    /// Times of all requests at a rate, in order. Also the first count, which find nobody before them:
    /// so a command that runs the scenario says the same.
    pub(super) fn point(
        self,
        draft: &Draft,
        requests_per_s: f64,
        extent: &Extent,
    ) -> Result<Point, PaperError> {
        let scenario = self.at(draft, requests_per_s, extent)?.scenario()?;
        let (mut latencies, mut requests) = (Vec::new(), 0);
        for seed in extent.seeds_of(self.system) {
            let served = served(&scenario, seed, self.system.label())?;
            requests += served.len();
            latencies.extend(served.iter().filter_map(|served| served.latency));
        }
        latencies.sort_unstable();
        Ok(Point { requests_per_s, latencies, requests })
    }

    /// All rates, until most requests are late by any deadline.
    fn curve(self, extent: &Extent, unit: Duration) -> Result<Curve, PaperError> {
        let draft = self.draft()?;
        let batched = self.system.is_batched();
        let scales = extent.scales.iter().copied().filter(|scale| !batched || *scale == DRAWN);
        let longest = unit.mul_f64(scales.fold(1.0, f64::max));
        let mut points = Vec::new();
        for &rate in extent.rates_of(self.system) {
            let point = self.point(&draft, rate, extent)?;
            let lost = point.attainment(longest) < LOST;
            points.push(point);
            if lost {
                break;
            }
        }
        let curve = Curve(points);
        // Their rates are further apart.
        let finer = curve.between(longest).filter(|_| batched);
        match finer {
            Some(rate) => Ok(curve.with(self.point(&draft, round(rate), extent)?)),
            None => Ok(curve),
        }
    }
}

/// What became of a scenario's requests, if whatever must hold did, and there was a plan.
pub(super) fn served(
    scenario: &Scenario,
    seed: u64,
    system: &'static str,
) -> Result<Vec<Served>, PaperError> {
    let report = ran(scenario, seed, system)?;
    match report.trouble {
        Some(why) => Err(PaperError::NoPlan { system, why }),
        None => Ok(report.served),
    }
}

/// What a scenario came to, if whatever must hold did.
pub(super) fn ran(
    scenario: &Scenario,
    seed: u64,
    system: &'static str,
) -> Result<Report, PaperError> {
    let outcome = scenario.run(seed, Wishes::default());
    match outcome.broken.into_iter().next() {
        Some(broken) => Err(PaperError::Broken { system, broken }),
        None => Ok(outcome.report.unwrap_or_default()),
    }
}

/// All that was run.
#[derive(Debug, Default)]
pub(super) struct Runs {
    curves: BTreeMap<(System, u32, u64), Curve>,
    /// What the same request takes on eight A100, by its answer's length.
    pub(super) units: BTreeMap<u32, Duration>,
}

impl Runs {
    /// Runs these systems, on all cores. `progress` hears of each that is done, and of how many.
    pub(super) fn of(
        systems: &[System],
        extent: &Extent,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, PaperError> {
        let mut units = BTreeMap::new();
        for &output_tokens in &extent.outputs {
            units.insert(output_tokens, reference(output_tokens)?);
        }
        let cases = cases(systems, extent);
        let done = AtomicUsize::new(0);
        let curves = beside(&cases, |case| {
            let curve = case.curve(extent, units[&case.output_tokens]);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, cases.len());
            curve
        });
        let keyed = cases.iter().zip(curves).map(|(case, curve)| Ok((case.key(), curve?)));
        Ok(Self { curves: keyed.collect::<Result<_, PaperError>>()?, units })
    }

    /// A system's curve, with the plan for that scale if it makes plans for deadlines.
    pub(super) fn curve(&self, system: System, output_tokens: u32, scale: f64) -> Option<&Curve> {
        self.curves.get(&Case::of(system, output_tokens, scale).key())
    }

    /// The deadline of a scale.
    pub(super) fn deadline(&self, output_tokens: u32, scale: f64) -> Duration {
        self.units[&output_tokens].mul_f64(scale)
    }
}

fn cases(systems: &[System], extent: &Extent) -> Vec<Case> {
    let mut all = Vec::new();
    for &system in systems {
        let (outputs, scales) = extent.of(system);
        for output_tokens in outputs {
            all.extend(scales.iter().map(|&scale| Case { system, output_tokens, scale }));
        }
    }
    all
}

/// What a request takes that is alone on eight A100.
pub(super) fn reference(output_tokens: u32) -> Result<Duration, PaperError> {
    let case = Case::of(System::Tp8, output_tokens, DRAWN);
    case.alone(&case.draft()?)
}

/// What comes of each, on all cores, in their order.
pub(super) fn beside<T: Sync, R: Send>(all: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut outcomes = Vec::new();
    sweep(
        0..all.len() as u64,
        cores(),
        |number| run(&all[number as usize]),
        |_, outcome| {
            outcomes.push(outcome);
            true
        },
    );
    outcomes
}
