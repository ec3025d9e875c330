//! Pipelines that share nothing: a partition of the devices, and a pipeline for each part.

use std::rc::Rc;

use crate::{
    beside::beside,
    care::carefully,
    draft::Draft,
    ground::{Ground, TEAM_DEVICES_MAX},
    islands::{HEXGEN, RANDOM, apart, islands},
    phase1::{Aim, Depth, Layout, Search},
    phase2::{
        Decoder, Effort, Found, Judge, Judged, Objective, Partition, Score, chosen, climb, every,
        gather, genetic, regions,
    },
    place::draft,
    propose::{Ask, Drafted, Planner, Plans, TOLD_REQUESTS},
    serve::Serving,
};

/// Judgements of small steps when little has changed, and how many others are judged again.
const CLIMB_WARM: usize = 200;
const OTHERS_WARM: usize = 1;
/// Of so many devices a partition that was known is laid out with care, too.
const KNOWN_DEVICES_MAX: usize = 48;
/// Requests that the search serves.
const TRIAL_REQUESTS: usize = 1_000;

/// So many partitions are judged with every pipeline of each group.
const THOROUGH: usize = 4;
/// Of more devices than this fewer partitions are judged, and more roughly. A swarm has less time: it
/// waits for its plan.
const MANY_DEVICES: usize = 192;
pub(crate) const FEW_DEVICES: usize = 64;

/// HexGen's two phases, as the planner that is asked for has them.
pub(crate) struct Partitions;

impl Plans for Partitions {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        drafts(ground, ask, || ()).0
    }
}

/// Drafts, and what something else gives, which is done at the same time.
pub(crate) fn drafts<T: Send>(
    ground: &Ground,
    ask: &Ask,
    other: impl Fn() -> T + Sync,
) -> (Drafted, T) {
    let (ours, all) = (ask.planner.ours(), all(ground, ask));
    // One of two chains is done by a second thread, which changes nothing in what is found.
    let apart = || if ours && !all { beside_ours(ground, ask) } else { Vec::new() };
    beside(apart, other, |apart| {
        run(ground, ask, None, |decoder, judge| match all {
            true => every(decoder, judge),
            false if ours => islands(decoder, judge, ask.seed, apart),
            false => search(decoder, judge, ask),
        })
    })
}

/// The same near some that are known, as groups of devices.
pub(crate) fn near(ground: &Ground, ask: &Ask, groups: &[Vec<usize>]) -> Drafted {
    let known = Partition::of_spots(ground, groups);
    run(ground, ask, Some(&known), |decoder, judge| {
        if small(ground) {
            return every(decoder, judge);
        }
        let known = known.clone();
        let mut whole = known.clone();
        gather(decoder, &mut whole);
        let effort = Effort { population: 16, evaluations: 40, patience: 40, guided: 8 };
        let mut found = genetic(decoder, judge, vec![known, whole], effort, ask.seed);
        // Time is short.
        found.others.truncate(OTHERS_WARM);
        climb(decoder, judge, found, CLIMB_WARM)
    })
}

fn small(ground: &Ground) -> bool {
    ground.spots.len() <= TEAM_DEVICES_MAX
}

fn judge(ground: &Ground, ask: &Ask) -> Judge {
    Judge {
        objective: ask.objective,
        requests_per_s: ground.workload.requests_per_s,
        // Where every partition is looked at there is time to serve each as often as is told of.
        serving: Serving::new(ask.seed, if small(ground) { TOLD_REQUESTS } else { TRIAL_REQUESTS }),
        thorough: false,
    }
}

/// Whether every partition is looked at.
fn all(ground: &Ground, ask: &Ask) -> bool {
    ask.planner == Planner::Exhaustive || ask.planner.ours() && small(ground)
}

fn depth(ground: &Ground, ask: &Ask) -> Depth {
    match all(ground, ask) {
        // With batches it would not be exact in any case, and take long.
        true if ground.rules.batch_max == 1 => Depth::Exact,
        true => Depth::Fine,
        false if ask.planner == Planner::Default && ground.devices() > MANY_DEVICES => Depth::Rough,
        false if ask.planner == Planner::Replicas && ground.devices() > FEW_DEVICES => Depth::Rough,
        false => Depth::Coarse,
    }
}

/// Drafts of the partition that a search finds, and of one that is known.
fn run(
    ground: &Ground,
    ask: &Ask,
    known: Option<&Partition>,
    search: impl FnOnce(&Decoder<'_>, &Judge) -> Found,
) -> Drafted {
    let (judge, aim, depth) = (judge(ground, ask), aim(ask.objective), depth(ground, ask));
    let decoder = Decoder::new(ground, Search { aim, depth });
    let found = search(&decoder, &judge);
    let judge = Judge { serving: Serving::new(ask.seed, TOLD_REQUESTS), ..judge };
    let (judge, found) = again(&decoder, judge, found);
    let mut drafted = Drafted { evaluations: found.evaluations, ..Drafted::default() };
    if found.judged.score == Score::WORST {
        return drafted;
    }
    drafted.progress = found.progress;
    let fronts = decoder.fronts(&found.partition);
    drafted.drafts.push(laid_out(ground, &fronts, &found.judged));
    if ask.planner.ours() && depth == Depth::Coarse {
        let worth = |fronts: &[Rc<Vec<Layout>>]| {
            let judged = told(&judge, fronts);
            (judged.score > found.judged.score).then(|| laid_out(ground, fronts, &judged))
        };
        // Of more devices there is no time for it, where a plan is to be mended soon.
        let known = known.filter(|_| ground.devices() <= KNOWN_DEVICES_MAX);
        drafted.drafts.extend(carefully(ground, aim, (&found.partition, known), worth));
    }
    drafted
}

/// Which pipelines are of use for an objective.
pub(crate) fn aim(objective: Objective) -> Aim {
    match objective {
        Objective::Slo { deadline_ms } => Aim::Within { latency_ms: deadline_ms },
        Objective::Throughput => Aim::Busiest,
        Objective::Latency => Aim::Fastest,
    }
}

fn laid_out(ground: &Ground, fronts: &[Rc<Vec<Layout>>], judged: &Judged) -> Draft {
    draft(ground, chosen(fronts, &judged.choice).collect())
}

/// Judges the best again, with more requests, and the best few of those with every pipeline of each
/// group: those that won may have been lucky.
fn again(decoder: &Decoder<'_>, judge: Judge, found: Found) -> (Judge, Found) {
    let all = std::iter::once(&found.partition).chain(&found.others);
    let mut judged: Vec<(Score, Partition)> = Vec::new();
    for partition in all {
        if !judged.iter().any(|(_, known)| known == partition) {
            judged.push((told(&judge, &decoder.fronts(partition)).score, partition.clone()));
        }
    }
    judged.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));
    let judge = Judge { thorough: true, ..judge };
    let best = judged.into_iter().take(THOROUGH).map(|(_, partition)| {
        let judged = told(&judge, &decoder.fronts(&partition));
        (judged, partition)
    });
    let mut found = Found { judged: Judged { score: Score::WORST, choice: Vec::new() }, ..found };
    for (judged, partition) in best {
        if judged.score > found.judged.score {
            (found.judged, found.partition) = (judged, partition);
        }
    }
    (judge, found)
}

/// Pipelines of each group, judged by the figure that a person is told.
fn told(judge: &Judge, fronts: &[Rc<Vec<Layout>>]) -> Judged {
    let judged = judge.judge(fronts, Score::WORST);
    if judged.score == Score::WORST {
        return judged;
    }
    Judged { score: judge.told(fronts, &judged), ..judged }
}

/// HexGen's search, the one at random, or only what they begin with.
fn search(decoder: &Decoder<'_>, judge: &Judge, ask: &Ask) -> Found {
    let effort = match ask.planner {
        Planner::Hexgen => HEXGEN,
        Planner::HexgenRandom => RANDOM,
        _ => Effort { evaluations: 0, ..HEXGEN },
    };
    genetic(decoder, judge, vec![regions(decoder.ground)], effort, ask.seed)
}

/// What another thread searches.
fn beside_ours(ground: &Ground, ask: &Ask) -> Vec<Found> {
    let search = Search { aim: aim(ask.objective), depth: depth(ground, ask) };
    apart(&Decoder::new(ground, search), &judge(ground, ask), ask.seed)
}
