//! Partitions to begin with where machines are of many kinds: so many groups of about the same memory,
//! each of machines that are near each other.

use std::ops::RangeInclusive;

use super::{Group, Partition};
use crate::{ground::Ground, phase1::nearest};

/// More groups than this are left to the search.
const GROUPS_MAX: usize = 12;
/// Of fewer classes other beginnings have all there is to find; of more, groups have too many.
const CLASSES: RangeInclusive<usize> = 5..=128;

/// A ring of all machines, each followed by the nearest that is left, cut into two parts, three, and
/// so on as long as each may hold the model; from one end of the pool and from the other.
pub(crate) fn arcs(ground: &Ground) -> Vec<Partition> {
    let classes = ground.classes.len();
    if !CLASSES.contains(&classes) {
        return Vec::new();
    }
    let whole: Group = ground.classes.iter().map(|class| class.count()).enumerate().collect();
    let most = (ground.room(&whole) / ground.needed_bytes() as f64) as usize;
    let machine = |class: usize| ground.classes[class].machines[0];
    let delay =
        |a: usize, b: usize| ground.way(machine(a), machine(b)).map_or(f64::MAX, |way| way.ms);
    let far = (0..classes).max_by(|a, b| delay(0, *a).total_cmp(&delay(0, *b)));
    let rings = [0, far.unwrap_or(0)].map(|start| nearest(classes, start, delay));
    let cuts = (2..=most.min(GROUPS_MAX)).flat_map(|count| rings.iter().map(move |r| (r, count)));
    cuts.map(|(ring, count)| cut(ground, ring, count)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalogue::{format, model},
        pool_file::PoolFile,
        rules::{Rules, Workload},
    };

    #[test]
    fn a_ring_is_cut_into_parts_of_about_the_same_memory() {
        let cards = ["T4", "RTX3090", "A40", "L4", "RTX-A5000", "A30", "RTX4090"];
        let machine = |(number, card): (usize, &&str)| {
            format!("[[machine]]\ngpu = \"{card}\"\ngpus = 4\nregion = \"r{}\"\n", number % 3)
        };
        let text: String = cards.iter().enumerate().map(machine).collect();
        let pool = PoolFile::parse(&text, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let model = model("Llama-2-70b").unwrap().model(format("fp16").unwrap());
        let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
        let ground = pool.ground(model, Rules::fitted(), workload);
        let all = arcs(&ground);
        assert!(all.iter().any(|partition| partition.groups.len() == 4), "{all:?}");
        for partition in &all {
            assert!(partition.idle.iter().all(|count| *count == 0), "{partition:?}");
            let rooms: Vec<f64> = partition.groups.iter().map(|group| ground.room(group)).collect();
            let (sum, count) = (rooms.iter().sum::<f64>(), rooms.len() as f64);
            let largest = 4.0 * 48.0 * (1u64 << 30) as f64;
            let even = rooms.iter().all(|room| (room - sum / count).abs() <= largest);
            assert!(even && count >= 2.0, "{rooms:?}");
        }
    }
}
