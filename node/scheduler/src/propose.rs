//! The search for pipelines, as each planner has it.

use crate::{
    ground::Ground,
    phase1::{Aim, Search},
    phase2::{
        Decoder, Effort, Found, Judge, Judged, Objective, Partition, Score, climb, every, gather,
        genetic, regions, seeds,
    },
    proposal::{Proposal, tell},
    serve::Serving,
};

/// Up to so many devices every partition is looked at.
const EVERY_DEVICES: usize = 6;
/// Judgements of small steps times groups.
const CLIMB: usize = 4_000;
/// Judgements of small steps when little has changed.
const CLIMB_WARM: usize = 200;
/// Of more groups there are too many small steps.
const CLIMB_GROUPS_MAX: usize = 24;
/// Requests that the search serves, and those that the result is told by.
const TRIAL_REQUESTS: usize = 1_000;
pub(crate) const TOLD_REQUESTS: usize = 8_000;

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planner {
    /// The best we have.
    Default,
    /// HexGen's: K-means, then merge, split and swap.
    Hexgen,
    /// HexGen's baseline: the same loop with mutations that know nothing.
    HexgenRandom,
    /// HexGen's beginning alone.
    HexgenInitial,
    /// Every partition.
    Exhaustive,
}

/// What to plan for, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Which search.
    pub planner: Planner,
    /// What the plan is to be good at.
    pub objective: Objective,
    /// For what is drawn by lot.
    pub seed: u64,
}

/// The best pipelines found; none if the model fits nowhere.
pub fn propose(ground: &Ground, ask: &Ask) -> Option<Proposal> {
    run(ground, ask, |decoder, judge| match ask.planner {
        Planner::Exhaustive => every(decoder, judge),
        Planner::Default if small(ground) => every(decoder, judge),
        planner => search(decoder, judge, planner, ask.seed),
    })
}

/// The best pipelines found near some that are known, as groups of devices: when a few devices have
/// come or gone. What is in no group is free.
pub fn propose_from(ground: &Ground, ask: &Ask, groups: &[Vec<usize>]) -> Option<Proposal> {
    run(ground, ask, |decoder, judge| {
        if small(ground) {
            return every(decoder, judge);
        }
        let known = Partition::of_spots(ground, groups);
        let mut whole = known.clone();
        gather(decoder, &mut whole);
        let effort = Effort { population: 16, evaluations: 40, patience: 40, guided: 8 };
        let found = genetic(decoder, judge, vec![known, whole], effort, ask.seed);
        climb(decoder, judge, found, CLIMB_WARM)
    })
}

fn small(ground: &Ground) -> bool {
    ground.spots.len() <= EVERY_DEVICES
}

fn run(
    ground: &Ground,
    ask: &Ask,
    search: impl FnOnce(&Decoder<'_>, &Judge) -> Found,
) -> Option<Proposal> {
    if !ground.sane() {
        return None;
    }
    let judge = Judge {
        objective: ask.objective,
        requests_per_s: ground.workload.requests_per_s,
        serving: Serving::new(ask.seed, TRIAL_REQUESTS),
    };
    let aim = match ask.objective {
        Objective::Slo { deadline_ms } => Aim::Within { latency_ms: deadline_ms },
        Objective::Throughput => Aim::Busiest,
        Objective::Latency => Aim::Fastest,
    };
    let exact =
        ask.planner == Planner::Exhaustive || ask.planner == Planner::Default && small(ground);
    let decoder = Decoder::new(ground, Search { aim, exact });
    let found = search(&decoder, &judge);
    let found = again(&decoder, judge, ask, found);
    (found.judged.score > Score::WORST).then(|| tell(&decoder, ask, found))
}

/// Judges the best few again, with more requests: those that won may have been lucky.
fn again(decoder: &Decoder<'_>, judge: Judge, ask: &Ask, found: Found) -> Found {
    let judge = Judge { serving: Serving::new(ask.seed, TOLD_REQUESTS), ..judge };
    let of = |partition: &Partition| {
        let fronts = decoder.fronts(partition);
        let judged = judge.judge(&fronts, Score::WORST);
        let score =
            if judged.score > Score::WORST { judge.told(&fronts, &judged) } else { Score::WORST };
        Judged { score, ..judged }
    };
    let mut best = Found { judged: of(&found.partition), ..found };
    for other in std::mem::take(&mut best.others) {
        let judged = of(&other);
        if judged.score > best.judged.score {
            (best.partition, best.judged) = (other, judged);
        }
    }
    best
}

/// The genetic search as a planner has it. Ours begins with HexGen's, so that it never ends below it;
/// beside it two that begin elsewhere, one of them guided half as often; a last one goes on from the
/// best of all, and small steps end it. The best of each are judged again at the end.
fn search(decoder: &Decoder<'_>, judge: &Judge, planner: Planner, seed: u64) -> Found {
    let effort = Effort { population: 32, evaluations: 1_000, patience: 300, guided: 10 };
    let initial = || vec![regions(decoder.ground)];
    match planner {
        Planner::Default | Planner::Exhaustive => {
            let mut begun = seeds(decoder);
            let hexgen = genetic(decoder, judge, initial(), effort, seed);
            let others = [10, 5].map(|guided| {
                let effort = Effort { guided, evaluations: 400, patience: 200, ..effort };
                genetic(decoder, judge, begun.clone(), effort, seed ^ guided as u64)
            });
            let islands: Vec<Found> = std::iter::once(hexgen).chain(others).collect();
            let judged: usize = islands.iter().map(|found| found.evaluations).sum();
            let best: Vec<Partition> = islands
                .into_iter()
                .flat_map(|found| std::iter::once(found.partition).chain(found.others))
                .collect();
            begun.extend(best.clone());
            let effort = Effort { guided: 7, evaluations: 600, patience: 200, ..effort };
            let mut found = genetic(decoder, judge, begun, effort, seed);
            let groups = found.partition.groups.len().max(1);
            if groups <= CLIMB_GROUPS_MAX {
                found = climb(decoder, judge, found, CLIMB / groups);
            }
            found.others.extend(best);
            found.evaluations += judged;
            found
        }
        Planner::Hexgen => genetic(decoder, judge, initial(), effort, seed),
        Planner::HexgenRandom => {
            genetic(decoder, judge, initial(), Effort { guided: 0, ..effort }, seed)
        }
        Planner::HexgenInitial => {
            genetic(decoder, judge, initial(), Effort { evaluations: 0, ..effort }, seed)
        }
    }
}
