//! What a leader plans: replicas for as many requests as are done soon enough, and whether they are
//! worth leaving those that run.

use std::collections::BTreeSet;

use swarm_proto::{NodeId, PLAN_MEMBERS_MAX, Pipeline, Plan, PlanId, Pool, Predicted};

use crate::{
    Infeasible,
    draft::{Draft, Lane},
    ground::Ground,
    live::Live,
    measure::measure,
    phase2::Objective,
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
/// How many times the requests another plan must serve before the one that runs is left: made
/// afresh, or with more replicas beside those that run.
const AFRESH: f64 = 1.15;
const MORE: f64 = 1.05;
/// So many devices are planned at a time, the best of them first; of a model with very many layers
/// fewer, since the work grows with their square; more if so many do not hold it.
const DEVICES_MAX: usize = 128;
const DEVICES_FEW: usize = 32;
const LAYERS_MANY: u32 = 160;
const TIMES_MORE: usize = 4;
/// And so many times, as long as a plan has room; further devices stay idle.
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
    let most = if pool.model.layers > LAYERS_MANY { DEVICES_FEW } else { DEVICES_MAX };
    let first = [most, most * TIMES_MORE].into_iter().find_map(|most| {
        let ground = Live::alike(&best(pool, &live, most, &BTreeSet::new())).ground;
        leaders(&ground, options.seed).map(|ask| (ask, most))
    });
    let pipelines = match first {
        None if kept.is_empty() => return Err(Infeasible::of(&live)),
        // What was found once is still good.
        None => kept,
        Some((ask, most)) => {
            let more = |pipelines| (more(pool, &live, pipelines, &ask, most), MORE);
            let afresh = (more(Vec::new()).0, AFRESH);
            match kept.is_empty() {
                true => afresh.0,
                false => better(&live, &ask, kept.clone(), [more(kept), afresh]),
            }
        }
    };
    if pipelines.is_empty() {
        return Err(Infeasible::of(&live));
    }
    let (id, leader, model) = (PlanId::default(), NodeId([0; 32]), pool.model.hash);
    let plan = foretold(&live, Plan { id, leader, model, pipelines });
    Ok(Planned { idle: idle(pool, &plan.pipelines).into_iter().collect(), plan })
}

/// Those that run, unless others serve so many times as much, or the fastest of them is so much faster
/// and they serve no less.
fn better(
    live: &Live,
    ask: &Ask,
    kept: Vec<Pipeline>,
    others: [(Vec<Pipeline>, f64); 2],
) -> Vec<Pipeline> {
    let late_ms = match ask.objective {
        Objective::Slo { deadline_ms } => LENIENCE * deadline_ms,
        _ => f64::INFINITY,
    };
    let next = |best: (Worth, Vec<Pipeline>), (other, times): (Vec<Pipeline>, f64)| {
        let worth = Worth::of(live, &other, late_ms);
        if worth.is_better(&best.0, times) { (worth, other) } else { best }
    };
    let kept = (Worth::of(live, &kept, late_ms), kept);
    others.into_iter().fold(kept, next).1
}

/// A plan with what is expected of each of its pipelines, as far as they fit the pool: the times of
/// a request that is alone.
pub fn predicted(pool: &Pool, plan: Plan) -> Plan {
    let live = Live::new(pool);
    let sound = live.ground.sane() && plan.check(&pool.model).is_ok();
    if sound { foretold(&live, plan) } else { plan }
}

fn foretold(live: &Live, mut plan: Plan) -> Plan {
    for pipeline in &mut plan.pipelines {
        let Some(lane) = live.lane(pipeline) else { continue };
        let pace = measure(&live.ground, &Draft::of(vec![lane.clone()]));
        let (of, route) = (&pace.lanes[0], &pace.routes[0]);
        // Requests a second, and a request's time beside as many others as that takes.
        let paces = batched(&live.ground, std::slice::from_ref(&lane)).map(|draft| {
            let measured = measure(&live.ground, &draft);
            (measured.routes[0].requests_per_s, measured.routes[0].latency_ms)
        });
        let most = paces.fold((0.0, 0.0), |most, pace| if pace.0 > most.0 { pace } else { most });
        pipeline.predicted = Predicted {
            ttft_us: whole(1e3 * route.ttft_ms),
            tpot_us: whole(1e3 * of.token_ms),
            requests_per_ks: whole(1e3 * most.0),
            sessions: at_once(most.0, most.1),
        };
        for (stage, pace) in pipeline.stages.iter_mut().zip(&of.stages) {
            stage.step_us = whole(1e3 * pace.step_ms);
        }
    }
    plan
}

/// Lanes with every batch that they have room for.
fn batched(ground: &Ground, lanes: &[Lane]) -> impl Iterator<Item = Draft> {
    let with = |batch| Draft::of(lanes.iter().map(|l| Lane { batch, ..l.clone() }).collect());
    ground.rules.batches(2).into_iter().map(with).filter(|draft| draft.holds(ground))
}

/// Sessions under way at so many requests a second, each of which takes so long: Little's law. At least
/// 1, since 0 says that nobody knows.
pub fn at_once(requests_per_s: f64, latency_ms: f64) -> u32 {
    (requests_per_s * latency_ms / 1e3).round().max(1.0) as u32
}

/// At least 1, since 0 says that nobody knows.
fn whole(figure: f64) -> u64 {
    (figure.round() as u64).max(1)
}

/// More replicas, of the devices that have no part in those there are.
fn more(
    pool: &Pool,
    live: &Live,
    mut pipelines: Vec<Pipeline>,
    ask: &Ask,
    most: usize,
) -> Vec<Pipeline> {
    let mut tried = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        tried.extend(members(&pipelines));
        let full = members(&pipelines).count() >= PLAN_MEMBERS_MAX;
        let next = best(pool, live, most, &tried);
        if full || next.machines.is_empty() {
            break;
        }
        let here = Live::alike(&next);
        tried.extend(here.devices.iter().copied());
        let Some(found) = propose(&here.ground, ask) else { continue };
        if !take(&mut pipelines, found.pipelines.iter().filter_map(|p| here.pipeline(p))) {
            break;
        }
    }
    pipelines
}

/// Adds pipelines as long as a plan has room for their members; false if it has not for all.
fn take(pipelines: &mut Vec<Pipeline>, more: impl Iterator<Item = Pipeline>) -> bool {
    let mut count = members(pipelines).count();
    for pipeline in more {
        count += pipeline.members().count();
        if count > PLAN_MEMBERS_MAX {
            return false;
        }
        pipelines.push(pipeline);
    }
    true
}

/// So many of the devices that can hold something and were not tried: the best.
fn best(pool: &Pool, live: &Live, most: usize, tried: &BTreeSet<(NodeId, u8)>) -> Pool {
    let ground = &live.ground;
    let aside = ground.aside_bytes();
    let worth = |spot: usize| {
        let of = &ground.spots[spot];
        of.memory_bytes.saturating_sub(aside) as f64 * of.pace.bytes_per_ms
    };
    let free = |spot: &usize| !tried.contains(&live.devices[*spot]) && ground.holds_least(*spot);
    let mut spots: Vec<usize> = (0..live.devices.len()).filter(free).collect();
    spots.sort_by(|a, b| worth(*b).total_cmp(&worth(*a)));
    let chosen: BTreeSet<_> = spots.into_iter().take(most).map(|s| live.devices[s]).collect();
    let mut machines = pool.machines.clone();
    for machine in &mut machines {
        machine.devices.retain(|device| chosen.contains(&(machine.node, device.index)));
    }
    machines.retain(|machine| !machine.devices.is_empty());
    Pool { machines, running: None, ..pool.clone() }
}

/// What pipelines are worth together.
struct Worth {
    /// What those of them serve that are not late, when there are always more.
    requests_per_s: f64,
    /// A request alone on the fastest.
    latency_ms: f64,
}

impl Worth {
    /// Stepping as many requests at a time as is best for all; nothing if one of them does not fit.
    fn of(live: &Live, pipelines: &[Pipeline], late_ms: f64) -> Self {
        let lanes: Option<Vec<Lane>> = pipelines.iter().map(|p| live.lane(p)).collect();
        let mut best = Self { requests_per_s: 0.0, latency_ms: f64::INFINITY };
        let Some(lanes) = lanes.filter(|lanes| !lanes.is_empty()) else { return best };
        for draft in batched(&live.ground, &lanes) {
            let routes = measure(&live.ground, &draft).routes;
            let in_time = routes.iter().filter(|route| route.latency_ms <= late_ms);
            let rate: f64 = in_time.map(|route| route.requests_per_s).sum();
            best.requests_per_s = best.requests_per_s.max(rate);
            let fastest = routes.iter().map(|route| route.latency_ms).fold(f64::INFINITY, f64::min);
            best.latency_ms = best.latency_ms.min(fastest);
        }
        best
    }

    fn is_better(&self, than: &Self, times: f64) -> bool {
        self.requests_per_s > times * than.requests_per_s
            || self.requests_per_s >= than.requests_per_s
                && self.latency_ms * AFRESH < than.latency_ms
    }
}

/// Devices that have a part.
fn members(pipelines: &[Pipeline]) -> impl Iterator<Item = (NodeId, u8)> {
    pipelines.iter().flat_map(Pipeline::members).map(|member| (member.node, member.device))
}

/// Devices without a part.
fn idle(pool: &Pool, pipelines: &[Pipeline]) -> BTreeSet<(NodeId, u8)> {
    let busy: BTreeSet<_> = members(pipelines).collect();
    let devices = pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d.index)));
    devices.filter(|device| !busy.contains(device)).collect()
}
