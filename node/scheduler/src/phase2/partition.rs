//! A partition: so many devices of each class in each group.

use crate::{class::Class, ground::Ground};

/// (class, devices), by class, no class twice and none empty.
pub(crate) type Group = Vec<(usize, usize)>;

/// Devices in groups, a pipeline each, and those that are left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    /// In order, so that equal partitions are equal.
    pub(crate) groups: Vec<Group>,
    /// Devices of each class in no group.
    pub(crate) idle: Vec<usize>,
}

impl Partition {
    /// Groups out of all devices; those that ask for more than is left get what is left.
    pub(crate) fn new(ground: &Ground, groups: Vec<Group>) -> Self {
        let mut idle: Vec<usize> = ground.classes.iter().map(|class| class.count()).collect();
        let mut kept = Vec::new();
        for mut group in groups {
            for (class, count) in &mut group {
                *count = (*count).min(idle[*class]);
                idle[*class] -= *count;
            }
            kept.push(group);
        }
        let mut partition = Self { groups: kept, idle };
        partition.tidy();
        partition
    }

    /// Groups of devices, each of which counts for its class.
    pub(crate) fn of_spots(ground: &Ground, groups: &[Vec<usize>]) -> Self {
        let count = |spots: &Vec<usize>| {
            let held = |class: &Class| spots.iter().filter(|s| class.spots.contains(s)).count();
            ground.classes.iter().map(held).enumerate().collect()
        };
        Self::new(ground, groups.iter().map(count).collect())
    }

    /// Drops empty groups and puts the others in order.
    pub(crate) fn tidy(&mut self) {
        for group in &mut self.groups {
            group.retain(|(_, count)| *count > 0);
            group.sort_unstable();
        }
        self.groups.retain(|group| !group.is_empty());
        self.groups.sort_unstable();
    }

    /// Moves up to `count` devices of a class from one group to another; `None` is the idle.
    pub(crate) fn shift(
        &mut self,
        class: usize,
        count: usize,
        from: Option<usize>,
        to: Option<usize>,
    ) {
        let held = match from {
            Some(group) => of(&self.groups[group], class),
            None => self.idle[class],
        };
        let count = count.min(held);
        self.add(class, count, from, false);
        self.add(class, count, to, true);
    }

    fn add(&mut self, class: usize, count: usize, group: Option<usize>, more: bool) {
        let held = match group {
            None => &mut self.idle[class],
            Some(group) => {
                let group = &mut self.groups[group];
                let place = group.iter().position(|(of, _)| *of == class).unwrap_or_else(|| {
                    group.push((class, 0));
                    group.len() - 1
                });
                &mut group[place].1
            }
        };
        *held = if more { *held + count } else { *held - count };
    }
}

/// Devices of a class in a group.
pub(crate) fn of(group: &Group, class: usize) -> usize {
    group.iter().find(|(held, _)| *held == class).map_or(0, |(_, count)| *count)
}

impl Ground {
    /// Whether a group has the memory for the model at all: no layout is looked for otherwise.
    pub(crate) fn has_room(&self, group: &Group) -> bool {
        // Where every device sets room for the ends aside, they need no more of it.
        let layers = self.model.layer_bytes() * u64::from(self.model.layers);
        let needed = if self.rules.ends_everywhere { layers } else { self.model.total_bytes() };
        self.room(group) >= needed as f64
    }

    /// Bytes that a group has memory for.
    pub(crate) fn room(&self, group: &Group) -> f64 {
        let room = |(class, count): &(usize, usize)| {
            let memory = self.spots[self.classes[*class].spots[0]].memory_bytes;
            memory.saturating_sub(self.rules.reserve_bytes) as f64 * *count as f64
        };
        group.iter().map(room).sum()
    }
}
