//! Judging again what a search found: with more requests, and with every pipeline of each group.

use std::{cmp::Ordering, rc::Rc};

use crate::{
    phase1::Layout,
    phase2::{Decoder, Found, Judge, Judged, Objective, Partition, Score},
    propose::TOLD_REQUESTS,
    serve::Serving,
};

/// So many partitions are judged with every pipeline of each group.
const THOROUGH: usize = 4;

/// Who judges: while it is searched, then with as many requests as a plan is told by, and at last
/// with every pipeline of each group.
pub(crate) struct Judges {
    pub(crate) trial: Judge,
    told: Judge,
    thorough: Judge,
}

impl Judges {
    pub(crate) fn new(
        objective: Objective,
        requests_per_s: Option<f64>,
        (seed, trial_requests): (u64, usize),
    ) -> Self {
        let judge = |serving, thorough| Judge { objective, requests_per_s, serving, thorough };
        let told = Serving::new(seed, TOLD_REQUESTS);
        Self {
            trial: judge(Serving::new(seed, trial_requests), false),
            told: judge(told.clone(), false),
            thorough: judge(told, true),
        }
    }

    /// Judges the best again, with more requests, and the best few of those with every pipeline of
    /// each group: those that won may have been lucky. The others are told of, best first.
    pub(crate) fn again(&self, decoder: &Decoder<'_>, found: Found) -> Found {
        let all = std::iter::once(&found.partition).chain(&found.others);
        let mut judged: Vec<(Score, &Partition)> = Vec::new();
        for partition in all {
            if !judged.iter().any(|(_, known)| *known == partition) {
                decoder.worked_again(partition);
                judged.push((told(&self.told, &decoder.fronts(partition)).score, partition));
            }
        }
        judged.sort_by(|a, b| by_score(b.0, a.0));
        let best = judged.into_iter().take(THOROUGH).map(|(_, partition)| {
            let judged = self.thoroughly(&decoder.fronts(partition));
            (judged, partition.clone())
        });
        let mut best: Vec<(Judged, Partition)> = best.collect();
        best.sort_by(|a, b| by_score(b.0.score, a.0.score));
        let mut best = best.into_iter();
        match best.next() {
            Some((judged, partition)) => {
                let others = best.map(|(_, partition)| partition).collect();
                Found { judged, partition, others, ..found }
            }
            None => found,
        }
    }

    /// With every pipeline of each group.
    pub(crate) fn thoroughly(&self, fronts: &[Rc<Vec<Layout>>]) -> Judged {
        told(&self.thorough, fronts)
    }
}

/// Which of two scores is more.
pub(crate) fn by_score(a: Score, b: Score) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// Pipelines of each group, judged by the figure that a person is told.
fn told(judge: &Judge, fronts: &[Rc<Vec<Layout>>]) -> Judged {
    let judged = judge.judge(fronts, Score::WORST);
    if judged.score == Score::WORST {
        return judged;
    }
    Judged { score: judge.told(fronts, &judged), ..judged }
}
