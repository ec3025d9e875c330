//! HexGen without its asymmetry: one degree and equal layers for all stages of a pipeline.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    each_batch,
    unit::{Unit, Units, degrees},
};
use crate::{
    draft::{Draft, Lane},
    ground::Ground,
    measure::{measure, usable},
    phase2::Objective,
    propose::{Ask, Drafted, Plans},
    rules::Phase,
};

/// Deeper pipelines than this are not looked at.
const DEPTH_MAX: usize = 64;

/// Pipelines of servers of one degree, each within a class as long as it can be; what is left over
/// of the classes is joined in the order of machines.
pub(crate) struct Symmetric;

impl Plans for Symmetric {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        each_batch(ground, |batch| {
            let lanes = lanes(ground, ask, batch);
            (!lanes.is_empty()).then(|| Draft::of(lanes))
        })
    }
}

/// The servers of one degree, by their first device.
type Servers = BTreeMap<usize, Unit>;

fn lanes(ground: &Ground, ask: &Ask, batch: u32) -> Vec<Lane> {
    let of = |degree| {
        let units = Units::of(ground, degree, batch).all.into_iter();
        units.filter(|unit| unit.kind.degree == degree).map(|unit| (unit.spots[0], unit)).collect()
    };
    let all: Vec<Servers> = degrees(ground).into_iter().map(of).collect();
    let mut lanes = Vec::new();
    let mut left: Vec<usize> = Vec::new();
    for class in &ground.classes {
        let mut free = class.spots.clone();
        free.sort_unstable();
        lanes.extend(take(ground, ask, batch, &all, &mut free));
        left.extend(free);
    }
    left.sort_unstable();
    lanes.extend(take(ground, ask, batch, &all, &mut left));
    lanes
}

/// The best pipelines of some devices, in their order, all with the same degree and depth; those
/// devices are taken.
fn take(
    ground: &Ground,
    ask: &Ask,
    batch: u32,
    servers: &[Servers],
    free: &mut Vec<usize>,
) -> Vec<Lane> {
    let mut best: Option<(f64, Vec<Lane>)> = None;
    let is_free = |unit: &&Unit| unit.spots.iter().all(|s| free.binary_search(s).is_ok());
    for servers in servers {
        let units: Vec<&Unit> =
            free.iter().filter_map(|spot| servers.get(spot)).filter(is_free).collect();
        for depth in 1..=units.len().min(ground.model.layers as usize).min(DEPTH_MAX) {
            let chunks = units.chunks_exact(depth);
            let lanes: Vec<Lane> = chunks.filter_map(|units| lane(ground, units, batch)).collect();
            let worth = worth(ground, ask, &lanes);
            if worth > 0.0 && best.as_ref().is_none_or(|(best, _)| worth > *best) {
                best = Some((worth, lanes));
            }
        }
    }
    let lanes = best.map_or_else(Vec::new, |(_, lanes)| lanes);
    let stages = lanes.iter().flat_map(|lane| &lane.stages);
    let taken: BTreeSet<usize> = stages.flat_map(|s| &s.members).map(|m| m.spot).collect();
    free.retain(|spot| !taken.contains(spot));
    lanes
}

/// Requests a second of those in time; or, for a request alone, how often it could be served.
fn worth(ground: &Ground, ask: &Ask, lanes: &[Lane]) -> f64 {
    let measured = measure(ground, &Draft::of(lanes.to_vec()));
    let rate = |latest_ms: f64| {
        let timely = measured.routes.iter().filter(|route| route.latency_ms <= latest_ms);
        timely.map(|route| route.requests_per_s).sum()
    };
    match ask.objective {
        Objective::Slo { deadline_ms } => rate(deadline_ms),
        Objective::Throughput => rate(f64::INFINITY),
        Objective::Latency => {
            let fastest = measured.routes.iter().map(|route| route.latency_ms);
            1e3 / fastest.fold(f64::INFINITY, f64::min)
        }
    }
}

/// Servers in a row with as many layers each, what is left over with the last ones; none if one has
/// no room for that, or no way to the next.
fn lane(ground: &Ground, units: &[&Unit], batch: u32) -> Option<Lane> {
    let (layers, depth) = (ground.model.layers, units.len() as u32);
    let (each, over) = (layers / depth, layers % depth);
    let mut first = 0;
    let stages = units.iter().zip(0..).map(|(unit, place)| {
        let range = (first, first + each + u32::from(place >= depth - over));
        first = range.1;
        unit.stage(range, range)
    });
    let lane = Lane { stages: stages.collect(), batch, phase: Phase::Both };
    usable(ground, Draft::of(vec![lane]))?.lanes.pop()
}
