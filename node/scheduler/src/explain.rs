//! Why a plan is as it is, and what would make it better.

use std::collections::BTreeSet;

use crate::{
    fit::Pace,
    ground::Ground,
    loss::{Loss, losses},
    phase2::Objective,
    proposal::{Proposal, ProposedPipeline, ProposedStage},
    propose::{Ask, propose, propose_from},
    reasons::{Reason, choices, place, reasons},
    task::Task,
};

/// Machines that are left out in turn, at most.
const LEFT_OUT_MAX: usize = 12;
/// Kinds of machine of which one more is tried, at most.
const MORE_MAX: usize = 8;
/// What is worth this part less is worth the same.
const SAME: f64 = 0.005;

/// What the busiest stage of a pipeline spends most of its time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Reading weights and KV cache.
    Bandwidth,
    /// Multiplying.
    Arithmetic,
    /// Adding up between its members.
    Exchange,
    /// Nothing: the way between stages takes longer than any of them, or is busier.
    Links,
    /// Nothing: requests are under way for so long that there is no room for the KV cache of more.
    Room,
}

/// What binds a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The busiest stage.
    pub stage: usize,
    /// What it does most.
    pub binding: Binding,
    /// Whether it holds as many layers as its memory allows.
    pub full: bool,
}

/// A change, and what the best plan is worth with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gain {
    /// What changes.
    pub change: Change,
    /// The worth: requests a second, or the part of requests that meet the deadline, or
    /// milliseconds of one request, as the plan's objective has it.
    pub value: f64,
}

/// What could be otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// One more machine like this one.
    Another(usize),
    /// Links between machines ten times as fast.
    FasterLinks,
    /// Weights of half the bytes.
    HalfTheWeights,
}

/// What is known about a proposal beyond its figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What the proposal itself is worth.
    pub value: f64,
    /// What is left if a machine goes and nothing is planned anew, the worst first.
    pub losses: Vec<Loss>,
    /// The best first.
    pub gains: Vec<Gain>,
    /// Machines without which the plan is worth as much.
    pub needless: Vec<usize>,
    /// Why each stage of each pipeline has its degree and layers.
    pub reasons: Vec<Vec<Reason>>,
}

/// Explains a proposal for a ground.
pub fn explain(ground: &Ground, ask: &Ask, proposal: &Proposal) -> Explanation {
    let value = worth(ask, ground, proposal);
    let groups = groups(proposal);
    // Ours is looked for near the plan; what others would find is for them to say.
    let again = |ground: &Ground, groups: &[Vec<usize>]| {
        let found = match ask.planner.ours() {
            true => propose_from(ground, ask, groups),
            false => propose(ground, ask),
        };
        found.map(|found| worth(ask, ground, &found))
    };
    // A machine of unlike devices has several classes.
    let mut kinds: Vec<usize> = ground.classes.iter().map(|class| class.machines[0]).collect();
    let mut seen = BTreeSet::new();
    kinds.retain(|machine| seen.insert(*machine));
    let mut gains = Vec::new();
    let mut gain = |change, value: Option<f64>| {
        gains.extend(value.map(|value| Gain { change, value }));
    };
    for machine in kinds.iter().take(MORE_MAX) {
        gain(Change::Another(*machine), again(&ground.with_another(*machine), &groups));
    }
    gain(Change::FasterLinks, again(&ground.with_faster_links(10.0), &groups));
    gain(Change::HalfTheWeights, again(&ground.with_weights(0.5), &groups));
    let latency = ask.objective == Objective::Latency;
    let better = |a: f64, b: f64| if latency { a < b } else { a > b };
    let near = |a: f64, b: f64| (a - b).abs() <= SAME * b.abs();
    gains.retain(|gain| better(gain.value, value) && !near(gain.value, value));
    gains.sort_by(|a, b| match latency {
        true => a.value.total_cmp(&b.value),
        false => b.value.total_cmp(&a.value),
    });
    let needless = kinds.into_iter().take(LEFT_OUT_MAX).filter(|machine| {
        let (fewer, kept) = ground.without(*machine);
        let place = |spot: &usize| kept.binary_search(spot).ok();
        let groups: Vec<Vec<usize>> =
            groups.iter().map(|group| group.iter().filter_map(place).collect()).collect();
        let without = again(&fewer, &groups);
        without.is_some_and(|without| near(without, value) || better(without, value))
    });
    let needless = needless.collect();
    let losses = losses(ground, ask, proposal);
    Explanation { value, losses, gains, needless, reasons: reasons(ground, proposal) }
}

/// What binds each pipeline.
pub fn bounds(ground: &Ground, proposal: &Proposal) -> Vec<Bound> {
    proposal.pipelines.iter().map(|pipeline| bound_of(ground, pipeline)).collect()
}

/// The devices of each pipeline; those of several count for the first.
fn groups(proposal: &Proposal) -> Vec<Vec<usize>> {
    let mut seen = BTreeSet::new();
    let mut spots = |pipeline: &ProposedPipeline| {
        let members = pipeline.stages.iter().flat_map(|s| &s.members).map(|member| member.spot);
        members.filter(|spot| seen.insert(*spot)).collect()
    };
    proposal.pipelines.iter().map(&mut spots).collect()
}

pub(crate) fn worth(ask: &Ask, ground: &Ground, proposal: &Proposal) -> f64 {
    match ask.objective {
        Objective::Latency => proposal.routes[0].latency_ms,
        Objective::Slo { .. } if ground.workload.requests_per_s.is_some() => {
            proposal.attainment.unwrap_or(0.0)
        }
        _ => proposal.requests_per_s,
    }
}

fn bound_of(ground: &Ground, pipeline: &ProposedPipeline) -> Bound {
    let busiest =
        |a: &usize, b: &usize| pipeline.stages[*a].busy_ms.total_cmp(&pipeline.stages[*b].busy_ms);
    let stage = (0..pipeline.stages.len()).max_by(busiest).unwrap_or(0);
    let of = &pipeline.stages[stage];
    let steps: f64 = pipeline.stages.iter().map(|stage| stage.step_ms).sum();
    let links_ms = pipeline.tpot_ms - steps;
    let count = pipeline.stages.len();
    let cached_ms = ground.cached_ms(pipeline.latency_ms, pipeline.batch, count);
    let machine = |stage: &ProposedStage| ground.spots[stage.members[0].spot].machine;
    let hops = pipeline.stages.windows(2);
    let ways = hops.map(|hop| ground.way(machine(&hop[0]), machine(&hop[1])));
    let carried_ms = ways.map(|way| ground.carried_ms(way, pipeline.phase)).fold(0.0, f64::max);
    let binding = if carried_ms > of.busy_ms.max(cached_ms) {
        Binding::Links
    } else if cached_ms > of.busy_ms {
        Binding::Room
    } else if links_ms > of.step_ms {
        Binding::Links
    } else {
        binding(ground, of, ground.decode(pipeline.batch))
    };
    let layers = of.layers.1 - of.layers.0;
    let place = place(stage, pipeline.stages.len());
    let choices = choices(ground, pipeline, of);
    let own = choices.iter().find(|kind| kind.degree == of.members.len());
    Bound { stage, binding, full: own.is_some_and(|kind| kind.caps[place] <= layers) }
}

/// What a stage does most in a step: what would help most if it took no time.
fn binding(ground: &Ground, stage: &ProposedStage, task: Task) -> Binding {
    let members: Vec<usize> = stage.members.iter().map(|member| member.spot).collect();
    let exchange = ground.exchange_ms(&members, task);
    let member = &stage.members[0];
    let share = member.share(1);
    let with = |change: fn(&mut Pace)| {
        let mut ground = ground.clone();
        change(&mut ground.spots[member.spot].pace);
        ground.layer_ms(member.spot, share, task)
    };
    let read = with(|pace| {
        (pace.flops_per_ms, pace.attention_flops_per_ms) = (f64::INFINITY, f64::INFINITY);
    });
    let multiply = with(|pace| {
        (pace.bytes_per_ms, pace.kv_bytes_per_ms) = (f64::INFINITY, f64::INFINITY);
    });
    if exchange > read.max(multiply) {
        Binding::Exchange
    } else if multiply > read {
        Binding::Arithmetic
    } else {
        Binding::Bandwidth
    }
}
