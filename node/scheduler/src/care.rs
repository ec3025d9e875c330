//! A partition that was found, laid out with more care than there is time for while it is searched.

use std::{collections::BTreeSet, rc::Rc};

use crate::{
    again::{Judges, by_score},
    beside::beside,
    ground::Ground,
    phase1::{Aim, Depth, Layout, Search},
    phase2::{Decoder, Group, Judged, Partition, Score, neighbours, regroup},
};

/// Up to so many groups, each is also looked at with all that is idle.
const FULLER_MAX: usize = 4;
/// Of partitions whose groups were all laid out already, so many are judged as a plan is told.
const LIKELY: usize = 3;
/// So many of those near the best are laid out, unless it has many groups; and so many are tried.
const NEAR: usize = 16;
const NEAR_GROUPS_MAX: usize = 12;
const TRIALS_MAX: usize = 4_000;

/// Partitions laid out with care, and what they are worth, best first.
pub(crate) struct Careful<'a> {
    fine: Decoder<'a>,
    judges: &'a Judges,
    seen: BTreeSet<Partition>,
    pub(crate) all: Vec<(Judged, Partition)>,
    /// How many were judged, trials included.
    pub(crate) evaluations: usize,
}

impl<'a> Careful<'a> {
    pub(crate) fn new(ground: &'a Ground, aim: Aim, judges: &'a Judges) -> Self {
        let fine = Decoder::new(ground, Search { aim, depth: Depth::Fine });
        Self { fine, judges, seen: BTreeSet::new(), all: Vec::new(), evaluations: 0 }
    }

    /// Every pipeline of each group.
    pub(crate) fn fronts(&self, partition: &Partition) -> Vec<Rc<Vec<Layout>>> {
        self.fine.fronts(partition)
    }

    /// Looks at partitions; at those of a few groups also with all that is idle beside one of them.
    pub(crate) fn look(&mut self, mut all: Vec<Partition>) {
        let few = all.iter().filter(|partition| partition.groups.len() <= FULLER_MAX);
        let fuller: Vec<Partition> = few.flat_map(fuller).collect();
        all.extend(fuller);
        self.lay_out(&all);
        all.iter().for_each(|partition| self.judge(partition));
    }

    /// Looks at what is near the best and worth most as far as a rougher search can tell.
    pub(crate) fn look_near(&mut self, rough: &Decoder<'_>) {
        let Some((_, best)) = self.all.first() else { return };
        if best.groups.len() <= NEAR_GROUPS_MAX {
            let near = neighbours(rough, best).into_iter().collect();
            let near = self.new_of(near);
            let near = self.likeliest(rough, near, NEAR);
            self.look(near);
        }
    }

    /// Looks at the groups that were laid out, put together anew.
    pub(crate) fn look_regrouped(&mut self) {
        let Some((_, best)) = self.all.first() else { return };
        let others = regroup(&self.fine, self.judges.trial.objective, best);
        let others = self.new_of(others.into_iter().collect());
        let others = self.likeliest(&self.fine, others, LIKELY);
        others.iter().for_each(|next| self.judge(next));
    }

    /// Those that were not looked at yet, and are to be tried.
    fn new_of(&mut self, all: BTreeSet<Partition>) -> Vec<Partition> {
        let new = all.into_iter().filter(|next| !self.seen.contains(next));
        let new: Vec<Partition> = new.take(TRIALS_MAX).collect();
        self.evaluations += new.len();
        new
    }

    /// So many of some, the best first.
    fn likeliest(
        &self,
        decoder: &Decoder<'_>,
        new: Vec<Partition>,
        count: usize,
    ) -> Vec<Partition> {
        let trial = &self.judges.trial;
        let score = |next: &Partition| trial.judge(&decoder.fronts(next), Score::WORST).score;
        let mut new: Vec<(Score, Partition)> =
            new.into_iter().map(|next| (score(&next), next)).collect();
        new.sort_by(|a, b| by_score(b.0, a.0));
        new.into_iter().take(count).map(|(_, next)| next).collect()
    }

    fn judge(&mut self, partition: &Partition) {
        if !self.seen.insert(partition.clone()) {
            return;
        }
        self.evaluations += 1;
        let judged = self.judges.thoroughly(&self.fine.fronts(partition));
        let place = self.all.partition_point(|(other, _)| other.score >= judged.score);
        self.all.insert(place, (judged, partition.clone()));
    }

    /// Every pipeline of each group, half of them by another thread.
    fn lay_out(&self, partitions: &[Partition]) {
        let groups: BTreeSet<&Group> = partitions.iter().flat_map(|some| &some.groups).collect();
        let groups: Vec<&Group> = groups.into_iter().filter(|g| !self.fine.knows(g)).collect();
        let (ground, search) = (self.fine.ground, self.fine.search);
        let every_other = |from: usize| {
            let decoder = Decoder::new(ground, search);
            for group in groups.iter().skip(from).step_by(2) {
                decoder.front(group);
            }
            decoder.taught()
        };
        let ((even, odd), ()) = beside(|| every_other(1), || (), |odd| (every_other(0), odd()));
        self.fine.learn(even);
        self.fine.learn(odd);
    }
}

/// For each group, all of them with all that is idle in that one: it may leave out what it has no use
/// for.
fn fuller(partition: &Partition) -> Vec<Partition> {
    let idle = || partition.idle.iter().copied().enumerate().filter(|(_, count)| *count > 0);
    if idle().next().is_none() {
        return Vec::new();
    }
    let with_all = |place: usize| {
        let mut partition = partition.clone();
        for (class, count) in idle() {
            partition.shift(class, count, None, Some(place));
        }
        partition.tidy();
        partition
    };
    (0..partition.groups.len()).map(with_all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fuller_group_has_no_empty_class() {
        let groups = vec![vec![(0, 1), (2, 4)], vec![(1, 2)]];
        let some = Partition { groups: groups.clone(), idle: vec![3, 0, 0, 2] };
        let with_all = vec![
            vec![vec![(0, 4), (2, 4), (3, 2)], groups[1].clone()],
            vec![groups[0].clone(), vec![(0, 3), (1, 2), (3, 2)]],
        ];
        let found: Vec<Vec<Group>> = fuller(&some).into_iter().map(|more| more.groups).collect();
        assert_eq!(found, with_all);
        assert!(fuller(&Partition { groups, idle: vec![0; 4] }).is_empty());
    }
}
