//! Merge, split and swap; and two groups cut anew.

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use super::{Decoder, Group, Partition, partition::of, seeds::gather};
use crate::{ground::Ground, phase1::nearest};

/// A number below `end`, drawn.
pub(crate) fn draw(random: &mut ChaCha8Rng, end: usize) -> usize {
    // Biased by less than one in 2^32 for so few.
    ((u64::from(random.next_u32()) * end.max(1) as u64) >> 32) as usize
}

/// A partition a little different. Guided, it joins what is near, moves what makes a whole, and
/// lets nothing lie about that a pipeline could be made of. HexGen never cuts two groups anew.
pub(crate) fn mutate(
    decoder: &Decoder<'_>,
    random: &mut ChaCha8Rng,
    partition: &Partition,
    (guided, recut): (bool, bool),
) -> Partition {
    let mut next = partition.clone();
    match draw(random, 10) {
        6.. if recut && next.groups.len() > 1 => {
            cut_anew(decoder.ground, random, &mut next, guided);
        }
        0 | 1 if next.groups.len() > 1 => merge(decoder.ground, random, &mut next, guided),
        2..=4 if !next.groups.is_empty() => split(decoder.ground, random, &mut next),
        _ => swap(decoder.ground, random, &mut next),
    }
    next.tidy();
    if guided {
        dissolve(decoder, &mut next);
        gather(decoder, &mut next);
    }
    next
}

fn merge(ground: &Ground, random: &mut ChaCha8Rng, partition: &mut Partition, guided: bool) {
    let (one, other) = pair(ground, random, partition, guided);
    join(partition, one, other);
}

/// Moves all of another group to one.
fn join(partition: &mut Partition, one: usize, other: usize) {
    for (class, count) in partition.groups[other].clone() {
        partition.shift(class, count, Some(other), Some(one));
    }
}

/// Any group, and another; guided, the nearest.
fn pair(
    ground: &Ground,
    random: &mut ChaCha8Rng,
    partition: &Partition,
    guided: bool,
) -> (usize, usize) {
    let one = draw(random, partition.groups.len());
    let others: Vec<usize> = (0..partition.groups.len()).filter(|n| *n != one).collect();
    let delay = |n: &usize| delay(ground, &partition.groups[one], &partition.groups[*n]);
    let near = others.iter().map(delay).fold(f64::INFINITY, f64::min);
    let likely: Vec<usize> =
        others.iter().copied().filter(|n| !guided || delay(n) <= near).collect();
    (one, likely[draw(random, likely.len())])
}

/// Puts the machines of two groups in a row, each followed by the nearest, and cuts it anywhere.
fn cut_anew(ground: &Ground, random: &mut ChaCha8Rng, partition: &mut Partition, guided: bool) {
    let near = guided && draw(random, 2) == 0;
    let (one, other) = pair(ground, random, partition, near);
    join(partition, one, other);
    let both = partition.groups[one].clone();
    let alone = |place: usize| vec![(both[place].0, 1)];
    let start = draw(random, both.len());
    let row = nearest(both.len(), start, |a, b| delay(ground, &alone(a), &alone(b)));
    let machines = row.into_iter().flat_map(|place| {
        let (class, count) = both[place];
        let size = ground.classes[class].size;
        (0..count).step_by(size).map(move |from| (class, size.min(count - from)))
    });
    let machines: Vec<(usize, usize)> = machines.collect();
    for (class, count) in machines.iter().skip(draw(random, machines.len())) {
        partition.shift(*class, *count, Some(one), Some(other));
    }
}

fn delay(ground: &Ground, a: &Group, b: &Group) -> f64 {
    let machine = |class: usize| ground.classes[class].machines[0];
    let pairs = a.iter().flat_map(|(a, _)| b.iter().map(move |(b, _)| (*a, *b)));
    let way = |(a, b): (usize, usize)| match a == b {
        true => 0.0,
        false => ground.way(machine(a), machine(b)).map_or(f64::MAX, |way| way.ms),
    };
    pairs.map(way).fold(f64::INFINITY, f64::min)
}

fn split(ground: &Ground, random: &mut ChaCha8Rng, partition: &mut Partition) {
    let one = draw(random, partition.groups.len());
    let group = partition.groups[one].clone();
    let other = partition.groups.len();
    partition.groups.push(Vec::new());
    let by_class = group.len() > 1 && draw(random, 2) == 0;
    for (class, count) in group {
        let machine = ground.classes[class].size;
        let part = match by_class {
            true => count * draw(random, 2),
            false if count >= 2 * machine => count / machine / 2 * machine,
            false => count / 2,
        };
        partition.shift(class, part, Some(one), Some(other));
    }
}

/// Moves devices of one class from a group to another, or in or out of idleness; half the time
/// others come back for them.
fn swap(ground: &Ground, random: &mut ChaCha8Rng, partition: &mut Partition) {
    let count = partition.groups.len();
    let pick = |random: &mut ChaCha8Rng| Some(draw(random, count + 1)).filter(|n| *n < count);
    let (from, to) = (pick(random), pick(random));
    if from == to {
        return;
    }
    let (there, back) =
        (drawn(ground, random, partition, from), drawn(ground, random, partition, to));
    if let Some((class, size)) = there {
        partition.shift(class, size, from, to);
    }
    if let Some((class, size)) = back.filter(|_| draw(random, 2) == 0) {
        partition.shift(class, size, to, from);
    }
}

/// Devices of one class of a group, or of those that are idle.
fn drawn(
    ground: &Ground,
    random: &mut ChaCha8Rng,
    partition: &Partition,
    place: Option<usize>,
) -> Option<(usize, usize)> {
    let held: Vec<usize> = (0..ground.classes.len())
        .filter(|class| match place {
            Some(group) => of(&partition.groups[group], *class) > 0,
            None => partition.idle[*class] > 0,
        })
        .collect();
    let class = *held.get(draw(random, held.len()))?;
    let size = [1, 2, 4, ground.classes[class].size][draw(random, 4)];
    Some((class, size))
}

/// Sets the devices of groups free that the model does not fit.
fn dissolve(decoder: &Decoder<'_>, partition: &mut Partition) {
    for number in 0..partition.groups.len() {
        if decoder.front(&partition.groups[number]).is_empty() {
            for (class, count) in partition.groups[number].clone() {
                partition.shift(class, count, Some(number), None);
            }
        }
    }
    partition.tidy();
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::{
        catalogue::{format, model},
        pool_file::PoolFile,
        rules::{Rules, Workload},
    };

    /// Devices of a class, wherever they are.
    fn counted(partition: &Partition, class: usize) -> usize {
        partition.idle[class] + partition.groups.iter().map(|group| of(group, class)).sum::<usize>()
    }

    #[test]
    fn two_groups_cut_anew_hold_what_they_held_and_no_other_changes() {
        let cards = ["T4", "RTX3090", "A40", "L4"];
        let machine = |(number, card): (usize, &&str)| {
            format!("[[machine]]\ngpu = \"{card}\"\ngpus = 8\nregion = \"r{number}\"\n")
        };
        let text: String = cards.iter().enumerate().map(machine).collect();
        let pool = PoolFile::parse(&text, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let model = model("Llama-2-70b").unwrap().model(format("fp16").unwrap());
        let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
        let ground = pool.ground(model, Rules::fitted(), workload);
        let groups = vec![vec![(0, 8), (1, 3)], vec![(1, 4), (2, 8)], vec![(3, 7)]];
        let before = Partition::new(&ground, groups);
        let mut seen = Vec::new();
        for seed in 0..200 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut after = before.clone();
            cut_anew(&ground, &mut random, &mut after, seed % 2 == 0);
            after.tidy();
            let classes = 0..ground.classes.len();
            assert!(classes.clone().all(|class| counted(&after, class) == counted(&before, class)));
            assert_eq!(after.idle, before.idle);
            assert!(before.groups.iter().any(|group| after.groups.contains(group)), "{after:?}");
            seen.push(after);
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 8, "{seen:?}");
    }
}
