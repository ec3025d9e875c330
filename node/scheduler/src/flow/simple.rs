//! Placements by a rule of thumb, as other swarms have it; they serve comparison.

use std::{cmp::Ordering::Equal, ops::Range};

use super::{Fleet, FlowNode, Placement};

/// Petals' rule: nodes arrive one by one, in the order of the fleet, each with all of its room.
///
/// A node with room for `n` layers takes the window of `n` whose *sorted* per-layer throughputs
/// are lexicographically smallest, the first of equals; a layer's throughput is the sum of
/// `T_i(n)` over its holders. That nodes may move later is left out.
#[must_use]
pub fn petals(fleet: &Fleet) -> Placement {
    let mut served = vec![0.0; fleet.layers as usize];
    let place = |node| arrive(node, &mut served);
    Placement(fleet.nodes.iter().map(place).collect())
}

fn arrive(node: &FlowNode, served: &mut [f64]) -> Option<Range<u32>> {
    let room = node.max_layers().min(served.len());
    let rate = *node.tokens_per_s.get(room.checked_sub(1)?)?;
    let window = |start: &usize| {
        let mut rates = served[*start..start + room].to_vec();
        rates.sort_by(f64::total_cmp);
        rates
    };
    let weaker = |a: &usize, b: &usize| window(a).partial_cmp(&window(b)).unwrap_or(Equal);
    let start = (0..=served.len() - room).min_by(weaker)?;
    served[start..start + room].iter_mut().for_each(|sum| *sum += rate);
    Some(start as u32..(start + room) as u32)
}

/// Swarm's even split: the model in the fewest near-equal stages that the smallest node can hold.
///
/// Nodes come in the order of the fleet; each takes the stage whose throughput, the sum of
/// `T_i(k)` over its holders, is least, the first of equals. A node without room is left out.
#[must_use]
pub fn even(fleet: &Fleet) -> Placement {
    let rooms = fleet.nodes.iter().map(FlowNode::max_layers);
    let Some(least) = rooms.filter(|&room| room > 0).min() else {
        return Placement(vec![None; fleet.nodes.len()]);
    };
    let layers = fleet.layers as usize;
    let stages = layers.div_ceil(least);
    let bound = |stage: usize| stage * layers / stages;
    let mut served = vec![0.0; stages];
    let place = |node: &FlowNode| {
        let stage = (0..stages).min_by(|&a, &b| f64::total_cmp(&served[a], &served[b]))?;
        let range = bound(stage)..bound(stage + 1);
        served[stage] += node.tokens_per_s.get(range.len().checked_sub(1)?)?;
        Some(range.start as u32..range.end as u32)
    };
    Placement(fleet.nodes.iter().map(place).collect())
}
