//! The genetic search: a population of partitions that steadily gets better.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    Decoder, Judge, Judged, Partition, Score,
    mutate::{draw, mutate},
};

/// Of so many drawn at random, the best is the parent.
const TOURNAMENT: usize = 3;

/// How long to search. Counted, not timed: the same search anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) population: usize,
    pub(crate) evaluations: usize,
    /// Gives up after so many without a better one.
    pub(crate) patience: usize,
    /// How many of ten mutations know what they do.
    pub(crate) guided: usize,
    /// Whether four of ten cut two groups anew.
    pub(crate) recut: bool,
}

/// So many of the best are told of, since what tried them is small and errs.
const BEST: usize = 6;

/// What a search found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) partition: Partition,
    pub(crate) judged: Judged,
    /// The best, it among them, as far as they are told of.
    pub(crate) others: Vec<Partition>,
    pub(crate) evaluations: usize,
    /// The best score after so many evaluations, whenever it rose.
    pub(crate) progress: Vec<(usize, f64)>,
}

/// Searches from some partitions on.
pub(crate) fn genetic(
    decoder: &Decoder<'_>,
    judge: &Judge,
    seeds: Vec<Partition>,
    effort: Effort,
    seed: u64,
) -> Found {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut population: Vec<(Score, Partition)> = Vec::new();
    let mut best: Option<Found> = None;
    let (mut evaluations, mut last) = (0, 0);
    let mut next = seeds.into_iter();
    loop {
        let child = match next.next() {
            Some(seed) => seed,
            None if evaluations >= effort.evaluations || evaluations - last >= effort.patience => {
                break;
            }
            None => {
                let drawn = (0..TOURNAMENT).map(|_| draw(&mut random, population.len()));
                // In order of their worth.
                let parent = drawn.min().unwrap_or(0);
                let guided = draw(&mut random, 10) < effort.guided;
                mutate(decoder, &mut random, &population[parent].1, (guided, effort.recut))
            }
        };
        evaluations += 1;
        if population.iter().any(|(_, known)| *known == child) {
            continue;
        }
        let floor = best.as_ref().map_or(Score::WORST, |best| best.judged.score);
        let judged = judge.judge(&decoder.fronts(&child), floor);
        let score = judged.score;
        if best.is_none() || score > floor {
            let mut progress = best.map_or_else(Vec::new, |best| best.progress);
            progress.push((evaluations, score.0));
            let (partition, others) = (child.clone(), Vec::new());
            best = Some(Found { partition, judged, others, evaluations, progress });
            last = evaluations;
        }
        let place = population.partition_point(|(other, _)| *other >= score);
        population.insert(place, (score, child));
        population.truncate(effort.population);
    }
    let mut best = best.unwrap_or_else(|| {
        let partition = Partition::new(decoder.ground, Vec::new());
        let judged = Judged { score: Score::WORST, choice: Vec::new() };
        Found { partition, judged, others: Vec::new(), evaluations, progress: Vec::new() }
    });
    best.others = population.into_iter().take(BEST).map(|(_, partition)| partition).collect();
    best.evaluations = evaluations;
    best
}
