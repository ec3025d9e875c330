//! Candidates for stages, and how long each takes for every number of layers.

use crate::{
    cost::exchange_ms,
    field::Field,
    share::{Balanced, balance},
};

/// The most devices that share a layer.
const GROUP_MAX: usize = 4;

/// Devices that may be a stage, led from one of their machines.
pub(crate) struct Candidate {
    /// The devices, in the order of the field.
    pub(crate) members: Vec<usize>,
    /// The same as bits: places among the devices searched.
    pub(crate) mask: u128,
    /// The machine of the lead.
    pub(crate) machine: usize,
    /// Times for 0, 1, ... layers, infinite where they do not fit.
    first: Vec<f64>,
    middle: Vec<f64>,
    last: Vec<f64>,
    only: f64,
}

impl Candidate {
    /// Times of this candidate by layers, as the first stage or not, and the last or not.
    pub(crate) fn times(&self, embeds: bool, samples: bool) -> &[f64] {
        match (embeds, samples) {
            (true, _) => &self.first,
            (false, false) => &self.middle,
            (false, true) => &self.last,
        }
    }

    /// How long it takes as the only stage.
    pub(crate) fn only(&self) -> f64 {
        self.only
    }

    /// The most layers that it holds without the embedding.
    pub(crate) fn most(&self) -> usize {
        self.middle.iter().rposition(|ms| ms.is_finite()).unwrap_or(0)
    }
}

/// The largest group that a model allows.
pub(crate) fn group_max(field: &Field<'_>) -> usize {
    GROUP_MAX.min(field.model.kv_heads as usize)
}

/// Every group for an exact search: subsets of one machine, pairs and triples of any.
pub(crate) fn all_groups(field: &Field<'_>, spots: &[usize]) -> Vec<Vec<usize>> {
    let limit = group_max(field);
    (1u32..1 << spots.len())
        .map(|mask| (0..spots.len()).filter(|p| mask >> p & 1 == 1).map(|p| spots[p]).collect())
        .filter(|group: &Vec<usize>| {
            let machine = |s: &usize| field.spots[*s].machine;
            let one = group.iter().all(|s| machine(s) == machine(&group[0]));
            group.len() <= limit && (one || group.len() <= 3)
        })
        .collect()
}

/// Groups for a search that is not exact: single devices, and the fastest of one machine together.
pub(crate) fn likely_groups(field: &Field<'_>, spots: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = spots.iter().map(|&s| vec![s]).collect();
    for run in spots.chunk_by(|&a, &b| field.spots[a].machine == field.spots[b].machine) {
        let mut fast = run.to_vec();
        fast.sort_by(|&a, &b| field.spots[b].bandwidth.total_cmp(&field.spots[a].bandwidth));
        for size in 2..=group_max(field).min(fast.len()) {
            let mut group = fast[..size].to_vec();
            group.sort_unstable();
            groups.push(group);
        }
    }
    groups
}

/// The candidates of `groups`, timed. Those that hold no layer are left out.
pub(crate) fn candidates(
    field: &Field<'_>,
    spots: &[usize],
    groups: Vec<Vec<usize>>,
) -> Vec<Candidate> {
    let mut all = Vec::new();
    for members in groups {
        let bit = |s: &usize| spots.binary_search(s).map_or(0, |place| 1u128 << place);
        let mask = members.iter().map(bit).fold(0, |a, b| a | b);
        let mut machines: Vec<_> = members.iter().map(|&s| field.spots[s].machine).collect();
        machines.dedup();
        let exchange = exchange_ms(field, &members, 1.0);
        let run = |machine: usize, embeds: bool, samples: bool| {
            let mut times = vec![f64::INFINITY];
            for layers in 1..=field.model.layers {
                match arrange(field, &members, machine, layers, embeds, samples) {
                    Some((_, b)) => times.push(b.ms + f64::from(layers) * exchange),
                    None => break,
                }
            }
            times.resize(field.model.layers as usize + 1, f64::INFINITY);
            times
        };
        let middle = run(machines[0], false, false);
        if middle.iter().all(|ms| ms.is_infinite()) {
            continue;
        }
        let first = run(machines[0], true, false);
        for machine in machines {
            let layers = field.model.layers;
            let only = arrange(field, &members, machine, layers, true, true);
            all.push(Candidate {
                members: members.clone(),
                mask,
                machine,
                first: first.clone(),
                middle: middle.clone(),
                last: run(machine, false, true),
                only: only.map_or(f64::INFINITY, |(_, b)| b.ms + f64::from(layers) * exchange),
            });
        }
    }
    all
}

/// The members with their lead, of the machine given, in front, and their shares. Only a lead that
/// samples differs from the others in time; any other is the roomiest.
pub(crate) fn arrange(
    field: &Field<'_>,
    members: &[usize],
    machine: usize,
    layers: u32,
    embeds: bool,
    samples: bool,
) -> Option<(Vec<usize>, Balanced)> {
    let mut leads: Vec<usize> =
        members.iter().copied().filter(|&s| field.spots[s].machine == machine).collect();
    leads.sort_by(|&a, &b| {
        let (a, b) = (&field.spots[a], &field.spots[b]);
        b.memory.cmp(&a.memory).then(b.bandwidth.total_cmp(&a.bandwidth))
    });
    let mut best: Option<(Vec<usize>, Balanced)> = None;
    for &lead in leads.iter().take(if samples { leads.len() } else { 1 }) {
        let mut order = vec![lead];
        order.extend(members.iter().copied().filter(|&s| s != lead));
        if let Some(found) = balance(field, &order, layers, embeds, samples)
            && best.as_ref().is_none_or(|(_, b)| found.ms < b.ms)
        {
            best = Some((order, found));
        }
    }
    best
}
