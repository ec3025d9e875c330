//! Pipelines that share nothing: a partition of the devices, and a pipeline for each part.

use std::rc::Rc;

use crate::{
    beside::beside,
    draft::Draft,
    ground::{Ground, TEAM_DEVICES_MAX},
    phase1::{Aim, Depth, Layout, Search},
    phase2::{
        Decoder, Effort, Found, Judge, Judged, Objective, Partition, Score, chosen, climb, every,
        gather, genetic, regions, seeds,
    },
    place::draft,
    propose::{Ask, Drafted, Planner, Plans, TOLD_REQUESTS},
    serve::Serving,
};

/// Judgements of small steps times groups.
const CLIMB: usize = 4_000;
/// Judgements of small steps when little has changed, and how many others are judged again.
const CLIMB_WARM: usize = 200;
const OTHERS_WARM: usize = 1;
/// Of more groups there are too many small steps.
const CLIMB_GROUPS_MAX: usize = 24;
/// Requests that the search serves.
const TRIAL_REQUESTS: usize = 1_000;

/// So many partitions are judged with every pipeline of each group.
const THOROUGH: usize = 4;
/// Of more devices than this fewer partitions are judged, and more roughly.
const FEW_DEVICES: usize = 64;

/// HexGen's search, and the same with changes that know nothing.
const HEXGEN: Effort = Effort { population: 32, evaluations: 1_000, patience: 300, guided: 10 };
const RANDOM: Effort = Effort { guided: 0, ..HEXGEN };
/// One of several, and the one that goes on from them.
const PART: Effort = Effort { evaluations: 300, patience: 200, ..HEXGEN };
const LAST: Effort = Effort { evaluations: 2_000, patience: 400, guided: 7, ..PART };

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
    // Half of what begins ours is done by a second thread, which changes nothing in what is found.
    let apart = || if ours && !all { apart(ground, ask) } else { Vec::new() };
    beside(apart, other, |apart| {
        run(ground, ask, |decoder, judge| match all {
            true => every(decoder, judge),
            false if ours => islands(decoder, judge, ask.seed, apart),
            false => search(decoder, judge, ask),
        })
    })
}

/// The same near some that are known, as groups of devices.
pub(crate) fn near(ground: &Ground, ask: &Ask, groups: &[Vec<usize>]) -> Drafted {
    run(ground, ask, |decoder, judge| {
        if small(ground) {
            return every(decoder, judge);
        }
        let known = Partition::of_spots(ground, groups);
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
        serving: Serving::new(ask.seed, TRIAL_REQUESTS),
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
        false if ask.planner.ours() && ground.devices() > FEW_DEVICES => Depth::Rough,
        false => Depth::Coarse,
    }
}

fn run(ground: &Ground, ask: &Ask, search: impl FnOnce(&Decoder<'_>, &Judge) -> Found) -> Drafted {
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
        let fronts = fine(ground, aim, &found.partition);
        let judged = told(&judge, &fronts);
        if judged.score > found.judged.score {
            drafted.drafts.push(laid_out(ground, &fronts, &judged));
        }
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

/// Every pipeline of each group, looked for with more care, half of them by another thread.
fn fine(ground: &Ground, aim: Aim, partition: &Partition) -> Vec<Rc<Vec<Layout>>> {
    let every_other = |from: usize| {
        let decoder = Decoder::new(ground, Search { aim, depth: Depth::Fine });
        let groups = partition.groups.iter().skip(from).step_by(2);
        groups.map(|group| decoder.front(group).to_vec()).collect::<Vec<_>>()
    };
    let ((even, odd), ()) = beside(|| every_other(1), || (), |odd| (every_other(0), odd()));
    let (mut even, mut odd) = (even.into_iter(), odd.into_iter());
    let next = |place| if place % 2 == 0 { even.next() } else { odd.next() };
    (0..partition.groups.len()).map_while(next).map(Rc::new).collect()
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

/// Of very many devices fewer partitions are judged.
fn scaled(ground: &Ground, effort: Effort) -> Effort {
    let part = (FEW_DEVICES as f64 / ground.devices() as f64).min(1.0);
    let scale = |count: usize| (count as f64 * part).ceil() as usize;
    let (evaluations, patience) = (scale(effort.evaluations), scale(effort.patience));
    Effort { evaluations, patience, ..effort }
}

/// Two searches: as another planner's, and elsewhere.
fn pair(
    decoder: &Decoder<'_>,
    judge: &Judge,
    whole: Effort,
    part: Effort,
    seed: u64,
) -> [Found; 2] {
    let [whole, part] = [whole, part].map(|effort| scaled(decoder.ground, effort));
    let first = genetic(decoder, judge, vec![regions(decoder.ground)], whole, seed);
    let other = genetic(decoder, judge, seeds(decoder), part, seed ^ part.guided as u64);
    [first, other]
}

/// The searches that another thread does.
fn apart(ground: &Ground, ask: &Ask) -> Vec<Found> {
    let search = Search { aim: aim(ask.objective), depth: depth(ground, ask) };
    pair(&Decoder::new(ground, search), &judge(ground, ask), RANDOM, PART, ask.seed).into()
}

/// Ours begins with HexGen's and with the one at random, so that it never ends below them; beside
/// them two that begin elsewhere; a last one goes on from the best of all, and small steps end it. The
/// best of each are judged again at the end.
fn islands(
    decoder: &Decoder<'_>,
    judge: &Judge,
    seed: u64,
    apart: impl FnOnce() -> Vec<Found>,
) -> Found {
    let here = pair(decoder, judge, HEXGEN, Effort { guided: 5, ..PART }, seed);
    let last = scaled(decoder.ground, LAST);
    let found: Vec<Found> = here.into_iter().chain(apart()).collect();
    let mut progress = Vec::new();
    let mut judged = 0;
    for island in &found {
        rises(&mut progress, judged, &island.progress);
        judged += island.evaluations;
    }
    let best: Vec<Partition> = found
        .into_iter()
        .flat_map(|found| std::iter::once(found.partition).chain(found.others))
        .collect();
    let begun = seeds(decoder).into_iter().chain(best.clone()).collect();
    let mut found = genetic(decoder, judge, begun, last, seed);
    let groups = found.partition.groups.len().max(1);
    if groups <= CLIMB_GROUPS_MAX {
        found = climb(decoder, judge, found, CLIMB / groups);
    }
    found.others.extend(best);
    rises(&mut progress, judged, &found.progress);
    found.progress = progress;
    found.evaluations += judged;
    found
}

/// The progress of a search that came after so many judgements, as far as it rose above all before.
fn rises(all: &mut Vec<(usize, f64)>, before: usize, own: &[(usize, f64)]) {
    for (evaluations, score) in own {
        if all.last().is_none_or(|(_, best)| score > best) {
            all.push((before + evaluations, *score));
        }
    }
}
