//! Pipelines that share nothing: a partition of the devices, and a pipeline for each part.

use crate::{
    both::both,
    draft::Draft,
    ground::{Ground, TEAM_DEVICES_MAX},
    phase1::{Aim, Depth, Search},
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
/// Judgements of small steps when little has changed.
const CLIMB_WARM: usize = 200;
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
const PART: Effort = Effort { evaluations: 1_000, patience: 400, ..HEXGEN };
const LAST: Effort = Effort { evaluations: 2_000, guided: 7, ..PART };

/// HexGen's two phases, as the planner that is asked for has them.
pub(crate) struct Partitions;

impl Plans for Partitions {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        run(ground, ask, |decoder, judge| match ask.planner {
            Planner::Exhaustive => every(decoder, judge),
            planner if planner.ours() && small(ground) => every(decoder, judge),
            planner => search(decoder, judge, planner, ask.seed),
        })
    }
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
        let found = genetic(decoder, judge, vec![known, whole], effort, ask.seed);
        climb(decoder, judge, found, CLIMB_WARM)
    })
}

fn small(ground: &Ground) -> bool {
    ground.spots.len() <= TEAM_DEVICES_MAX
}

fn run(ground: &Ground, ask: &Ask, search: impl FnOnce(&Decoder<'_>, &Judge) -> Found) -> Drafted {
    let judge = Judge {
        objective: ask.objective,
        requests_per_s: ground.workload.requests_per_s,
        serving: Serving::new(ask.seed, TRIAL_REQUESTS),
        thorough: false,
    };
    let ours = ask.planner.ours();
    let depth = match ask.planner == Planner::Exhaustive || ours && small(ground) {
        // With batches it would not be exact in any case, and take long.
        true if ground.rules.batch_max == 1 => Depth::Exact,
        true => Depth::Fine,
        false if ours && ground.devices() > FEW_DEVICES => Depth::Rough,
        false => Depth::Coarse,
    };
    let aim = aim(ask.objective);
    let decoder = Decoder::new(ground, Search { aim, depth });
    let found = search(&decoder, &judge);
    let judge = Judge { serving: Serving::new(ask.seed, TOLD_REQUESTS), ..judge };
    let (judge, found) = again(&decoder, judge, found);
    let mut drafted = Drafted { evaluations: found.evaluations, ..Drafted::default() };
    if found.judged.score == Score::WORST {
        return drafted;
    }
    drafted.progress = found.progress;
    drafted.drafts.push(laid_out(&decoder, &found.partition, &found.judged));
    if ours && depth == Depth::Coarse {
        let fine = Decoder::new(ground, Search { aim, depth: Depth::Fine });
        let judged = told(&fine, &judge, &found.partition);
        if judged.score > found.judged.score {
            drafted.drafts.push(laid_out(&fine, &found.partition, &judged));
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

fn laid_out(decoder: &Decoder<'_>, partition: &Partition, judged: &Judged) -> Draft {
    let fronts = decoder.fronts(partition);
    draft(decoder.ground, chosen(&fronts, &judged.choice).collect())
}

/// Judges the best again, with more requests, and the best few of those with every pipeline of each
/// group: those that won may have been lucky.
fn again(decoder: &Decoder<'_>, judge: Judge, found: Found) -> (Judge, Found) {
    let all = std::iter::once(&found.partition).chain(&found.others);
    let mut judged: Vec<(Score, Partition)> = Vec::new();
    for partition in all {
        if !judged.iter().any(|(_, known)| known == partition) {
            judged.push((told(decoder, &judge, partition).score, partition.clone()));
        }
    }
    judged.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));
    let judge = Judge { thorough: true, ..judge };
    let best = judged.into_iter().take(THOROUGH).map(|(_, partition)| {
        let judged = told(decoder, &judge, &partition);
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

/// A partition, judged by the figure that a person is told.
fn told(decoder: &Decoder<'_>, judge: &Judge, partition: &Partition) -> Judged {
    let fronts = decoder.fronts(partition);
    let judged = judge.judge(&fronts, Score::WORST);
    if judged.score == Score::WORST {
        return judged;
    }
    Judged { score: judge.told(&fronts, &judged), ..judged }
}

/// The genetic search as a planner has it.
fn search(decoder: &Decoder<'_>, judge: &Judge, planner: Planner, seed: u64) -> Found {
    let initial = || vec![regions(decoder.ground)];
    match planner {
        Planner::Default | Planner::Replicas | Planner::Exhaustive => islands(decoder, judge, seed),
        Planner::Hexgen => genetic(decoder, judge, initial(), HEXGEN, seed),
        Planner::HexgenRandom => genetic(decoder, judge, initial(), RANDOM, seed),
        _ => genetic(decoder, judge, initial(), Effort { evaluations: 0, ..HEXGEN }, seed),
    }
}

/// Ours begins with HexGen's and with the one at random, so that it never ends below them; beside
/// them two that begin elsewhere; a last one goes on from the best of all, and small steps end it. The
/// best of each are judged again at the end. Half of it is done by a second thread, which changes
/// nothing in what is found.
fn islands(decoder: &Decoder<'_>, judge: &Judge, seed: u64) -> Found {
    let scale = |effort: Effort| {
        let part = (FEW_DEVICES as f64 / decoder.ground.devices() as f64).min(1.0);
        let scale = |count: usize| (count as f64 * part).ceil() as usize;
        let (evaluations, patience) = (scale(effort.evaluations), scale(effort.patience));
        Effort { evaluations, patience, ..effort }
    };
    let pair = |decoder: &Decoder<'_>, whole: Effort, part: Effort| {
        let initial = vec![regions(decoder.ground)];
        let first = genetic(decoder, judge, initial, whole, seed);
        let other = genetic(decoder, judge, seeds(decoder), part, seed ^ part.guided as u64);
        [first, other]
    };
    let [hexgen, random, part, last] = [HEXGEN, RANDOM, PART, LAST].map(scale);
    let (ground, search) = (decoder.ground, decoder.search);
    let apart = || pair(&Decoder::new(ground, search), random, part);
    let here = || pair(decoder, hexgen, Effort { guided: 5, ..part });
    let (here, there) = both(here, apart);
    let found: Vec<Found> = here.into_iter().chain(there).collect();
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
