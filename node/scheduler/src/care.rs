//! A partition that was found, laid out with more care than there is time for while it is searched.

use std::rc::Rc;

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
/// all that is idle beside one of them. A partition that was known before is not let go unlooked at.
pub(crate) fn carefully(
    ground: &Ground,
    aim: Aim,
    (partition, known): (&Partition, Option<&Partition>),
    worth: impl Fn(&[Rc<Vec<Layout>>]) -> Option<Draft>,
) -> Vec<Draft> {
    let mut groups = partition.groups.clone();
    let before = known.iter().flat_map(|known| &known.groups);
    let before: Vec<Group> = before.filter(|group| !groups.contains(group)).cloned().collect();
    groups.extend(before);
    let all = fine(ground, aim, &groups);
    let of = |partition: &Partition| {
        let place = |group: &Group| groups.iter().position(|other| other == group);
        partition.groups.iter().filter_map(place).map(|n| Rc::clone(&all[n])).collect::<Vec<_>>()
    };
    let fronts = of(partition);
    let mut drafts: Vec<Draft> = worth(&fronts).into_iter().collect();
    drafts.extend(known.filter(|known| *known != partition).and_then(|known| worth(&of(known))));
    if partition.groups.len() > FULLER_MAX {
        return drafts;
    }
    for (place, front) in fine(ground, aim, &fuller(partition)).into_iter().enumerate() {
        let mut fronts = fronts.clone();
        fronts[place] = front;
        drafts.extend(worth(&fronts));
    }
    drafts
}

/// Each group with all that is idle: it may leave out what it has no use for.
fn fuller(partition: &Partition) -> Vec<Group> {
    let idle = || partition.idle.iter().copied().enumerate().filter(|(_, count)| *count > 0);
    if idle().next().is_none() {
        return Vec::new();
    }
    let with_all = |place: usize| {
        let mut partition = partition.clone();
        for (class, count) in idle() {
            partition.shift(class, count, None, Some(place));
        }
        let mut group = partition.groups.swap_remove(place);
        group.sort_unstable();
        group
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
        let with_all = vec![vec![(0, 4), (2, 4), (3, 2)], vec![(0, 3), (1, 2), (3, 2)]];
        assert_eq!(fuller(&some), with_all);
        assert!(fuller(&Partition { groups, idle: vec![0; 4] }).is_empty());
    }
}
