//! The paper's search: how long it takes, and how far it gets beside random mutation.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use swarm_scheduler::{Ask, Planner, Proposal, Replica, Serving};

use super::{
    extent::{DRAWN, round},
    runs::{Case, PaperError, beside},
    spot::{command, set},
    system::System,
};

/// The best score after so many judgements, whenever it rose, in parts of what the initial assignment has.
pub(super) type Progress = Vec<(f64, f64)>;

/// How far searches got, for each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Convergence {
    pub(super) searches: Vec<(&'static str, Vec<Progress>)>,
    /// A rate, and which part of the requests each search's plan has in time there: what all seeds' have on
    /// average.
    pub(super) requests_per_s: f64,
    pub(super) attainments: [f64; SEARCHES.len()],
}

/// Searches, the last of which only begins.
pub(super) const SEARCHES: [(&str, Planner); 4] = [
    ("HexGen's search", Planner::Hexgen),
    ("random mutation", Planner::HexgenRandom),
    ("ours", Planner::Replicas),
    ("initial assignment only", Planner::HexgenInitial),
];
const HEXGEN: usize = 0;
const INITIAL: usize = SEARCHES.len() - 1;
/// Requests of the planner's own simulation.
const REQUESTS: usize = 4_000;

impl Convergence {
    pub(super) fn run(seeds: Range<u64>) -> Result<Self, PaperError> {
        let recipe = Case::usual(System::Full).recipe()?;
        let jobs: Vec<(usize, u64)> =
            (0..SEARCHES.len()).flat_map(|s| seeds.clone().map(move |seed| (s, seed))).collect();
        let found = beside(&jobs, |&(search, seed)| {
            recipe.fleet.propose(|ask| Ask { planner: SEARCHES[search].1, seed, ..ask })
        });
        let no_plan =
            || PaperError::NoPlan { system: System::Full.label(), why: "nothing found".to_owned() };
        let found = found.into_iter().collect::<Option<Vec<Proposal>>>().ok_or_else(no_plan)?;
        let of = |search: usize| {
            jobs.iter().zip(&found).filter(move |(job, _)| job.0 == search).map(|(_, found)| found)
        };
        let last = |all: &[(usize, f64)]| all.last().map_or(0.0, |(_, score)| *score);
        let initial: Vec<f64> = of(INITIAL).map(|found| last(&found.progress)).collect();
        let parts = |(found, initial): (&Proposal, &f64)| {
            // What serves nobody is told as minus infinity.
            let part = |(at, score): &(usize, f64)| (*at as f64, score.max(0.0) / initial);
            found.progress.iter().map(part).collect()
        };
        let searches = SEARCHES.iter().enumerate().map(|(number, (name, _))| {
            (*name, of(number).zip(&initial).map(parts).collect::<Vec<Progress>>())
        });
        let requests_per_s = round(mean(of(HEXGEN).map(|found| found.requests_per_s)));
        let deadline_ms = recipe.fleet.reference_ms().unwrap_or_default() * DRAWN;
        let met = |(found, seed): (&Proposal, u64)| {
            Serving::new(seed, REQUESTS).attainment(
                &replicas(found)[..],
                requests_per_s,
                deadline_ms,
            )
        };
        let attainments =
            std::array::from_fn(|search| mean(of(search).zip(seeds.clone()).map(met)));
        Ok(Self { searches: searches.collect(), requests_per_s, attainments })
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
            (judged.max(1.0), median(seeds.iter().map(best).collect()))
        };
        rises.into_iter().map(after).collect()
    }

    /// The same for a picture: who only begins stays where that was, as long as others search.
    pub(super) fn line(&self, search: usize) -> Progress {
        let mut line = self.middle(search);
        let ends = (0..SEARCHES.len()).filter_map(|other| Some(self.middle(other).last()?.0));
        if let (INITIAL, Some((_, part))) = (search, line.last().copied()) {
            line.push((ends.fold(1.0, f64::max), part));
        }
        line
    }

    /// How much more than another's a search has in time.
    pub(super) fn gain(&self, of: usize, over: usize) -> f64 {
        self.attainments[of] / self.attainments[over] - 1.0
    }

    /// What has a swarm run the plans that are found with this seed, at the rate where they are looked at.
    /// What only begins is for no swarm.
    pub(super) fn commands(&self, seed: u64) -> Result<Vec<String>, PaperError> {
        let draft = Case::usual(System::Full).draft()?;
        let one = |(label, planner): &(&str, Planner)| {
            let keys = [
                ("planner.name", planner.name().to_owned()),
                ("planner.sums", "hexgen".to_owned()),
                ("planner.seed", seed.to_string()),
                ("workload.requests_per_s", self.requests_per_s.to_string()),
            ];
            Ok(command(&set(draft.clone(), &keys)?, &(seed..seed + 1), label))
        };
        SEARCHES[..INITIAL].iter().map(one).collect()
    }
}

/// A proposal's ways, as the planner's own simulation of serving takes them.
pub(super) fn replicas(found: &Proposal) -> Vec<Replica> {
    let ways = found.routes.iter();
    let one = |way: &swarm_scheduler::ProposedRoute| Replica {
        latency_ms: way.latency_ms,
        period_ms: 1e3 / way.requests_per_s,
    };
    ways.map(one).collect()
}

fn mean(all: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = all.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    sum / f64::max(count, 1.0)
}

/// The middle, or the mean of the two that are; 0 of none.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let at = |place: usize| all.get(place).copied().unwrap_or(0.0);
    match all.len() {
        0 => 0.0,
        count => (at((count - 1) / 2) + at(count / 2)) / 2.0,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_in_the_middle_none_is_preferred() {
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
