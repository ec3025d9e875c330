//! Partitions to begin with.

use super::{Decoder, Group, Partition, arcs::arcs};
use crate::{ground::Ground, phase1::Depth};

/// Clusters tried.
const CLUSTERS_MAX: usize = 10;
/// Rounds of a clustering.
const ROUNDS: usize = 20;
/// One more cluster is worth it while it makes the spread so much smaller.
const ELBOW: f64 = 0.5;

/// HexGen's beginning: classes clustered by their rows of the matrix of delays (K-means), a group
/// for each cluster.
pub(crate) fn regions(ground: &Ground) -> Partition {
    let rows = rows(ground);
    let mut best = kmeans(&rows, 1);
    for count in 2..=CLUSTERS_MAX.min(rows.len()) {
        let next = kmeans(&rows, count);
        if best.1 <= 1e-9 || next.1 > best.1 * ELBOW {
            break;
        }
        best = next;
    }
    let mut groups: Vec<Group> = vec![Vec::new(); best.0.iter().max().map_or(0, |most| most + 1)];
    for (class, cluster) in best.0.iter().enumerate() {
        groups[*cluster].push((class, ground.classes[class].count()));
    }
    Partition::new(ground, groups)
}

/// Delays from each class to a sample of the others.
fn rows(ground: &Ground) -> Vec<Vec<f64>> {
    let count = ground.classes.len();
    let step = count.div_ceil(64).max(1);
    let machine = |class: usize| ground.classes[class].machines[0];
    let delay = |a: usize, b: usize| ground.way(machine(a), machine(b)).map_or(1e4, |way| way.ms);
    (0..count).map(|a| (0..count).step_by(step).map(|b| delay(a, b)).collect()).collect()
}

/// The cluster of each row, and the sum of squared distances.
fn kmeans(rows: &[Vec<f64>], count: usize) -> (Vec<usize>, f64) {
    let distance =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
    let nearest = |row: &[f64], centres: &[Vec<f64>]| {
        let to = |n: usize| distance(row, &centres[n]);
        (0..centres.len())
            .map(|n| (to(n), n))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((0.0, 0))
    };
    // Each next centre is the row farthest from those before.
    let mut centres = vec![rows[0].clone()];
    while centres.len() < count {
        let far = (0..rows.len()).max_by(|a, b| {
            nearest(&rows[*a], &centres).0.total_cmp(&nearest(&rows[*b], &centres).0)
        });
        centres.push(rows[far.unwrap_or(0)].clone());
    }
    let mut of = vec![0; rows.len()];
    for _ in 0..ROUNDS {
        of = rows.iter().map(|row| nearest(row, &centres).1).collect();
        for (number, centre) in centres.iter_mut().enumerate() {
            let members: Vec<&Vec<f64>> =
                rows.iter().zip(&of).filter(|(_, o)| **o == number).map(|(row, _)| row).collect();
            if !members.is_empty() {
                for (place, value) in centre.iter_mut().enumerate() {
                    *value = members.iter().map(|m| m[place]).sum::<f64>() / members.len() as f64;
                }
            }
        }
    }
    let spread = rows.iter().zip(&of).map(|(row, of)| distance(row, &centres[*of])).sum();
    (of, spread)
}

/// Other beginnings: each class cut into the smallest pipelines that hold the model, and into
/// those that serve most by device; what is left joined by nearness.
pub(crate) fn seeds(decoder: &Decoder<'_>) -> Vec<Partition> {
    let ground = decoder.ground;
    let smallest = |size: usize, _: f64| size as f64;
    let thriftiest = |size: usize, period_ms: f64| size as f64 * period_ms;
    let fastest = |_: usize, period_ms: f64| period_ms;
    let mut all = vec![regions(ground)];
    for cost in [&smallest as &dyn Fn(usize, f64) -> f64, &thriftiest, &fastest] {
        let mut groups = Vec::new();
        for (class, of) in ground.classes.iter().enumerate() {
            let Some(size) = best_size(decoder, class, cost) else { continue };
            groups.extend(vec![vec![(class, size)]; of.count() / size]);
        }
        let mut partition = Partition::new(ground, groups);
        gather(decoder, &mut partition);
        if !all.contains(&partition) {
            all.push(partition);
        }
    }
    // Of very many devices few partitions are judged at all.
    if decoder.search.depth != Depth::Rough {
        for ring in arcs(ground) {
            if !all.contains(&ring) {
                all.push(ring);
            }
        }
    }
    all
}

/// How many devices of a class are the best pipeline by themselves.
fn best_size(
    decoder: &Decoder<'_>,
    class: usize,
    cost: &dyn Fn(usize, f64) -> f64,
) -> Option<usize> {
    let count = decoder.ground.classes[class].count().min(32);
    let sizes = (1..=count).filter_map(|size| {
        let front = decoder.front(&vec![(class, size)]);
        let period = front.iter().map(|layout| layout.period_ms).fold(f64::INFINITY, f64::min);
        period.is_finite().then(|| (cost(size, period), size))
    });
    sizes.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, size)| size)
}

/// Makes groups of what is idle, beginning with any class and going on with the nearest, as long as
/// there is enough for one.
pub(crate) fn gather(decoder: &Decoder<'_>, partition: &mut Partition) {
    let ground = decoder.ground;
    let machine = |class: usize| ground.classes[class].machines[0];
    let delay = |a: usize, b: usize| ground.way(machine(a), machine(b)).map_or(1e9, |way| way.ms);
    for start in 0..ground.classes.len() {
        if partition.idle[start] == 0 {
            continue;
        }
        let mut near: Vec<usize> =
            (0..ground.classes.len()).filter(|class| partition.idle[*class] > 0).collect();
        near.sort_by(|a, b| delay(start, *a).total_cmp(&delay(start, *b)));
        near.sort_by_key(|class| *class != start);
        let mut group: Group = Vec::new();
        for class in near {
            let mut count = 0;
            while count < partition.idle[class] {
                count = (count + 1).max(count * 2).min(partition.idle[class]);
                group.retain(|(held, _)| *held != class);
                group.push((class, count));
                group.sort_unstable();
                if ground.has_room(&group) && !decoder.front(&group).is_empty() {
                    break;
                }
            }
            if ground.has_room(&group) && !decoder.front(&group).is_empty() {
                let number = partition.groups.len();
                partition.groups.push(Vec::new());
                for (class, count) in &group {
                    partition.shift(*class, *count, None, Some(number));
                }
                break;
            }
            if group.len() > 6 {
                break;
            }
        }
    }
    partition.tidy();
}
