//! Two scenarios, A and B, under the same seeds: what is measured of both, and what can be said of it.

mod told;

use std::{collections::BTreeMap, num::NonZeroUsize, ops::Range};

use crate::{Broken, Metric, Paired, Recipe, Report, Scenario, Wishes, sweep};

/// What runs of A and of B came to. It is told as a table, and in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    figures: Vec<Metric>,
    sides: [Side; 2],
}

/// What runs of A or of B came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// Of each seed all figures.
    values: BTreeMap<u64, Vec<Option<f64>>>,
    /// Seeds in which there was no plan, and why.
    pub troubles: Vec<(u64, String)>,
}

impl Comparison {
    /// Of these figures; no runs yet.
    pub fn of(figures: Vec<Metric>) -> Self {
        Self { figures, sides: Default::default() }
    }

    /// Runs A and B with each of these seeds; the first thing that did not hold, if one did not. Of
    /// scenarios that serve no workload there is nothing to tell.
    pub fn run(
        scenarios: [&Scenario; 2],
        seeds: Range<u64>,
        threads: NonZeroUsize,
    ) -> Result<Self, Broken> {
        let scales = scenarios[0].recipe().map(|recipe| Metric::all(&recipe.scales));
        let mut comparison = Self::of(scales.unwrap_or_default());
        let each = seeds.end.saturating_sub(seeds.start);
        let of = |job| ((job / each) as usize, seeds.start + job % each);
        let run = |job| {
            let (side, seed) = of(job);
            scenarios[side].run(seed, Wishes::default())
        };
        let mut broken = None;
        sweep(0..each.saturating_mul(2), threads, run, |job, outcome| {
            let (side, seed) = of(job);
            if let Some(report) = &outcome.report {
                comparison.take(side, seed, report);
            }
            broken = outcome.broken.into_iter().next();
            broken.is_none()
        });
        broken.map_or(Ok(comparison), Err)
    }

    /// Takes down a run of A (0) or of B (1).
    pub fn take(&mut self, side: usize, seed: u64, report: &Report) {
        let own = self.figures.iter().map(|figure| figure.of(&[report])).collect();
        let side = &mut self.sides[side.min(1)];
        side.values.insert(seed, own);
        side.troubles.extend(report.trouble.clone().map(|why| (seed, why)));
    }

    /// A and B.
    pub fn sides(&self) -> &[Side; 2] {
        &self.sides
    }

    /// The figures that both have, of the seeds in which both have them.
    pub fn paired(&self) -> Vec<(Metric, Paired)> {
        let [a, b] = &self.sides;
        let pairs = self.figures.iter().enumerate().filter_map(|(place, figure)| {
            let of = |(seed, own): (&u64, &Vec<Option<f64>>)| {
                Some((own[place]?, b.values.get(seed)?[place]?))
            };
            let values: Vec<(f64, f64)> = a.values.iter().filter_map(of).collect();
            Some((*figure, Paired::of(&values)?))
        });
        pairs.collect()
    }
}

/// Why figures of A and B may be of unlike things.
pub fn unlike(a: &Recipe, b: &Recipe, seed: u64) -> Vec<String> {
    let mut unlike = Vec::new();
    if a.arrivals(seed) != b.arrivals(seed) {
        unlike.push("A and B are not asked the same".to_owned());
    }
    let s = |recipe: &Recipe| recipe.unit.as_secs_f64();
    if a.unit != b.unit {
        unlike.push(format!("1x is {:.3} s in A and {:.3} s in B", s(a), s(b)));
    }
    unlike
}
