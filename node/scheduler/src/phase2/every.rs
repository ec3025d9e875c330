//! Every partition, for pools so small that there are few.

use super::{Decoder, Found, Group, Judge, Judged, Partition, Score};

/// The best of all partitions.
pub(crate) fn every(decoder: &Decoder<'_>, judge: &Judge) -> Found {
    let counts: Vec<usize> = decoder.ground.classes.iter().map(|class| class.count()).collect();
    let nothing = Partition::new(decoder.ground, Vec::new());
    let judged = Judged { score: Score::WORST, choice: Vec::new() };
    let (others, progress) = (Vec::new(), Vec::new());
    let mut found = Found { partition: nothing, judged, others, evaluations: 0, progress };
    extend(decoder, judge, &mut Vec::new(), &counts, &mut found);
    found
}

/// Adds every group that is no greater than the last, so that each partition comes once.
fn extend(
    decoder: &Decoder<'_>,
    judge: &Judge,
    groups: &mut Vec<Group>,
    left: &[usize],
    found: &mut Found,
) {
    if !groups.is_empty() {
        let partition = Partition::new(decoder.ground, groups.clone());
        let judged = judge.judge(&decoder.fronts(&partition), found.judged.score);
        found.evaluations += 1;
        if judged.score > found.judged.score {
            found.progress.push((found.evaluations, judged.score.0));
            found.partition = partition;
            found.judged = judged;
        }
    }
    for group in subgroups(left) {
        let feasible = !decoder.front(&group).is_empty();
        if !feasible || groups.last().is_some_and(|last| group > *last) {
            continue;
        }
        let mut rest = left.to_vec();
        group.iter().for_each(|(class, count)| rest[*class] -= count);
        groups.push(group);
        extend(decoder, judge, groups, &rest, found);
        groups.pop();
    }
}

/// Every choice of devices, but none.
fn subgroups(left: &[usize]) -> Vec<Group> {
    let mut all: Vec<Group> = vec![Vec::new()];
    for (class, most) in left.iter().enumerate() {
        let with = |group: Group| {
            (0..=*most).map(move |count| {
                let mut group = group.clone();
                if count > 0 {
                    group.push((class, count));
                }
                group
            })
        };
        all = all.into_iter().flat_map(with).collect();
    }
    all.retain(|group| !group.is_empty());
    all
}
