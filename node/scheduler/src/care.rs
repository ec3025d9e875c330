//! A partition that was found, laid out with more care than there is time for while it is searched.

use std::{collections::BTreeSet, rc::Rc};

use crate::{
    beside::beside,
    draft::Draft,
    ground::Ground,
    phase1::{Aim, Depth, Layout, Search},
    phase2::{Decoder, Group, Partition},
};

/// Up to so many groups, each is also looked at with all that is idle.
const FULLER_MAX: usize = 4;

/// Drafts out of every pipeline of each group, as far as they are of worth; of a few groups also with
/// all that is idle beside one of them.
pub(crate) fn carefully(
    ground: &Ground,
    aim: Aim,
    partitions: &[&Partition],
    worth: impl Fn(&[Rc<Vec<Layout>>]) -> Option<Draft>,
) -> Vec<Draft> {
    let mut ways: Vec<Vec<Group>> = Vec::new();
    for partition in partitions {
        ways.push(partition.groups.clone());
        if partition.groups.len() <= FULLER_MAX {
            ways.extend(fuller(partition));
        }
    }
    let mut groups: Vec<Group> = ways.iter().flatten().cloned().collect();
    groups.sort_unstable();
    groups.dedup();
    let fine = fine(ground, aim, &groups);
    let front = |group: &Group| groups.binary_search(group).ok().map(|n| Rc::clone(&fine[n]));
    let mut seen = BTreeSet::new();
    ways.retain(|way| seen.insert(way.clone()));
    let fronts = |way: &Vec<Group>| way.iter().filter_map(front).collect::<Vec<_>>();
    ways.iter().filter_map(|way| worth(&fronts(way))).collect()
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

/// Every pipeline of each group, looked for with more care, half of them by another thread.
fn fine(ground: &Ground, aim: Aim, groups: &[Group]) -> Vec<Rc<Vec<Layout>>> {
    let every_other = |from: usize| {
        let decoder = Decoder::new(ground, Search { aim, depth: Depth::Fine });
        let groups = groups.iter().skip(from).step_by(2);
        groups.map(|group| decoder.front(group).to_vec()).collect::<Vec<_>>()
    };
    let ((even, odd), ()) = beside(|| every_other(1), || (), |odd| (every_other(0), odd()));
    let (mut even, mut odd) = (even.into_iter(), odd.into_iter());
    let next = |place| if place % 2 == 0 { even.next() } else { odd.next() };
    (0..groups.len()).map_while(next).map(Rc::new).collect()
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
