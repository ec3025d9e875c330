//! What a leader plans: replicas for as many requests as are done soon enough, and whether they are
//! worth leaving those that run.

use std::collections::BTreeSet;

use swarm_proto::{NodeId, Pipeline, Plan, PlanId, Pool, Predicted};

use crate::{
    Infeasible,
    draft::{Draft, Lane},
    ground::Ground,
    live::Live,
    measure::measure,
    phase2::Objective,
    proposal::{Proposal, tell},
    propose::{Ask, Planner, propose},
    rules::Workload,
};

/// What a leader expects of clients, as nobody tells it.
pub const EXPECTED: Workload =
    Workload { input_tokens: 256, output_tokens: 128, requests_per_s: None };
/// A request may take so many times what the fastest pipeline takes.
const PATIENCE: f64 = 2.0;
/// And plans are compared by so many times, lest one leave for being a little late.
const LENIENCE: f64 = 1.25;
/// How much more requests another plan must serve before the one that runs is left.
const STICKY: f64 = 1.15;
/// So many devices are planned at a time, the best of them first; of a model with very many layers
/// fewer, since the work grows with their square.
const DEVICES_MAX: usize = 128;
const DEVICES_FEW: usize = 32;
const LAYERS_MANY: u32 = 160;
/// And so many times; further devices stay idle.
const ROUNDS_MAX: usize = 8;

/// How to plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// For what is drawn by lot.
    pub seed: u64,
}

/// A plan, and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan, not yet numbered or signed for by a leader.
    pub plan: Plan,
    /// Devices without a part in it, usable or not.
    pub idle: Vec<(NodeId, u8)>,
    /// The highest rate at which 99 of 100 requests take at most twice as long as one alone on the
    /// fastest pipeline.
    pub requests_per_s: f64,
}

/// What a leader asks for: as many requests as are done within twice the time of the fastest
/// pipeline. None if the model fits nowhere.
pub fn leaders(ground: &Ground, seed: u64) -> Option<Ask> {
    let ask = Ask { planner: Planner::Replicas, objective: Objective::Latency, seed };
    let fastest = propose(ground, &ask)?;
    let deadline_ms = PATIENCE * fastest.routes[0].latency_ms;
    Some(Ask { objective: Objective::Slo { deadline_ms }, ..ask })
}

/// The plan for `pool`: the one that runs, as far as it is still there; with more replicas, if
/// those serve much more; or one made afresh, if that does.
pub fn plan(pool: &Pool, options: &Options) -> Result<Planned, Infeasible> {
    let live = Live::new(pool);
    if !live.ground.sane() {
        return Err(Infeasible::because("the model's figures are not those of a model"));
    }
    let running = pool.running.iter().filter(|plan| plan.check(&pool.model).is_ok());
    let running = running.flat_map(|plan| &plan.pipelines);
    let kept: Vec<Pipeline> = running.filter(|p| live.lane(p).is_some()).cloned().collect();
    let ask = leaders(&Live::new(&best(pool, &[])).ground, options.seed);
    let choices = match ask {
        None if kept.is_empty() => return Err(Infeasible::of(&live)),
        // What was found once is still good.
        None => vec![kept],
        Some(ask) if kept.is_empty() => vec![more(pool, Vec::new(), &ask)],
        Some(ask) => {
            vec![kept.clone(), more(pool, kept, &ask), more(pool, Vec::new(), &ask)]
        }
    };
    let deadline_ms = match ask.map(|ask| ask.objective) {
        Some(Objective::Slo { deadline_ms }) => LENIENCE * deadline_ms,
        _ => f64::MAX,
    };
    let ask = Ask {
        planner: Planner::Replicas,
        objective: Objective::Slo { deadline_ms },
        seed: options.seed,
    };
    let mut told: Option<(Vec<Pipeline>, Proposal)> = None;
    for pipelines in choices {
        let Some(worth) = worth(&live, &pipelines, &ask) else { continue };
        let much_more = |than: &Proposal| worth.requests_per_s > STICKY * than.requests_per_s;
        if told.as_ref().is_none_or(|(_, than)| much_more(than)) {
            told = Some((pipelines, worth));
        }
    }
    let (pipelines, worth) = told.ok_or_else(|| Infeasible::of(&live))?;
    let (id, leader, model) = (PlanId::default(), NodeId([0; 32]), pool.model.hash);
    let plan = predicted(pool, Plan { id, leader, model, pipelines });
    Ok(Planned { idle: idle(pool, &plan.pipelines), plan, requests_per_s: worth.requests_per_s })
}

/// A plan with what is expected of each of its pipelines, as far as they fit the pool: the times of
/// a request that is alone.
pub fn predicted(pool: &Pool, mut plan: Plan) -> Plan {
    let live = Live::new(pool);
    if !live.ground.sane() || plan.check(&pool.model).is_err() {
        return plan;
    }
    for pipeline in &mut plan.pipelines {
        let Some(lane) = live.lane(pipeline) else { continue };
        let pace = measure(&live.ground, &Draft::of(vec![lane.clone()]));
        let (of, route) = (&pace.lanes[0], &pace.routes[0]);
        let rate = |batch| measure(&live.ground, &Draft::of(vec![Lane { batch, ..lane.clone() }]));
        let batches = live.ground.rules.batches(2).into_iter().map(rate);
        let most = batches.map(|pace| pace.routes[0].requests_per_s).fold(0.0, f64::max);
        pipeline.predicted = Predicted {
            ttft_us: whole(1e3 * route.ttft_ms),
            tpot_us: whole(1e3 * of.token_ms),
            requests_per_ks: whole(1e3 * most),
        };
        for (stage, pace) in pipeline.stages.iter_mut().zip(&of.stages) {
            stage.step_us = whole(1e3 * pace.step_ms);
        }
    }
    plan
}

/// At least 1, since 0 says that nobody knows.
fn whole(figure: f64) -> u64 {
    (figure.round() as u64).max(1)
}

/// More replicas, of the devices that have no part in those there are.
fn more(pool: &Pool, mut pipelines: Vec<Pipeline>, ask: &Ask) -> Vec<Pipeline> {
    for _ in 0..ROUNDS_MAX {
        let live = Live::new(&best(pool, &pipelines));
        let Some(found) = propose(&live.ground, ask) else { break };
        pipelines.extend(found.pipelines.iter().filter_map(|p| live.pipeline(p)));
    }
    pipelines
}

/// The best devices of a pool that have no part in some pipelines.
fn best(pool: &Pool, pipelines: &[Pipeline]) -> Pool {
    let free: BTreeSet<(NodeId, u8)> = idle(pool, pipelines).into_iter().collect();
    let scratch = pool.model.scratch_bytes();
    let devices = pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d)));
    let mut worth: Vec<(f64, (NodeId, u8))> = devices
        .map(|(node, d)| {
            let room = d.memory_bytes.saturating_sub(scratch) as f64;
            (room * d.bandwidth_bytes_per_s.clamp(0.0, 1e18), (node, d.index))
        })
        .filter(|(worth, device)| *worth > 0.0 && free.contains(device))
        .collect();
    worth.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let most = if pool.model.layers > LAYERS_MANY { DEVICES_FEW } else { DEVICES_MAX };
    let chosen: BTreeSet<_> = worth.into_iter().take(most).map(|(_, d)| d).collect();
    let mut machines = pool.machines.clone();
    for machine in &mut machines {
        machine.devices.retain(|device| chosen.contains(&(machine.node, device.index)));
    }
    machines.retain(|machine| !machine.devices.is_empty());
    Pool { machines, running: None, ..pool.clone() }
}

/// What pipelines are worth together, each stepping as many requests at a time as is best.
fn worth(live: &Live, pipelines: &[Pipeline], ask: &Ask) -> Option<Proposal> {
    let lanes: Option<Vec<Lane>> = pipelines.iter().map(|pipeline| live.lane(pipeline)).collect();
    let lanes = lanes.filter(|lanes| !lanes.is_empty())?;
    let with = |batch| {
        let lanes = lanes.iter().map(|lane| Lane { batch, ..lane.clone() });
        tell(&live.ground, ask, &Draft::of(lanes.collect()))
    };
    // Of equals the last, which is the smallest batch.
    let all = live.ground.rules.batches(2).into_iter().rev().map(with);
    all.max_by(|a, b| a.requests_per_s.total_cmp(&b.requests_per_s))
}

/// Devices without a part.
fn idle(pool: &Pool, pipelines: &[Pipeline]) -> Vec<(NodeId, u8)> {
    let stages = pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let members = stages.flat_map(|stage| &stage.members);
    let busy: BTreeSet<_> = members.map(|member| (member.node, member.device)).collect();
    let devices = pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d.index)));
    let idle: BTreeSet<_> = devices.filter(|device| !busy.contains(device)).collect();
    idle.into_iter().collect()
}
