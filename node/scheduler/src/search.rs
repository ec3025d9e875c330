//! The search: the fastest pipeline, and whether it is worth leaving the one that runs.

use std::collections::BTreeSet;

use swarm_proto::{NodeId, Plan, PlanId, Pool};

use crate::{
    Infeasible, Predicted,
    beam::beam,
    exact::exact,
    field::Field,
    predict::{holds, measure},
    table::{all_groups, candidates, likely_groups},
};

/// Up to so many devices the search is exact.
const EXACT_DEVICES: usize = 6;
/// Up to so many layers the search is exact.
const EXACT_LAYERS: u32 = 128;
/// More devices than this are not looked at: as many as a mask has bits.
const DEVICES_MAX: usize = 128;
/// How much slower than the best the running plan may be, and stay.
const STICKY: f64 = 1.15;

/// How to plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// For searches that draw lots. None does yet, so every seed gives the same plan.
    pub seed: u64,
}

/// A plan, and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan, not yet numbered or signed for by a leader.
    pub plan: Plan,
    /// What it will be like.
    pub predicted: Predicted,
    /// Devices without a part in it, usable or not.
    pub idle: Vec<(NodeId, u8)>,
    /// What most of the time from token to token goes to.
    pub binding: String,
}

/// The plan for `pool`: the one that runs if it still fits and is not much slower than the best
/// found, else that.
pub fn plan(pool: &Pool, _options: &Options) -> Result<Planned, Infeasible> {
    let field = Field::new(pool);
    if !field.sane() {
        return Err(Infeasible::because("the model's figures are not those of a model"));
    }
    let running = pool.running.as_ref().filter(|plan| holds(&field, plan)).map(|plan| {
        let plan = Plan { id: PlanId::default(), leader: NodeId([0; 32]), ..plan.clone() };
        let measured = measure(&field, &plan);
        (plan, measured)
    });
    let best = fastest(&field).map(|plan| {
        let measured = measure(&field, &plan);
        (plan, measured)
    });
    let (plan, (predicted, binding)) = match (running, best) {
        (Some(old), Some(new)) if old.1.0.tpot_ms <= new.1.0.tpot_ms * STICKY => old,
        (_, Some(new)) => new,
        (Some(old), None) => old,
        (None, None) => return Err(Infeasible::of(&field)),
    };
    let busy: BTreeSet<_> = plan.members().map(|m| (m.node, m.device)).collect();
    let devices = pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d.index)));
    let idle: BTreeSet<_> = devices.filter(|device| !busy.contains(device)).collect();
    Ok(Planned { plan, predicted, idle: idle.into_iter().collect(), binding })
}

/// The fastest pipeline found.
fn fastest(field: &Field<'_>) -> Option<Plan> {
    // A device without room for the least share is no use to anyone.
    let (scratch, least) = (field.model.scratch_bytes(), field.least());
    let mut spots: Vec<usize> =
        (0..field.spots.len()).filter(|&spot| field.fits(spot, least)).collect();
    if spots.len() > DEVICES_MAX {
        let worth = |s: usize| (field.spots[s].memory - scratch) as f64 * field.spots[s].bandwidth;
        spots.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)));
        spots.truncate(DEVICES_MAX);
        spots.sort_unstable();
    }
    if spots.len() <= EXACT_DEVICES && field.model.layers <= EXACT_LAYERS {
        let all = candidates(field, &spots, all_groups(field, &spots));
        return exact(field, spots.len(), &all)?.plan(field, &all);
    }
    let all = candidates(field, &spots, likely_groups(field, &spots));
    beam(field, &all)?.plan(field, &all)
}
