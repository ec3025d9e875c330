//! A proposal: pipelines out of a ground, and what they are worth.

use crate::{
    ground::Ground,
    phase1::{Aim, Layout, Search},
    phase2::{
        Decoder, Effort, Found, Judge, Objective, Partition, Score, chosen, climb, every, genetic,
        regions, seeds,
    },
    place::place,
    serve::{Replica, Serving, capacity},
};

/// Up to so many devices every partition is looked at.
const EVERY_DEVICES: usize = 6;
/// Judgements of small steps times groups.
const CLIMB: usize = 4_000;
/// Of more groups there are too many small steps.
const CLIMB_GROUPS_MAX: usize = 24;
/// Requests that the search serves, and those that the result is told by.
const TRIAL_REQUESTS: usize = 3_000;
const TOLD_REQUESTS: usize = 8_000;

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planner {
    /// The best we have.
    Default,
    /// HexGen's: K-means, then merge, split and swap.
    Hexgen,
    /// HexGen's baseline: the same loop with mutations that know nothing.
    HexgenRandom,
    /// HexGen's beginning alone.
    HexgenInitial,
    /// Every partition.
    Exhaustive,
}

/// What to plan for, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Which search.
    pub planner: Planner,
    /// What the plan is to be good at.
    pub objective: Objective,
    /// For what is drawn by lot.
    pub seed: u64,
}

/// A member of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedMember {
    /// The device, by its place in the ground.
    pub spot: usize,
    /// `first..end` of its KV heads.
    pub kv_heads: (u32, u32),
    /// `first..end` of its FFN columns.
    pub ffn_columns: (u32, u32),
}

/// A stage.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedStage {
    /// `first..end`.
    pub layers: (u32, u32),
    /// Who computes them; the first leads.
    pub members: Vec<ProposedMember>,
    /// A decode step of the batch.
    pub step_ms: f64,
    /// How long one request keeps it busy.
    pub busy_ms: f64,
}

/// A pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedPipeline {
    /// First layers first.
    pub stages: Vec<ProposedStage>,
    /// Time to first token.
    pub ttft_ms: f64,
    /// Time per output token.
    pub tpot_ms: f64,
    /// A request, alone.
    pub latency_ms: f64,
    /// Requests that each stage steps together.
    pub batch: u32,
    /// Requests a second when there are always more.
    pub requests_per_s: f64,
}

/// Pipelines, and what they are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Fastest first.
    pub pipelines: Vec<ProposedPipeline>,
    /// Devices without a part.
    pub idle: Vec<usize>,
    /// The part of requests done within the deadline at the rate asked for; if none was, 0.99 at
    /// the rate told. None without a deadline.
    pub attainment: Option<f64>,
    /// With a deadline and no rate: the highest rate at which 99 of 100 requests meet it. Otherwise
    /// what the pipelines serve when there are always more.
    pub requests_per_s: f64,
    /// Partitions that were judged.
    pub evaluations: usize,
    /// The best score after so many evaluations, whenever it rose.
    pub progress: Vec<(usize, f64)>,
}

/// The best pipelines found; none if the model fits nowhere.
pub fn propose(ground: &Ground, ask: &Ask) -> Option<Proposal> {
    let judge = Judge {
        objective: ask.objective,
        requests_per_s: ground.workload.requests_per_s,
        serving: Serving::new(ask.seed, TRIAL_REQUESTS),
    };
    let small = ground.spots.len() <= EVERY_DEVICES;
    let exact = ask.planner == Planner::Exhaustive || ask.planner == Planner::Default && small;
    let aim = match ask.objective {
        Objective::Slo { deadline_ms } => Aim::Within { latency_ms: deadline_ms },
        Objective::Throughput => Aim::Busiest,
        Objective::Latency => Aim::Fastest,
    };
    let decoder = Decoder::new(ground, Search { aim, exact });
    let found = match ask.planner {
        Planner::Exhaustive => every(&decoder, &judge),
        Planner::Default if small => every(&decoder, &judge),
        planner => search(&decoder, &judge, planner, ask.seed),
    };
    (found.judged.score > Score::WORST)
        .then(|| tell(&decoder, ask, again(&decoder, judge, ask, found)))
}

/// Judges the best few again, with more requests: those that won may have been lucky.
fn again(decoder: &Decoder<'_>, judge: Judge, ask: &Ask, found: Found) -> Found {
    let judge = Judge { serving: Serving::new(ask.seed, TOLD_REQUESTS), ..judge };
    let of = |partition: &Partition| judge.judge(&decoder.fronts(partition), Score::WORST);
    let mut best = Found { judged: of(&found.partition), ..found };
    for other in std::mem::take(&mut best.others) {
        let judged = of(&other);
        if judged.score > best.judged.score {
            (best.partition, best.judged) = (other, judged);
        }
    }
    best
}

/// The genetic search as a planner has it. Ours is two of them, one guided and one half so, whose
/// best a third begins with; small steps end it.
fn search(decoder: &Decoder<'_>, judge: &Judge, planner: Planner, seed: u64) -> Found {
    let effort = Effort { population: 32, evaluations: 1_000, patience: 300, guided: 10 };
    let initial = || vec![regions(decoder.ground)];
    match planner {
        Planner::Default | Planner::Exhaustive => {
            let mut begun = seeds(decoder);
            for guided in [10, 5] {
                let effort = Effort { guided, evaluations: 400, patience: 200, ..effort };
                let seeds = seeds(decoder);
                let found = genetic(decoder, judge, seeds, effort, seed ^ guided as u64);
                begun.push(found.partition);
                begun.extend(found.others);
            }
            let effort = Effort { guided: 7, evaluations: 600, patience: 200, ..effort };
            let found = genetic(decoder, judge, begun, effort, seed);
            let groups = found.partition.groups.len().max(1);
            if groups > CLIMB_GROUPS_MAX {
                found
            } else {
                climb(decoder, judge, found, CLIMB / groups)
            }
        }
        Planner::Hexgen => genetic(decoder, judge, initial(), effort, seed),
        Planner::HexgenRandom => {
            genetic(decoder, judge, initial(), Effort { guided: 0, ..effort }, seed)
        }
        Planner::HexgenInitial => {
            genetic(decoder, judge, initial(), Effort { evaluations: 0, ..effort }, seed)
        }
    }
}

fn tell(decoder: &Decoder<'_>, ask: &Ask, found: Found) -> Proposal {
    let ground = decoder.ground;
    let fronts = decoder.fronts(&found.partition);
    let mut layouts: Vec<&Layout> = chosen(&fronts, &found.judged.choice).collect();
    layouts.sort_by(|a, b| a.latency_ms.total_cmp(&b.latency_ms));
    let placed = place(ground, &layouts);
    let pipelines: Vec<_> =
        layouts.iter().zip(placed).map(|(layout, spots)| pipeline(layout, spots)).collect();
    let mut busy = vec![false; ground.spots.len()];
    let members = pipelines.iter().flat_map(|p| &p.stages).flat_map(|s| &s.members);
    members.for_each(|member| busy[member.spot] = true);
    let replicas: Vec<Replica> = layouts.iter().map(|layout| layout.replica()).collect();
    let serving = Serving::new(ask.seed, TOLD_REQUESTS);
    let rate = ground.workload.requests_per_s;
    let (attainment, requests_per_s) = match (ask.objective, rate) {
        (Objective::Slo { deadline_ms }, Some(rate)) => {
            (Some(serving.attainment(&replicas, rate, deadline_ms)), capacity(&replicas))
        }
        (Objective::Slo { deadline_ms }, None) => {
            let rate = serving.peak_rate(&replicas, deadline_ms);
            (Some(serving.attainment(&replicas, rate, deadline_ms)), rate)
        }
        _ => (None, capacity(&replicas)),
    };
    Proposal {
        pipelines,
        idle: (0..busy.len()).filter(|spot| !busy[*spot]).collect(),
        attainment,
        requests_per_s,
        evaluations: found.evaluations,
        progress: found.progress,
    }
}

fn pipeline(layout: &Layout, spots: Vec<Option<Vec<usize>>>) -> ProposedPipeline {
    let mut first_layer = 0;
    let stages = layout.stages.iter().zip(spots).map(|(laid, spots)| {
        let layers = (first_layer, first_layer + laid.layers);
        first_layer = layers.1;
        let (mut head, mut column) = (0, 0);
        let members =
            spots.into_iter().flatten().zip(&laid.parts).map(|(spot, (heads, columns))| {
                let (kv_heads, ffn_columns) = ((head, head + heads), (column, column + columns));
                (head, column) = (kv_heads.1, ffn_columns.1);
                ProposedMember { spot, kv_heads, ffn_columns }
            });
        let members = members.collect();
        ProposedStage { layers, members, step_ms: laid.step_ms, busy_ms: laid.busy_ms }
    });
    ProposedPipeline {
        stages: stages.collect(),
        ttft_ms: layout.ttft_ms,
        tpot_ms: layout.tpot_ms,
        latency_ms: layout.latency_ms,
        batch: layout.regime.batch,
        requests_per_s: 1e3 / layout.period_ms,
    }
}
