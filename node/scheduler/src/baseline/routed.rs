//! Ways of requests through servers that hold layers, out of a maximum flow.

use std::collections::BTreeMap;

use super::{each_batch, unit::Units};
use crate::{
    draft::{Draft, Lane, Route},
    flow::{Fleet, Hop, Placement, throughput},
    ground::Ground,
    measure::usable,
    propose::Drafted,
    rules::Phase,
};

/// The most ways that are told apart, where servers are few; or so many for each server.
const WAYS_MAX: usize = 64;
const WAYS_EACH: usize = 2;

/// Between more servers than this no flow is reckoned: each pair of them is an edge.
const ROUTED_MAX: usize = 2_048;

/// What is left of the flow on each hop: between servers, in (`None` first) and out (`None` last).
type Left = BTreeMap<(Option<usize>, Option<usize>), f64>;

/// The widest ways through what a rule places on servers of at most so many devices, for each batch.
pub(super) fn by_rule(
    ground: &Ground,
    degree_max: usize,
    partial: bool,
    place: impl Fn(&Units, &Fleet) -> Placement,
) -> Drafted {
    each_batch(ground, |batch| {
        let units = Units::of(ground, degree_max, batch);
        if units.all.len() > ROUTED_MAX {
            return None;
        }
        let fleet = units.fleet(ground);
        routed(ground, &units, &fleet, &place(&units, &fleet), partial)
    })
}

/// The widest ways of the flow through a placement; none if there is none. Chains deeper than there
/// is room for are left out.
pub(super) fn routed(
    ground: &Ground,
    units: &Units,
    fleet: &Fleet,
    placement: &Placement,
    partial: bool,
) -> Option<Draft> {
    let flow = throughput(fleet, placement, partial).ok()?;
    let mut left: Left = BTreeMap::new();
    for carried in &flow.carried {
        let hop = match carried.hop {
            Hop::Entry(node) => (None, Some(node)),
            Hop::Link(from, to) => (Some(from), Some(to)),
            Hop::Exit(node) => (Some(node), None),
            Hop::Node(_) => continue,
        };
        if carried.tokens_per_s > 0.0 {
            left.insert(hop, carried.tokens_per_s);
        }
    }
    let mut earlier = vec![Vec::new(); placement.0.len()];
    for hop in left.keys() {
        if let (Some(from), Some(to)) = *hop {
            earlier[to].push(from);
        }
    }
    // A hop leads to a server that holds further layers, so in this order all come after those that
    // lead to them.
    let mut order: Vec<usize> =
        (0..placement.0.len()).filter(|node| placement.0[*node].is_some()).collect();
    order.sort_by_key(|node| placement.0[*node].as_ref().map(|range| range.end));
    let (mut lanes, mut routes) = (Vec::new(), Vec::new());
    for _ in 0..WAYS_MAX.max(WAYS_EACH * order.len()) {
        let Some((way, width)) = widest(&order, &earlier, &left) else { break };
        let hops = std::iter::once((None, Some(way[0])))
            .chain(way.windows(2).map(|pair| (Some(pair[0]), Some(pair[1]))))
            .chain([(way.last().copied(), None)]);
        hops.for_each(|hop| *left.entry(hop).or_default() -= width);
        if way.len() <= units.stages_max {
            routes.push(Route { lanes: vec![lanes.len()], weight: width });
            lanes.push(lane(units, placement, &way));
        }
    }
    usable(ground, Draft { lanes, routes })
}

/// The way with the widest narrowest hop, and how wide that is.
fn widest(order: &[usize], earlier: &[Vec<usize>], left: &Left) -> Option<(Vec<usize>, f64)> {
    // Half a unit of the flow: less is what subtraction leaves over.
    let of = |hop| left.get(&hop).copied().filter(|width| *width > 5e-4).unwrap_or(0.0);
    let mut best: Vec<(f64, Option<usize>)> = vec![(0.0, None); earlier.len()];
    for &node in order {
        let mut found = (of((None, Some(node))), None);
        for &before in &earlier[node] {
            let width = best[before].0.min(of((Some(before), Some(node))));
            if width > found.0 {
                found = (width, Some(before));
            }
        }
        best[node] = found;
    }
    let through = |node: &usize| best[*node].0.min(of((Some(*node), None)));
    let end = *order.iter().max_by(|a, b| through(a).total_cmp(&through(b)))?;
    let width = through(&end);
    let way = std::iter::successors(Some(end), |node| best[*node].1);
    let mut way: Vec<usize> = way.collect();
    way.reverse();
    (width > 0.0).then_some((way, width))
}

fn lane(units: &Units, placement: &Placement, way: &[usize]) -> Lane {
    let mut done = 0;
    let stages = way.iter().filter_map(|node| {
        let held = placement.0[*node].clone()?;
        let layers = (done, held.end);
        done = held.end;
        Some(units.all[*node].stage(layers, (held.start, held.end)))
    });
    Lane { stages: stages.collect(), batch: units.batch, phase: Phase::Both }
}
