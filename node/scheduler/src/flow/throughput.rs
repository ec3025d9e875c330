//! What a placement can serve: Helix's graph and its maximum flow.

use std::ops::Range;

use thiserror::Error;

use super::{Fleet, Graph, Placement};

// Capacities are counted in thousandths of a token per second, rounded down.
const UNITS: f64 = 1000.0;
// Enough for any link, and small enough that a sum over a fleet fits.
const MOST: f64 = 1e12;

/// Where a flow is: what a min cut names, and what a weight belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// From the coordinator to a node.
    Entry(usize),
    /// Through a node, bounded by its `T_i(k)`.
    Node(usize),
    /// From a node to another.
    Link(usize, usize),
    /// From a node to the coordinator.
    Exit(usize),
}

/// A hop and what it carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carried {
    /// Where.
    pub hop: Hop,
    /// Tokens per second; the weight of interleaved weighted round-robin.
    pub tokens_per_s: f64,
}

/// What a placement can serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Throughput {
    /// The maximum flow.
    pub tokens_per_s: f64,
    /// What each usable hop carries.
    pub carried: Vec<Carried>,
    /// The minimum cut: the hops that bind.
    pub cut: Vec<Hop>,
}

/// Why there is no flow to speak of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The lists are not of one length.
    #[error("{nodes} nodes, but {found} {what}")]
    Length {
        /// How many nodes.
        nodes: usize,
        /// How many of `what`.
        found: usize,
        /// What is counted.
        what: &'static str,
    },
    /// A figure that is no rate.
    #[error("{hop:?} has a rate that is negative, not a number, or above 1e12 tokens/s")]
    Rate {
        /// Where.
        hop: Hop,
    },
    /// A range that is empty, ends outside of the model, or has no room.
    #[error("node {node} cannot hold layers {start} to {end}")]
    Range {
        /// Which node.
        node: usize,
        /// The first layer.
        start: u32,
        /// One past the last.
        end: u32,
    },
}

/// The tokens per second that `placement` can serve on `fleet`.
///
/// Maximises the flow from the coordinator subject to `inflow_i <= T_i(k_i)` and the links.
/// A hop from `u` to `v` is usable if `end_u == start_v`, or with `partial_inference` if
/// `start_v <= end_u < end_v`: then `v` computes only what is missing. Capacities are rounded
/// down to thousandths of a token per second; otherwise the flow is exact.
///
/// # Errors
///
/// If the lists differ in length, a rate is no rate, or a node cannot hold its range.
pub fn throughput(
    fleet: &Fleet,
    placement: &Placement,
    partial_inference: bool,
) -> Result<Throughput, FlowError> {
    let hops = hops(fleet, placement, partial_inference)?;
    let sink = 2 * fleet.nodes.len() + 1;
    let mut graph = Graph::new(sink + 1);
    for &(hop, capacity) in &hops {
        let (from, to) = match hop {
            Hop::Entry(node) => (0, 2 * node + 1),
            Hop::Node(node) => (2 * node + 1, 2 * node + 2),
            Hop::Link(from, to) => (2 * from + 2, 2 * to + 1),
            Hop::Exit(node) => (2 * node + 2, sink),
        };
        graph.edge(from, to, capacity);
    }
    let flow = graph.max_flow(0, sink);
    let carried = hops.iter().zip(&flow.on_edge);
    Ok(Throughput {
        tokens_per_s: rate(flow.value),
        carried: carried
            .map(|(&(hop, _), &units)| Carried { hop, tokens_per_s: rate(units) })
            .collect(),
        cut: flow.cut.iter().map(|edge| hops[edge.index()].0).collect(),
    })
}

type Held<'a> = (usize, &'a Range<u32>);

fn hops(fleet: &Fleet, placement: &Placement, partial: bool) -> Result<Vec<(Hop, u64)>, FlowError> {
    lengths(fleet, placement)?;
    let held: Vec<Held<'_>> = placement
        .0
        .iter()
        .enumerate()
        .filter_map(|(i, range)| Some((i, range.as_ref()?)))
        .collect();
    let mut hops = Vec::new();
    for &(node, range) in &held {
        let shape = &fleet.nodes[node];
        hops.push(hop(Hop::Node(node), capacity(fleet, node, range)?)?);
        if range.start == 0 {
            hops.push(hop(Hop::Entry(node), shape.entry)?);
        }
        if range.end == fleet.layers {
            hops.push(hop(Hop::Exit(node), shape.exit)?);
        }
        for &(next, after) in &held {
            if next != node && usable(range, after, partial) {
                hops.push(hop(Hop::Link(node, next), fleet.links[node][next])?);
            }
        }
    }
    Ok(hops)
}

fn lengths(fleet: &Fleet, placement: &Placement) -> Result<(), FlowError> {
    let nodes = fleet.nodes.len();
    let check = |found, what| {
        if found == nodes { Ok(()) } else { Err(FlowError::Length { nodes, found, what }) }
    };
    check(placement.0.len(), "ranges")?;
    check(fleet.links.len(), "rows of links")?;
    fleet.links.iter().try_for_each(|row| check(row.len(), "links in a row"))
}

fn capacity(fleet: &Fleet, node: usize, range: &Range<u32>) -> Result<f64, FlowError> {
    let Range { start, end } = *range;
    let refused = FlowError::Range { node, start, end };
    if start >= end || end > fleet.layers {
        return Err(refused);
    }
    let rates = &fleet.nodes[node].tokens_per_s;
    let held = usize::try_from(end - start).unwrap_or(usize::MAX);
    rates.get(held - 1).copied().ok_or(refused)
}

fn usable(from: &Range<u32>, to: &Range<u32>, partial: bool) -> bool {
    from.end == to.start || partial && to.start <= from.end && from.end < to.end
}

// Within bounds, so that the cast loses nothing but the fraction.
fn hop(hop: Hop, tokens_per_s: f64) -> Result<(Hop, u64), FlowError> {
    if !(0.0..=MOST).contains(&tokens_per_s) {
        return Err(FlowError::Rate { hop });
    }
    Ok((hop, (tokens_per_s * UNITS) as u64))
}

// Exact below 2^53 thousandths.
fn rate(units: u64) -> f64 {
    units as f64 / UNITS
}
