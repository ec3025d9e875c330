//! Scenarios with some keys set to some values in turn, each run with some seeds.

use std::{cmp::Ordering, num::NonZeroUsize, ops::Range};

use crate::{Axis, Draft, Metric, Outcome, ScenarioError, Setting, Wishes, sweep};

/// More runs than this are not begun.
pub const JOBS_MAX: u64 = 100_000;

/// Why a grid is not run.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// Two axes of one key.
    #[error("{0} is set twice: write {0}=V1,V2")]
    Twice(String),
    /// More runs than anybody waits for.
    #[error("{points} points with {seeds} seeds each are {} runs, more than {JOBS_MAX}: leave out some", u128::from(*points) * u128::from(*seeds))]
    TooMany {
        /// Scenarios.
        points: u64,
        /// Seeds of each.
        seeds: u64,
    },
    /// Nothing to measure.
    #[error("{0} serves no workload: there is nothing to measure")]
    Idle(Box<Draft>),
    /// A scenario that cannot be.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// What is known of all points of a grid before any is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreseen {
    /// What was assumed or left out.
    pub notes: Vec<String>,
    /// What all points can tell, or some.
    pub figures: Vec<Metric>,
}

/// A run of a grid.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The number of its point.
    pub point: u64,
    /// Its scenario.
    pub draft: Draft,
    /// Its seed.
    pub seed: u64,
    /// What it came to.
    pub outcome: Outcome,
}

/// Points, each a scenario with some keys set, and the seeds that each is run with.
#[derive(Clone, Debug)]
pub struct Grid {
    drafts: Vec<Draft>,
    axes: Vec<Axis>,
    seeds: Range<u64>,
}

impl Grid {
    /// Each of some scenarios with every value of one axis, of these with every value of the next,
    /// and so on: what the last axis sets changes soonest.
    pub fn new(drafts: Vec<Draft>, axes: Vec<Axis>, seeds: Range<u64>) -> Result<Self, GridError> {
        let twice = axes.iter().enumerate().find_map(|(place, axis)| {
            axes[..place].iter().any(|earlier| earlier.key() == axis.key()).then(|| axis.key())
        });
        if let Some(key) = twice {
            return Err(GridError::Twice(key.to_owned()));
        }
        let grid = Self { drafts, axes, seeds };
        let (points, seeds) = (grid.points(), grid.seeds());
        match points.saturating_mul(seeds) > JOBS_MAX {
            true => Err(GridError::TooMany { points, seeds }),
            false => Ok(grid),
        }
    }

    /// How many scenarios there are.
    pub fn points(&self) -> u64 {
        let sizes = self.axes.iter().map(|axis| axis.settings().len() as u64);
        sizes.fold(self.drafts.len() as u64, u64::saturating_mul)
    }

    /// How many seeds each is run with.
    pub fn seeds(&self) -> u64 {
        self.seeds.end.saturating_sub(self.seeds.start)
    }

    /// What is set at a point, an axis each.
    pub fn settings(&self, point: u64) -> Vec<&Setting> {
        let mut rest = point;
        let set = self.axes.iter().rev().map(|axis| {
            let all = axis.settings();
            let setting = &all[(rest % all.len() as u64) as usize];
            rest /= all.len() as u64;
            setting
        });
        let mut set: Vec<_> = set.collect();
        set.reverse();
        set
    }

    /// The scenario of a point.
    pub fn draft(&self, point: u64) -> Result<Draft, ScenarioError> {
        let each = self.points() / self.drafts.len().max(1) as u64;
        let mut draft = self.drafts[(point / each) as usize].clone();
        self.settings(point).into_iter().try_for_each(|setting| draft.set(setting))?;
        Ok(draft)
    }

    /// Looks at all points before any is run: whether they can be, and serve something.
    pub fn foresee(&self, threads: NonZeroUsize) -> Result<Foreseen, GridError> {
        let points = self.points();
        let mut foreseen = Ok(Foreseen::default());
        let look = |point| {
            let draft = self.draft(point)?;
            match draft.scenario()?.recipe() {
                Some(recipe) => Ok((recipe.notes.clone(), recipe.scales.clone())),
                None => Err(GridError::Idle(Box::new(draft))),
            }
        };
        sweep(0..points, threads, look, |_, seen| {
            match (seen, &mut foreseen) {
                (Ok((notes, scales)), Ok(Foreseen { notes: all, figures })) => {
                    add(all, notes);
                    add(figures, Metric::all(&scales));
                }
                (Err(error), _) => foreseen = Err(error),
                (_, Err(_)) => {}
            }
            foreseen.is_ok()
        });
        let mut foreseen = foreseen?;
        foreseen
            .figures
            .sort_by(|a, b| place(*a).partial_cmp(&place(*b)).unwrap_or(Ordering::Equal));
        Ok(foreseen)
    }

    /// Runs every point with every seed, all seeds of a point before the next point, and hands over
    /// what came of each in this order until `take` says that it is enough. A scenario is there only
    /// while it runs; those that are planned alike share their plans. Only the first is filmed.
    pub fn run(
        &self,
        threads: NonZeroUsize,
        wishes: Wishes,
        mut take: impl FnMut(Ran) -> bool,
    ) -> Result<(), ScenarioError> {
        let seeds = self.seeds();
        let run = |job| {
            let (point, seed) = (job / seeds, self.seeds.start + job % seeds);
            let draft = self.draft(point)?;
            let wishes = Wishes { film: wishes.film && job == 0, ..wishes };
            let outcome = draft.scenario()?.run(seed, wishes);
            Ok(Ran { point, draft, seed, outcome })
        };
        let mut result = Ok(());
        let jobs = self.points().saturating_mul(seeds);
        sweep(0..jobs, threads, run, |_, ran| match ran {
            Ok(ran) => take(ran),
            Err(error) => {
                result = Err(error);
                false
            }
        });
        result
    }
}

/// Where a figure stands among others: figures of a scale in the order of scales, after all others.
fn place(figure: Metric) -> (u8, f64) {
    match figure {
        Metric::Attainment(scale) => (2, scale),
        Metric::Goodput(scale) => (1, scale),
        _ => (0, 0.0),
    }
}

/// Those that are not there yet.
fn add<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
