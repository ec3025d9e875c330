//! What a partition is worth.

use std::rc::Rc;

use crate::{
    phase1::Layout,
    serve::{Replica, Serving, capacity, crowd, likely_rate, summed},
};

/// Up to so many ways to choose a pipeline for each group are all tried.
const CHOICES_MAX: usize = 8;
/// So many ways, those that likely serve most, are tried unless it is to be thorough.
const TRIED: usize = 3;
/// Of more groups not every pipeline of each is tried.
const THOROUGH_MAX: usize = 24;
/// How often each group's pipeline is chosen anew by rule of thumb.
const LIKELY_ROUNDS: usize = 3;
/// Above, pipelines that take at most such a part of the deadline.
const HASTES: [f64; 5] = [1.0, 0.8, 0.6, 0.4, 0.0];

/// What a plan is to be good at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// The part of requests done within the deadline; if no rate is given, the highest rate at
    /// which 99 of 100 are.
    Slo {
        /// From arrival to the last token.
        deadline_ms: f64,
    },
    /// Requests a second, whatever they take.
    Throughput,
    /// The time of one request alone.
    Latency,
}

/// More is better; of equals in the first, the second decides.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Score(pub(crate) f64, pub(crate) f64);

impl Score {
    pub(crate) const WORST: Self = Self(f64::NEG_INFINITY, f64::NEG_INFINITY);
}

/// A score, and the pipeline chosen for every group; none where it is left out.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) score: Score,
    pub(crate) choice: Vec<Option<usize>>,
}

/// Judges by an objective.
pub(crate) struct Judge {
    pub(crate) objective: Objective,
    pub(crate) requests_per_s: Option<f64>,
    pub(crate) serving: Serving,
    /// Whether other pipelines are tried for one group after the other.
    pub(crate) thorough: bool,
}

impl Judge {
    /// The best choice of pipelines. What cannot be better than `floor` need not be found out
    /// exactly.
    pub(crate) fn judge(&self, fronts: &[Rc<Vec<Layout>>], floor: Score) -> Judged {
        match self.objective {
            Objective::Latency => fastest(fronts),
            Objective::Throughput => busiest(fronts),
            Objective::Slo { deadline_ms } => self.timely(fronts, deadline_ms, floor),
        }
    }

    /// The same score as a person is told: the rate is looked for from nothing on, since more
    /// requests may be in time at a higher rate.
    pub(crate) fn told(&self, fronts: &[Rc<Vec<Layout>>], judged: &Judged) -> Score {
        match (self.objective, self.requests_per_s) {
            (Objective::Slo { deadline_ms }, None) => {
                let replicas = replicas(chosen(fronts, &judged.choice));
                Score(self.serving.peak_rate(&replicas[..], deadline_ms), capacity(&replicas))
            }
            _ => judged.score,
        }
    }

    fn timely(&self, fronts: &[Rc<Vec<Layout>>], deadline_ms: f64, floor: Score) -> Judged {
        let mut best = Judged { score: Score::WORST, choice: vec![None; fronts.len()] };
        let rate = |choice: &Vec<Option<usize>>| {
            let each = chosen(fronts, choice).map(|layout| crowd(&layout.replica(), deadline_ms));
            likely_rate(summed(each))
        };
        let mut choices: Vec<(f64, Vec<Option<usize>>)> = choices(fronts, deadline_ms)
            .into_iter()
            .map(|choice| (rate(&choice), choice))
            .collect();
        choices.sort_by(|a, b| b.0.total_cmp(&a.0));
        choices.truncate(if self.thorough { choices.len() } else { TRIED });
        for (_, choice) in choices {
            let replicas = replicas(chosen(fronts, &choice));
            let bar = if best.score > floor { best.score } else { floor };
            let score = self.score(&replicas, deadline_ms, bar);
            if score > best.score {
                best = Judged { score, choice };
            }
        }
        match self.thorough && fronts.len() <= THOROUGH_MAX {
            true => self.change_one(fronts, deadline_ms, floor, best),
            false => best,
        }
    }

    /// Another pipeline for one group at a time, as long as that is better.
    fn change_one(
        &self,
        fronts: &[Rc<Vec<Layout>>],
        deadline_ms: f64,
        floor: Score,
        mut best: Judged,
    ) -> Judged {
        // Of very many groups there are more ways than can be counted.
        let ways = fronts.iter().fold(1usize, |ways, of| ways.saturating_mul(of.len().max(1)));
        if ways <= CHOICES_MAX {
            return best;
        }
        let mut since = 0;
        for place in (0..fronts.len()).cycle() {
            if since >= fronts.len() {
                break;
            }
            since += 1;
            for other in 0..fronts[place].len() {
                if best.choice[place] == Some(other)
                    || fronts[place][other].latency_ms > deadline_ms
                {
                    continue;
                }
                let mut choice = best.choice.clone();
                choice[place] = Some(other);
                let bar = if best.score > floor { best.score } else { floor };
                let score = self.score(&replicas(chosen(fronts, &choice)), deadline_ms, bar);
                if score > best.score {
                    best = Judged { score, choice };
                    since = 0;
                }
            }
        }
        best
    }

    /// What replicas are worth; the rate that they could serve is never less.
    fn score(&self, replicas: &[Replica], deadline_ms: f64, bar: Score) -> Score {
        if replicas.is_empty() {
            return Score::WORST;
        }
        let most = capacity(replicas);
        match self.requests_per_s {
            Some(rate) => {
                let all: Vec<f64> = self.serving.latencies_ms(replicas, rate).collect();
                let met = all.iter().filter(|ms| **ms <= deadline_ms).count();
                let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
                Score(met as f64 / all.len().max(1) as f64, -mean)
            }
            None => Score(self.serving.peak_above(replicas, deadline_ms, bar.0), most),
        }
    }
}

/// What serves, fastest first: who is asked among equals depends on the order, so it must be one.
pub(crate) fn replicas<'a>(layouts: impl Iterator<Item = &'a Layout>) -> Vec<Replica> {
    let mut all: Vec<Replica> = layouts.map(Layout::replica).collect();
    all.sort_by(|a, b| {
        a.latency_ms.total_cmp(&b.latency_ms).then(a.period_ms.total_cmp(&b.period_ms))
    });
    all
}

impl Layout {
    pub(crate) fn replica(&self) -> Replica {
        Replica { latency_ms: self.latency_ms, period_ms: self.period_ms }
    }
}

/// The pipelines of a choice.
pub(crate) fn chosen<'a>(
    fronts: &'a [Rc<Vec<Layout>>],
    choice: &'a [Option<usize>],
) -> impl Iterator<Item = &'a Layout> {
    fronts.iter().zip(choice).filter_map(|(front, number)| number.map(|n| &front[n]))
}

fn fastest(fronts: &[Rc<Vec<Layout>>]) -> Judged {
    let time = |n: &usize| fronts[*n].first().map_or(f64::INFINITY, |layout| layout.latency_ms);
    let best = (0..fronts.len()).min_by(|a, b| time(a).total_cmp(&time(b)));
    let mut choice = vec![None; fronts.len()];
    let Some(best) = best.filter(|n| time(n).is_finite()) else {
        return Judged { score: Score::WORST, choice };
    };
    choice[best] = Some(0);
    let devices: usize = fronts[best][0].stages.iter().map(|stage| stage.parts.len()).sum();
    Judged { score: Score(-time(&best), -(devices as f64)), choice }
}

fn busiest(fronts: &[Rc<Vec<Layout>>]) -> Judged {
    let least = |front: &Rc<Vec<Layout>>| {
        (0..front.len()).min_by(|a, b| front[*a].period_ms.total_cmp(&front[*b].period_ms))
    };
    let choice: Vec<_> = fronts.iter().map(least).collect();
    let layouts = || chosen(fronts, &choice);
    if layouts().next().is_none() {
        return Judged { score: Score::WORST, choice };
    }
    let rate = layouts().map(|layout| 1e3 / layout.period_ms).sum();
    let time = layouts().map(|layout| layout.latency_ms).sum::<f64>() / layouts().count() as f64;
    Judged { score: Score(rate, -time), choice }
}

/// Ways to choose a pipeline for each group that can meet the deadline.
fn choices(fronts: &[Rc<Vec<Layout>>], deadline_ms: f64) -> Vec<Vec<Option<usize>>> {
    let timely: Vec<Vec<Option<usize>>> = fronts
        .iter()
        .map(|front| {
            let timely = (0..front.len()).filter(|n| front[*n].latency_ms <= deadline_ms);
            let numbers: Vec<_> = timely.map(Some).collect();
            if numbers.is_empty() { vec![None] } else { numbers }
        })
        .collect();
    let ways = timely.iter().try_fold(1usize, |ways, of| {
        ways.checked_mul(of.len()).filter(|ways| *ways <= CHOICES_MAX)
    });
    if ways.is_some() && fronts.len() <= 4 {
        return timely.iter().fold(vec![Vec::new()], |all, of| {
            let longer = |choice: Vec<Option<usize>>| {
                of.iter().map(move |n| choice.iter().copied().chain([*n]).collect())
            };
            all.into_iter().flat_map(longer).collect()
        });
    }
    let mut all = vec![likely(fronts, &timely, deadline_ms)];
    for haste in HASTES {
        let pick = |(front, of): (&Rc<Vec<Layout>>, &Vec<Option<usize>>)| {
            // In the order of their times, and so of their periods too.
            let soon =
                |n: &&Option<usize>| n.is_some_and(|n| front[n].latency_ms <= haste * deadline_ms);
            of.iter().rfind(soon).copied().unwrap_or(of[0])
        };
        let choice: Vec<_> = fronts.iter().zip(&timely).map(pick).collect();
        if !all.contains(&choice) {
            all.push(choice);
        }
    }
    all
}

/// The choice that serves most by rule of thumb, changed for one group after the other.
fn likely(
    fronts: &[Rc<Vec<Layout>>],
    timely: &[Vec<Option<usize>>],
    deadline_ms: f64,
) -> Vec<Option<usize>> {
    let worth = |place: usize, number: Option<usize>| match number {
        Some(n) => crowd(&fronts[place][n].replica(), deadline_ms),
        None => (0.0, 0.0),
    };
    let mut choice: Vec<Option<usize>> = timely.iter().map(|of| of[of.len() - 1]).collect();
    for _ in 0..LIKELY_ROUNDS {
        for place in 0..fronts.len() {
            let others = (0..fronts.len()).filter(|other| *other != place);
            let rest = summed(others.map(|other| worth(other, choice[other])));
            let rate = |number: &Option<usize>| {
                likely_rate(summed([rest, worth(place, *number)].into_iter()))
            };
            let best = timely[place].iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
            choice[place] = best.copied().unwrap_or(choice[place]);
        }
    }
    choice
}
