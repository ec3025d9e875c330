//! What is left of a plan if a machine goes.

use std::collections::BTreeSet;

use crate::{
    draft::{Draft, Lane, Placed, Route},
    explain::worth,
    ground::Ground,
    proposal::{Proposal, ProposedPipeline, ProposedStage, tell},
    propose::Ask,
};

/// More machines than this are not taken away one by one.
const MACHINES_MAX: usize = 64;

/// A machine goes, and nothing is planned anew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Which.
    pub machine: usize,
    /// What the rest is worth, as the objective has it; none if nothing is left.
    pub value: Option<f64>,
}

/// What is left without each machine that has a part, the worst first.
pub(crate) fn losses(ground: &Ground, ask: &Ask, proposal: &Proposal) -> Vec<Loss> {
    let spots = proposal.pipelines.iter().flat_map(spots);
    let machines: BTreeSet<usize> = spots.map(|spot| ground.spots[spot].machine).collect();
    let without = |machine: usize| Loss {
        machine,
        value: without(ground, proposal, machine)
            .map(|draft| worth(ask, ground, &tell(ground, ask, &draft))),
    };
    let mut all: Vec<Loss> = machines.into_iter().take(MACHINES_MAX).map(without).collect();
    // Less is worse, but for the time of a request; nothing at all is worst.
    let sign = if ask.objective == crate::Objective::Latency { -1.0 } else { 1.0 };
    let left = |loss: &Loss| loss.value.map_or(f64::NEG_INFINITY, |value| sign * value);
    all.sort_by(|a, b| left(a).total_cmp(&left(b)));
    all
}

fn spots(pipeline: &ProposedPipeline) -> impl Iterator<Item = usize> {
    pipeline.stages.iter().flat_map(|stage| &stage.members).map(|member| member.spot)
}

/// The ways that do not need a machine; none if all do.
fn without(ground: &Ground, proposal: &Proposal, machine: usize) -> Option<Draft> {
    let whole = |place: &usize| {
        spots(&proposal.pipelines[*place]).all(|spot| ground.spots[spot].machine != machine)
    };
    let kept: Vec<usize> = (0..proposal.pipelines.len()).filter(whole).collect();
    let routes = proposal.routes.iter().filter_map(|route| {
        let lanes = route.pipelines.iter().map(|place| kept.binary_search(place).ok());
        Some(Route { lanes: lanes.collect::<Option<_>>()?, weight: route.requests_per_s })
    });
    let routes: Vec<Route> = routes.collect();
    let stage = |stage: &ProposedStage| Placed {
        layers: stage.layers,
        held: stage.layers,
        members: stage.members.clone(),
    };
    let lane = |place: &usize| {
        let of = &proposal.pipelines[*place];
        Lane { stages: of.stages.iter().map(stage).collect(), batch: of.batch, phase: of.phase }
    };
    (!routes.is_empty()).then(|| Draft { lanes: kept.iter().map(lane).collect(), routes })
}
