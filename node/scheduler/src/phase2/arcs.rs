//! Partitions to begin with where machines are of many kinds: so many groups of about the same memory,
//! each of machines that are near each other.

use super::{Group, Partition};
use crate::ground::Ground;

/// More groups than this are left to the search.
const GROUPS_MAX: usize = 12;
/// Of fewer classes other beginnings have all there is to find.
const CLASSES_MIN: usize = 5;

/// A ring of all machines, each followed by the nearest that is left, cut into two parts, three, and
/// so on as long as each may hold the model; from one end of the pool and from the other.
pub(crate) fn arcs(ground: &Ground) -> Vec<Partition> {
    let classes = ground.classes.len();
    if classes < CLASSES_MIN {
        return Vec::new();
    }
    let whole: Group = ground.classes.iter().map(|class| class.count()).enumerate().collect();
    let most = (ground.room(&whole) / ground.needed_bytes() as f64) as usize;
    let far = (0..classes).max_by(|a, b| delay(ground, 0, *a).total_cmp(&delay(ground, 0, *b)));
    let rings = [0, far.unwrap_or(0)].map(|start| ring(ground, start));
    let cuts = (1..=most.min(GROUPS_MAX)).flat_map(|count| rings.iter().map(move |r| (r, count)));
    cuts.map(|(ring, count)| cut(ground, ring, count)).collect()
}

fn delay(ground: &Ground, a: usize, b: usize) -> f64 {
    let machine = |class: usize| ground.classes[class].machines[0];
    ground.way(machine(a), machine(b)).map_or(f64::MAX, |way| way.ms)
}

fn ring(ground: &Ground, start: usize) -> Vec<usize> {
    let mut ring = vec![start];
    let mut left: Vec<usize> = (0..ground.classes.len()).filter(|class| *class != start).collect();
    while !left.is_empty() {
        let last = ring[ring.len() - 1];
        let to = |n: &usize| delay(ground, last, left[*n]);
        let nearest = (0..left.len()).min_by(|a, b| to(a).total_cmp(&to(b))).unwrap_or(0);
        ring.push(left.remove(nearest));
    }
    ring
}

/// So many parts of a ring, machine after machine; a machine belongs where its middle is.
fn cut(ground: &Ground, ring: &[usize], count: usize) -> Partition {
    let machines = ring.iter().flat_map(|class| {
        let of = &ground.classes[*class];
        of.machines.iter().map(move |_| (*class, of.size))
    });
    let machines: Vec<(usize, usize)> = machines.collect();
    let room = |machine: (usize, usize)| ground.room(&vec![machine]);
    let all: f64 = machines.iter().copied().map(room).sum();
    let mut partition = Partition::new(ground, Vec::new());
    partition.groups = vec![Vec::new(); count];
    let mut before = 0.0;
    for machine in machines {
        let middle = before + room(machine) / 2.0;
        let part = (middle / all * count as f64) as usize;
        partition.shift(machine.0, machine.1, None, Some(part.min(count - 1)));
        before += room(machine);
    }
    partition.tidy();
    partition
}
