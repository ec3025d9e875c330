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
/// So many of those near the best are laid out in one round.
const NEAR: usize = 16;

/// Partitions laid out with care, and what they are worth, best first.
pub(crate) struct Careful<'a> {
    fine: Decoder<'a>,
    judges: &'a Judges,
    seen: BTreeSet<Partition>,
    pub(crate) all: Vec<(Judged, Partition)>,
}

impl<'a> Careful<'a> {
    pub(crate) fn new(ground: &'a Ground, aim: Aim, judges: &'a Judges) -> Self {
        let fine = Decoder::new(ground, Search { aim, depth: Depth::Fine });
        Self { fine, judges, seen: BTreeSet::new(), all: Vec::new() }
    }

    /// Every pipeline of each group.
    pub(crate) fn fronts(&self, partition: &Partition) -> Vec<Rc<Vec<Layout>>> {
        self.fine.fronts(partition)
    }

    /// Looks at partitions; at those of a few groups also with all that is idle beside one of them.
    pub(crate) fn look(&mut self, partitions: &[Partition]) {
        let mut ways: Vec<Partition> = Vec::new();
        for partition in partitions {
            ways.push(partition.clone());
            if partition.groups.len() <= FULLER_MAX {
                let ground = self.fine.ground;
                ways.extend(fuller(partition).into_iter().map(|g| Partition::new(ground, g)));
            }
        }
        self.lay_out(&ways);
        ways.iter().for_each(|way| self.judge(way));
    }

    /// Looks at what is nearest to the best in worth as far as a rougher search can tell.
    pub(crate) fn look_near(&mut self, rough: &Decoder<'_>) {
        let Some((_, best)) = self.all.first() else { return };
        let worth =
            |next: &Partition| self.judges.trial.judge(&rough.fronts(next), Score::WORST).score;
        let near = neighbours(rough, best).into_iter().filter(|next| !self.seen.contains(next));
        let mut near: Vec<(Score, Partition)> = near.map(|next| (worth(&next), next)).collect();
        near.sort_by(|a, b| by_score(b.0, a.0).then_with(|| a.1.cmp(&b.1)));
        near.dedup();
        let near: Vec<Partition> = near.into_iter().take(NEAR).map(|(_, next)| next).collect();
        self.look(&near);
    }

    /// Puts the groups that were laid out together anew.
    pub(crate) fn regroup(&mut self) {
        let Some((_, best)) = self.all.first() else { return };
        let others = regroup(&self.fine, self.judges.trial.objective, best);
        let worth =
            |next: &Partition| self.judges.trial.judge(&self.fine.fronts(next), Score::WORST).score;
        let others = others.into_iter().filter(|next| !self.seen.contains(next));
        let mut others: Vec<(Score, Partition)> = others.map(|next| (worth(&next), next)).collect();
        others.sort_by(|a, b| by_score(b.0, a.0));
        others.iter().take(LIKELY).for_each(|(_, next)| self.judge(next));
    }

    fn judge(&mut self, partition: &Partition) {
        if !self.seen.insert(partition.clone()) {
            return;
        }
        let judged = self.judges.thoroughly(&self.fine.fronts(partition));
        let place = self.all.partition_point(|(other, _)| other.score >= judged.score);
        self.all.insert(place, (judged, partition.clone()));
    }

    /// Every pipeline of each group, half of them by another thread.
    fn lay_out(&self, partitions: &[Partition]) {
        let mut groups: Vec<Group> = partitions.iter().flat_map(|p| p.groups.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|group| !self.fine.knows(group));
        let (ground, search) = (self.fine.ground, self.fine.search);
        let every_other = |from: usize| {
            let decoder = Decoder::new(ground, search);
            let groups = groups.iter().skip(from).step_by(2);
            groups.map(|group| (group.clone(), decoder.front(group).to_vec())).collect::<Vec<_>>()
        };
        let ((even, odd), ()) = beside(|| every_other(1), || (), |odd| (every_other(0), odd()));
        self.fine.learn(even);
        self.fine.learn(odd);
    }
}

/// For each group, all of them with all that is idle in that one: it may leave out what it has no use
/// for.
fn fuller(partition: &Partition) -> Vec<Vec<Group>> {
    let idle = || partition.idle.iter().copied().enumerate().filter(|(_, count)| *count > 0);
    if idle().next().is_none() {
        return Vec::new();
    }
    let with_all = |place: usize| {
        let mut partition = partition.clone();
        for (class, count) in idle() {
            partition.shift(class, count, None, Some(place));
        }
        let mut groups = partition.groups;
        groups[place].retain(|(_, count)| *count > 0);
        groups[place].sort_unstable();
        groups
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
        assert_eq!(fuller(&some), with_all);
        assert!(fuller(&Partition { groups, idle: vec![0; 4] }).is_empty());
    }
}
