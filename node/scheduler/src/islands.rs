//! The searches that ours is made of.

use crate::{
    again::{Judges, by_score},
    partitions::FEW_DEVICES,
    phase1::Depth,
    phase2::{Decoder, Effort, Found, Partition, climb, genetic, regions, regroup, seeds},
    propose::{Ask, Planner},
};

/// Judgements of small steps times groups.
const CLIMB: usize = 4_000;
/// Of more groups there are too many small steps.
const CLIMB_GROUPS_MAX: usize = 24;
/// A thread begins no further chain after so much work, times the third power of the classes of
/// devices, nor after so much, nor more than so many: the more kinds there are, the more ways to be
/// unlucky.
const WORK_NS: u64 = 730_000;
const WORK_MAX_NS: u64 = 3_000_000_000;
const CHAINS_MAX: u64 = 16;
/// So often at most are groups put together anew.
const ROUNDS: usize = 4;

/// HexGen's search, and the same with changes that know nothing.
pub(crate) const HEXGEN: Effort =
    Effort { population: 32, evaluations: 1_000, patience: 300, guided: 10, recut: false };
pub(crate) const RANDOM: Effort = Effort { guided: 0, ..HEXGEN };
/// One of several, and the one that goes on from them.
const PART: Effort =
    Effort { population: 16, evaluations: 300, patience: 200, recut: true, ..HEXGEN };
const LAST: Effort = Effort { evaluations: 2_000, patience: 400, guided: 7, ..PART };

/// Of very many devices fewer partitions are judged.
fn scaled(decoder: &Decoder<'_>, effort: Effort) -> Effort {
    if decoder.search.depth != Depth::Rough {
        return effort;
    }
    let part = (FEW_DEVICES as f64 / decoder.ground.devices() as f64).min(1.0);
    let scale = |count: usize| (count as f64 * part).ceil() as usize;
    let (evaluations, patience) = (scale(effort.evaluations), scale(effort.patience));
    Effort { evaluations, patience, ..effort }
}

/// What each of the two threads searches: one begins with HexGen's search and one with that at
/// random, so that, up to the cuts and to luck, ours does not end below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Island {
    Hexgen,
    Random,
}

/// Chains with other lots, one after the other, as long as there is work left: where one is soon done
/// it may have been unlucky. Each ends with small steps from the best, which is judged again, and with
/// its groups put together anew.
pub(crate) fn chains(
    decoder: &Decoder<'_>,
    judges: &Judges,
    (island, ask): (Island, &Ask),
) -> Vec<Found> {
    let once = hurried(decoder, ask);
    let most = if once { 1 } else { CHAINS_MAX };
    let seed = ask.seed;
    let (efforts, last) = match island {
        Island::Hexgen => ((HEXGEN, Effort { guided: 5, ..PART }), seed),
        Island::Random => ((RANDOM, PART), seed ^ 1),
    };
    let mut all = Vec::new();
    let kinds = decoder.ground.classes.len() as u64;
    let begun = seeds(decoder);
    let work_ns = WORK_MAX_NS.min(WORK_NS.saturating_mul(kinds.saturating_pow(3)));
    for lot in 0..most {
        let other = lot << 32;
        let found = chain(decoder, judges, (efforts, &begun), (seed ^ other, last ^ other));
        all.push(if once { found } else { anew(decoder, judges, found) });
        if decoder.worked_ns() > work_ns {
            break;
        }
    }
    all
}

/// The groups that were looked at put together anew, with small steps from the best of them, as long
/// as that is better.
fn anew(decoder: &Decoder<'_>, judges: &Judges, mut best: Found) -> Found {
    for _ in 0..ROUNDS {
        let others = regroup(decoder, judges.trial.objective, &best.partition);
        if others.is_empty() {
            break;
        }
        let effort = Effort { evaluations: others.len(), ..PART };
        let found = genetic(decoder, &judges.trial, others, effort, 0);
        let found = judges.again(decoder, climbed(decoder, judges, found));
        let better = found.judged.score > best.judged.score;
        best = joined(vec![best, found]);
        if !better {
            break;
        }
    }
    best
}

/// The best of all chains, put together anew out of the groups of all.
pub(crate) fn regrouped(decoder: &Decoder<'_>, judges: &Judges, found: &[Found]) -> Option<Found> {
    let score = |found: &&Found| found.judged.score;
    let best = found.iter().max_by(|a, b| by_score(score(a), score(b)))?;
    // What it took to find it is counted already.
    let begun = Found { evaluations: 0, progress: Vec::new(), ..best.clone() };
    Some(anew(decoder, judges, begun))
}

/// Nodes wait for what a leader plans, and of very many devices a chain takes long.
pub(crate) fn hurried(decoder: &Decoder<'_>, ask: &Ask) -> bool {
    ask.planner == Planner::Replicas || decoder.search.depth == Depth::Rough
}

fn climbed(decoder: &Decoder<'_>, judges: &Judges, found: Found) -> Found {
    let groups = found.partition.groups.len().max(1);
    if groups > CLIMB_GROUPS_MAX {
        return found;
    }
    climb(decoder, &judges.trial, found, CLIMB / groups)
}

/// Two searches that begin elsewhere, one that goes on from the best of both, and small steps.
fn chain(
    decoder: &Decoder<'_>,
    judges: &Judges,
    ((whole, part), seeds): ((Effort, Effort), &[Partition]),
    (seed, last): (u64, u64),
) -> Found {
    let judge = &judges.trial;
    let [whole, part, long] = [whole, part, LAST].map(|effort| scaled(decoder, effort));
    let first = genetic(decoder, judge, vec![regions(decoder.ground)], whole, seed);
    let other = genetic(decoder, judge, seeds.to_vec(), part, seed ^ part.guided as u64);
    let begun = [seeds, &first.others, &other.others].concat();
    let last = genetic(decoder, judge, begun, long, last);
    let found = climbed(decoder, judges, joined(vec![first, other, last]));
    judges.again(decoder, found)
}

/// The best of several that were found one after the other.
fn joined(mut all: Vec<Found>) -> Found {
    let (progress, evaluations) = progress(&all);
    let better = |a: &usize, b: &usize| by_score(all[*a].judged.score, all[*b].judged.score);
    let best = (0..all.len()).max_by(better).unwrap_or_default();
    let mut found = all.swap_remove(best);
    // Each is the best of its own.
    let seconds = all.iter().map(|found| found.partition.clone()).filter(|p| *p != found.partition);
    let seconds: Vec<Partition> = seconds.collect();
    found.others.splice(0..0, seconds);
    found.others.extend(all.into_iter().flat_map(|found| found.others));
    Found { progress, evaluations, ..found }
}

/// The best score after so many judgements, whenever it rose above all before, of several searches
/// that came one after the other; and all judgements.
pub(crate) fn progress(all: &[Found]) -> (Vec<(usize, f64)>, usize) {
    let (mut progress, mut judged): (Vec<(usize, f64)>, usize) = (Vec::new(), 0);
    for found in all {
        for (evaluations, score) in &found.progress {
            if progress.last().is_none_or(|(_, best)| score > best) {
                progress.push((judged + evaluations, *score));
            }
        }
        judged += found.evaluations;
    }
    (progress, judged)
}
