//! The searches that ours is made of.

use crate::{
    partitions::FEW_DEVICES,
    phase1::Depth,
    phase2::{Decoder, Effort, Found, Judge, climb, genetic, regions, seeds},
};

/// Judgements of small steps times groups.
const CLIMB: usize = 4_000;
/// Of more groups there are too many small steps.
const CLIMB_GROUPS_MAX: usize = 24;

/// HexGen's search, and the same with changes that know nothing.
pub(crate) const HEXGEN: Effort =
    Effort { population: 32, evaluations: 1_000, patience: 300, guided: 10 };
pub(crate) const RANDOM: Effort = Effort { guided: 0, ..HEXGEN };
/// One of several, and the one that goes on from them.
const PART: Effort = Effort { evaluations: 300, patience: 200, ..HEXGEN };
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

/// Two searches: another planner's own, and one that begins from pipelines of one class.
fn pair(
    decoder: &Decoder<'_>,
    judge: &Judge,
    whole: Effort,
    part: Effort,
    seed: u64,
) -> [Found; 2] {
    let [whole, part] = [whole, part].map(|effort| scaled(decoder, effort));
    let first = genetic(decoder, judge, vec![regions(decoder.ground)], whole, seed);
    let other = genetic(decoder, judge, seeds(decoder), part, seed ^ part.guided as u64);
    [first, other]
}

/// The chain that another thread does.
pub(crate) fn apart(decoder: &Decoder<'_>, judge: &Judge, seed: u64) -> Vec<Found> {
    chain(decoder, judge, (RANDOM, PART), (seed, seed ^ 1))
}

/// Two searches that begin elsewhere, and one that goes on from the best of both.
fn chain(
    decoder: &Decoder<'_>,
    judge: &Judge,
    (whole, part): (Effort, Effort),
    (seed, last): (u64, u64),
) -> Vec<Found> {
    let found = pair(decoder, judge, whole, part, seed);
    let best = found.iter().flat_map(|found| [&found.partition].into_iter().chain(&found.others));
    let begun = seeds(decoder).into_iter().chain(best.cloned()).collect();
    let last = genetic(decoder, judge, begun, scaled(decoder, LAST), last);
    found.into_iter().chain([last]).collect()
}

/// Two chains: one begins with HexGen's search and one with that at random, so that it never
/// ends below them. Small steps from the better of the two end it. The best of each search are judged
/// again at the end.
pub(crate) fn islands(
    decoder: &Decoder<'_>,
    judge: &Judge,
    seed: u64,
    apart: impl FnOnce() -> Vec<Found>,
) -> Found {
    let here = chain(decoder, judge, (HEXGEN, Effort { guided: 5, ..PART }), (seed, seed));
    let mut all: Vec<Found> = here.into_iter().chain(apart()).collect();
    let (mut progress, mut judged) = (Vec::new(), 0);
    for island in &all {
        rises(&mut progress, judged, &island.progress);
        judged += island.evaluations;
    }
    let better = |a: &usize, b: &usize| {
        let score = |n: &usize| all[*n].judged.score;
        score(a).partial_cmp(&score(b)).unwrap_or(std::cmp::Ordering::Equal)
    };
    let best = (0..all.len()).max_by(better).unwrap_or_default();
    let mut found = all.swap_remove(best);
    let groups = found.partition.groups.len().max(1);
    found.evaluations = 0;
    if groups <= CLIMB_GROUPS_MAX {
        let begun = found.partition.clone();
        found.progress.clear();
        found = climb(decoder, judge, found, CLIMB / groups);
        found.others.push(begun);
    }
    found.others.extend(
        all.into_iter().flat_map(|found| std::iter::once(found.partition).chain(found.others)),
    );
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
