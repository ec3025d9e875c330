//! The paper's search: how long it takes, and how far it gets beside random mutation.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use swarm_scheduler::{Ask, Planner};

use super::{
    runs::{Case, PaperError, beside},
    system::System,
};

/// The best score after so many judgements, whenever it rose, in parts of what the initial assignment has.
pub(super) type Progress = Vec<(f64, f64)>;

/// How far searches got, for each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Convergence {
    pub(super) searches: Vec<(&'static str, Vec<Progress>)>,
}

const SEARCHES: [(&str, Planner); 3] = [
    ("HexGen's search", Planner::Hexgen),
    ("random mutation", Planner::HexgenRandom),
    ("ours", Planner::Default),
];

impl Convergence {
    pub(super) fn run(seeds: Range<u64>) -> Result<Self, PaperError> {
        let recipe = Case::usual(System::Full).recipe()?;
        let jobs: Vec<(usize, u64)> =
            (0..=SEARCHES.len()).flat_map(|s| seeds.clone().map(move |seed| (s, seed))).collect();
        let found = beside(&jobs, |&(search, seed)| {
            let planner = SEARCHES.get(search).map_or(Planner::HexgenInitial, |(_, p)| *p);
            recipe.fleet.propose(|ask| Ask { planner, seed, ..ask }).map(|found| found.progress)
        });
        let of = |search: usize| {
            let each = jobs.iter().zip(&found).filter(move |(job, _)| job.0 == search);
            each.map(|(_, progress)| progress.clone().unwrap_or_default())
        };
        let last = |all: Vec<(usize, f64)>| all.last().map_or(0.0, |(_, score)| *score);
        let initial: Vec<f64> = of(SEARCHES.len()).map(last).collect();
        let parts = |(progress, initial): (Vec<(usize, f64)>, &f64)| {
            // What serves nobody is told as minus infinity.
            let part = |(at, score): &(usize, f64)| (*at as f64, score.max(0.0) / initial);
            progress.iter().map(part).collect()
        };
        let searches = SEARCHES.iter().enumerate().map(|(number, (name, _))| {
            (*name, of(number).zip(&initial).map(parts).collect::<Vec<Progress>>())
        });
        Ok(Self { searches: searches.collect() })
    }

    /// How many judgements there were whenever a search rose with some seed, and the best score after
    /// them: the middle of all seeds.
    pub(super) fn middle(&self, search: usize) -> Progress {
        let seeds = &self.searches[search].1;
        let mut rises: Vec<f64> = seeds.iter().flatten().map(|(at, _)| *at).collect();
        rises.sort_by(f64::total_cmp);
        rises.dedup();
        let after = |judged: f64| {
            let best = |line: &Progress| {
                let known = line.iter().take_while(|(at, _)| *at <= judged).last();
                known.map_or(0.0, |(_, part)| *part)
            };
            let mut all: Vec<f64> = seeds.iter().map(best).collect();
            all.sort_by(f64::total_cmp);
            (judged.max(1.0), all.get(all.len() / 2).copied().unwrap_or(0.0))
        };
        rises.into_iter().map(after).collect()
    }

    /// How much more than another's a search has at the end.
    pub(super) fn gain(&self, of: usize, over: usize) -> f64 {
        let end = |search| self.middle(search).last().map_or(0.0, |(_, part)| *part);
        end(of) / end(over) - 1.0
    }
}

/// How long the paper's search takes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchTime {
    pub(super) full: Duration,
    pub(super) half: Duration,
}

impl SearchTime {
    pub(super) fn run() -> Result<Self, PaperError> {
        let time = |system| {
            let recipe = Case::usual(system).recipe()?;
            let began = Instant::now();
            drop(recipe.fleet.propose(|ask| ask));
            Ok::<_, PaperError>(began.elapsed())
        };
        Ok(Self { full: time(System::Full)?, half: time(System::Half)? })
    }
}
