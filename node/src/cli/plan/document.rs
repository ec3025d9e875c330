//! What `plan --json` prints of a pool of catalogue devices, or of a plan that was asked for more than
//! layers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use swarm_scheduler::{
    Binding, Bound, Change, Choice, Explanation, Moves, Phase, PoolFile, Proposal,
    ProposedPipeline, ProposedRoute, ProposedStage, Reason,
};

use super::places::Places;

/// A plan for a pool, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct PlanDocument {
    /// Whether the model fits, within the deadline if there is one.
    pub feasible: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What it is for.
    pub model: Option<ServedDocument>,
    /// Chains of stages that hold the whole model, fastest first. Several may go through one device:
    /// then it holds what they need of it once.
    pub pipelines: Vec<PipelineDocument>,
    /// The ways that requests take, where a way is more than one pipeline.
    pub routes: Vec<RouteDocument>,
    /// Devices without a part: machine and device.
    pub idle: Vec<(String, usize)>,
    /// From arrival to last token, if requests are to be done within a time.
    pub deadline_ms: Option<f64>,
    /// The part of requests that meet the deadline, at the rate asked for or else at the one told.
    pub attainment: Option<f64>,
    /// With a deadline and no rate: the highest rate at which 99 of 100 requests meet it. Otherwise
    /// what is served when there are always more.
    pub requests_per_s: f64,
    /// What no plan of these devices serves more than.
    pub bound_requests_per_s: f64,
    /// What binds each pipeline, in their order.
    pub binding: Vec<String>,
    /// With `--explain`: what would make the plan better.
    pub gains: Vec<String>,
    /// With `--explain`: machines without which it is as good.
    pub needless: Vec<String>,
    /// With `--explain`: what is left if a machine goes and nothing is planned anew, the worst first.
    pub losses: Vec<String>,
    /// With `--running`: what it takes to go over to this plan.
    pub moves: Option<MovesDocument>,
    /// What was assumed where the pool says nothing.
    pub notes: Vec<String>,
    /// The search.
    pub search: SearchDocument,
}

/// A model, and how its weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServedDocument {
    /// Its name.
    pub name: String,
    /// Bits of a weight.
    pub weight_bits: f64,
}

/// What it takes to go from the plan that runs to this one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MovesDocument {
    /// Weights that devices must load which do not have them.
    pub load_bytes: u64,
    /// The device that must load most: machine, device and bytes.
    pub most: Option<(String, usize, u64)>,
    /// KV cache of one request, half-way through its answer, that must go to another device.
    pub session_bytes: u64,
    /// Requests under way when the swarm is busy, if any of their KV cache must go.
    pub sessions: f64,
}

/// How the plan was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SearchDocument {
    /// How long it took.
    pub wall_ms: f64,
    /// Partitions of the pool that were judged.
    pub evaluations: usize,
    /// How often a better one was found.
    pub generations: usize,
}

/// A replica.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PipelineDocument {
    /// First layers first.
    pub stages: Vec<StageDocument>,
    /// What it does of a request.
    pub phase: PhaseDocument,
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

/// A prompt in one pipeline and its answer in another.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RouteDocument {
    /// Numbers of the pipelines, in the order of a request.
    pub pipelines: Vec<usize>,
    /// Time to first token.
    pub ttft_ms: f64,
    /// A request, alone, with its KV cache's way from one to the other.
    pub latency_ms: f64,
    /// Requests a second when there are always more.
    pub requests_per_s: f64,
}

/// What a pipeline does of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseDocument {
    /// Its prompt and its answer.
    Both,
    /// Its prompt.
    Prefill,
    /// Its answer.
    Decode,
}

/// Consecutive layers and who computes them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageDocument {
    /// `[first, end]`.
    pub layers: [u32; 2],
    /// The stage's leader first.
    pub members: Vec<MemberDocument>,
    /// A decode step of the batch.
    pub step_ms: f64,
    /// With `--explain`: why it has this degree and these layers.
    pub why: Option<String>,
}

/// A device's share of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemberDocument {
    /// Whose device.
    pub machine: String,
    /// Its number there.
    pub device: usize,
    /// What its maker calls it.
    pub gpu: String,
    /// `[first, end]` of its KV heads.
    pub kv_heads: [u32; 2],
    /// `[first, end]` of its FFN columns.
    pub ffn_columns: [u32; 2],
}

impl PlanDocument {
    /// The document of a proposal.
    pub(super) fn new(
        places: &Places<'_>,
        found: &Proposal,
        bounds: &[Bound],
        wall_ms: f64,
    ) -> Self {
        let idle = |spot: &usize| {
            let (machine, device) = places.places[*spot];
            (places.machine(machine), device)
        };
        Self {
            feasible: true,
            pipelines: found.pipelines.iter().map(|found| pipeline(places, found)).collect(),
            routes: found.routes.iter().filter(|r| r.pipelines.len() > 1).map(route).collect(),
            binding: bounds.iter().map(binding).collect(),
            idle: found.idle.iter().filter(|spot| places.takes_part(**spot)).map(idle).collect(),
            attainment: found.attainment,
            requests_per_s: found.requests_per_s,
            bound_requests_per_s: found.bound_requests_per_s,
            notes: places.pool.notes.clone(),
            search: SearchDocument {
                wall_ms,
                evaluations: found.evaluations,
                generations: found.progress.len(),
            },
            ..Self::default()
        }
    }

    /// That there is no plan, and why.
    pub(super) fn infeasible(pool: &PoolFile, reason: String, wall_ms: f64) -> Self {
        let search = SearchDocument { wall_ms, ..SearchDocument::default() };
        Self { reason: Some(reason), notes: pool.notes.clone(), search, ..Self::default() }
    }

    /// Adds what is known beyond figures.
    pub(super) fn explain(&mut self, places: &Places<'_>, why: &Explanation, unit: &str) {
        for (pipeline, reasons) in self.pipelines.iter_mut().zip(&why.reasons) {
            for (stage, reason) in pipeline.stages.iter_mut().zip(reasons) {
                stage.why = degrees(stage.layers[1] - stage.layers[0], reason);
            }
        }
        let gain = |gain: &swarm_scheduler::Gain| {
            let what = match gain.change {
                Change::Another(machine) => {
                    format!("another machine like {}", places.machine(machine))
                }
                Change::FasterLinks => "links between machines ten times as fast".to_owned(),
                Change::HalfTheWeights => "weights of half the bytes".to_owned(),
            };
            format!("{what}: {:.4} in place of {:.4} {unit}", gain.value, why.value)
        };
        self.gains = why.gains.iter().map(gain).collect();
        let loss = |loss: &swarm_scheduler::Loss| {
            let left = loss.value.map_or("nothing".to_owned(), |value| format!("{value:.4}"));
            format!("{left} of {:.4} {unit} without {}", why.value, places.machine(loss.machine))
        };
        self.losses = why.losses.iter().map(loss).collect();
        self.needless = why.needless.iter().map(|machine| places.machine(*machine)).collect();
    }
}

/// What it takes to go over.
pub(super) fn moves(places: &Places<'_>, moves: &Moves) -> MovesDocument {
    MovesDocument {
        load_bytes: moves.load_bytes,
        most: moves.most.map(|(spot, bytes)| {
            let (machine, device) = places.places[spot];
            (places.machine(machine), device, bytes)
        }),
        session_bytes: moves.session_bytes,
        sessions: moves.sessions,
    }
}

fn binding(bound: &Bound) -> String {
    let what = match bound.binding {
        Binding::Bandwidth => "memory bandwidth",
        Binding::Arithmetic => "arithmetic",
        Binding::Exchange => "adding up between members",
        Binding::Links => "the way between stages",
        Binding::Room => "room for KV cache, as requests are under way for long",
    };
    let full = if bound.full { ", whose memory is full" } else { "" };
    format!("{what}; stage {} is the busiest{full}", bound.stage)
}

/// The degree that a stage has, beside the next ones that it could have.
fn degrees(layers: u32, reason: &Reason) -> Option<String> {
    let chosen = reason.chosen?;
    let told = |choice: &Choice| {
        let Choice { degree, layer_ms, layers_max } = choice;
        format!("TP {degree}: {layer_ms:.2} ms a layer, room for {layers_max}")
    };
    let fewer = reason.others.iter().rfind(|other| other.degree < chosen.degree);
    let more = reason.others.iter().find(|other| other.degree > chosen.degree);
    let next: Vec<String> = fewer.into_iter().chain(more).map(told).collect();
    let next = if next.is_empty() { String::new() } else { format!(" ({})", next.join("; ")) };
    Some(format!("{layers} layers by {}{next}", told(&chosen)))
}

/// The first and the last of a range, and how many they are.
pub(super) fn range(what: &str, [first, end]: [u32; 2]) -> String {
    match end.saturating_sub(first) {
        0 => format!("no {what}"),
        count => format!("{what} {first}-{} ({count})", end - 1),
    }
}

fn route(found: &ProposedRoute) -> RouteDocument {
    RouteDocument {
        pipelines: found.pipelines.clone(),
        ttft_ms: found.ttft_ms,
        latency_ms: found.latency_ms,
        requests_per_s: found.requests_per_s,
    }
}

fn pipeline(places: &Places<'_>, found: &ProposedPipeline) -> PipelineDocument {
    PipelineDocument {
        stages: found.stages.iter().map(|found| stage(places, found)).collect(),
        phase: match found.phase {
            Phase::Both => PhaseDocument::Both,
            Phase::Prefill => PhaseDocument::Prefill,
            Phase::Decode => PhaseDocument::Decode,
        },
        ttft_ms: found.ttft_ms,
        tpot_ms: found.tpot_ms,
        latency_ms: found.latency_ms,
        batch: found.batch,
        requests_per_s: found.requests_per_s,
    }
}

impl StageDocument {
    /// Its members in a few words.
    pub(super) fn holders(&self) -> String {
        let mut kinds: Vec<(&str, &str, usize)> = Vec::new();
        for member in &self.members {
            match kinds.last_mut() {
                Some((machine, gpu, count)) if *machine == member.machine && *gpu == member.gpu => {
                    *count += 1;
                }
                _ => kinds.push((&member.machine, &member.gpu, 1)),
            }
        }
        let told =
            kinds.iter().map(|(machine, gpu, count)| format!("{count} x {gpu} of {machine}"));
        told.collect::<Vec<_>>().join(" and ")
    }
}

fn stage(places: &Places<'_>, found: &ProposedStage) -> StageDocument {
    let member = |member: &swarm_scheduler::ProposedMember| {
        let (machine, device) = places.places[member.spot];
        MemberDocument {
            machine: places.machine(machine),
            device,
            gpu: places.pool.machines[machine].device.clone(),
            kv_heads: member.kv_heads.into(),
            ffn_columns: member.ffn_columns.into(),
        }
    };
    StageDocument {
        layers: found.layers.into(),
        members: found.members.iter().map(member).collect(),
        step_ms: found.step_ms,
        why: None,
    }
}
