//! HexGen without its asymmetry: one degree and equal layers for all stages of a pipeline.

use super::unit::{Unit, Units, degrees};
use crate::{
    draft::{Draft, Lane},
    ground::Ground,
    measure::measure,
    phase2::Objective,
    propose::{Ask, Drafted, Plans},
    rules::Phase,
};

/// Pipelines of servers of one degree, each within a class as long as it can be; what is left over
/// of the classes is joined in the order of machines.
pub(crate) struct Symmetric;

impl Plans for Symmetric {
    fn drafts(&self, ground: &Ground, ask: &Ask) -> Drafted {
        let draft = |batch| {
            let lanes = lanes(ground, ask, batch);
            (!lanes.is_empty()).then(|| Draft::of(lanes))
        };
        let drafts: Vec<_> = ground.rules.batches(4).into_iter().filter_map(draft).collect();
        Drafted { evaluations: drafts.len(), drafts, ..Drafted::default() }
    }
}

fn lanes(ground: &Ground, ask: &Ask, batch: u32) -> Vec<Lane> {
    let mut lanes = Vec::new();
    let mut left: Vec<usize> = Vec::new();
    for class in &ground.classes {
        let mut free = class.spots.clone();
        lanes.extend(take(ground, ask, batch, &mut free));
        left.extend(free);
    }
    left.sort_unstable();
    lanes.extend(take(ground, ask, batch, &mut left));
    lanes
}

/// The best pipelines of some devices, all with the same degree and depth; those devices are taken.
fn take(ground: &Ground, ask: &Ask, batch: u32, free: &mut Vec<usize>) -> Vec<Lane> {
    let mut best: Option<(f64, Vec<Lane>)> = None;
    for degree in degrees(ground) {
        let mut units = Units::of(ground, degree, batch).all;
        units.retain(|unit| {
            unit.kind.degree == degree && unit.spots.iter().all(|s| free.contains(s))
        });
        for depth in 1..=units.len().min(ground.model.layers as usize) {
            let chunks = units.chunks_exact(depth);
            let lanes: Vec<Lane> = chunks.filter_map(|units| lane(ground, units, batch)).collect();
            let worth = worth(ground, ask, &lanes);
            if worth > 0.0 && best.as_ref().is_none_or(|(best, _)| worth > *best) {
                best = Some((worth, lanes));
            }
        }
    }
    let lanes = best.map_or_else(Vec::new, |(_, lanes)| lanes);
    let taken = |spot: &usize| {
        lanes.iter().flat_map(|l| &l.stages).flat_map(|s| &s.members).any(|m| m.spot == *spot)
    };
    free.retain(|spot| !taken(spot));
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
/// no room for that.
fn lane(ground: &Ground, units: &[Unit], batch: u32) -> Option<Lane> {
    let (layers, depth) = (ground.model.layers, units.len() as u32);
    let (each, over) = (layers / depth, layers % depth);
    let mut first = 0;
    let stages = units.iter().zip(0..).map(|(unit, place)| {
        let range = (first, first + each + u32::from(place >= depth - over));
        first = range.1;
        unit.stage(range, range)
    });
    let lane = Lane { stages: stages.collect(), batch, phase: Phase::Both };
    let whole = Draft::of(vec![lane.clone()]);
    whole.holds(ground).then_some(lane)
}
