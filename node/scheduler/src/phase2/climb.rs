//! The last steps: every small change of what was found, as long as one is better.

use super::{Decoder, Found, Judge, Partition, partition::of};

/// Moves devices between two groups, joins two or cuts one, while that is better and some of so
/// many judgements are left.
pub(crate) fn climb(
    decoder: &Decoder<'_>,
    judge: &Judge,
    mut found: Found,
    judgements: usize,
) -> Found {
    let end = found.evaluations + judgements;
    let mut partition = found.partition.clone();
    loop {
        let better = neighbours(decoder, &partition).into_iter().find(|next| {
            if found.evaluations >= end {
                return false;
            }
            found.evaluations += 1;
            let judged = judge.judge(&decoder.fronts(next), found.judged.score);
            let better = judged.score > found.judged.score;
            if better {
                found.progress.push((found.evaluations, judged.score.0));
                found.judged = judged;
            }
            better
        });
        match better {
            Some(next) => partition = next,
            None => break,
        }
    }
    found.partition = partition;
    found
}

pub(crate) fn neighbours(decoder: &Decoder<'_>, partition: &Partition) -> Vec<Partition> {
    let groups = partition.groups.len();
    let places = || (0..=groups).map(|place| Some(place).filter(|place| *place < groups));
    let mut all = Vec::new();
    for (one, other) in (0..groups).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut next = partition.clone();
        for (class, count) in partition.groups[one].clone() {
            next.shift(class, count, Some(one), Some(other));
        }
        all.push(next);
    }
    for (from, to) in places().flat_map(|from| places().map(move |to| (from, to))) {
        if from == to {
            continue;
        }
        for (class, of_class) in decoder.ground.classes.iter().enumerate() {
            let held =
                from.map_or(partition.idle[class], |from| of(&partition.groups[from], class));
            let mut sizes = vec![1, 2, 4, of_class.size, held];
            sizes.retain(|size| (1..=held).contains(size));
            sizes.sort_unstable();
            sizes.dedup();
            for size in sizes {
                let mut next = partition.clone();
                next.shift(class, size, from, to);
                all.push(next);
            }
        }
    }
    for group in 0..groups {
        let mut next = partition.clone();
        next.groups.push(Vec::new());
        for (class, count) in partition.groups[group].clone() {
            next.shift(class, count / 2, Some(group), Some(groups));
        }
        all.push(next);
    }
    all.iter_mut().for_each(Partition::tidy);
    all.dedup();
    all
}
