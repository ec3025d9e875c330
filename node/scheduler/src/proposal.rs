//! A proposal: pipelines with devices, and what they are worth.

use crate::{
    bound::bound,
    draft::{Draft, Lane},
    ground::{Ground, Share},
    measure::{LanePace, Measured, measure},
    phase2::{Objective, Score},
    propose::{Ask, TOLD_REQUESTS},
    rules::Phase,
    serve::{Serves, Serving},
};

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

impl ProposedMember {
    /// Its part of so many layers, without embedding and head.
    pub(crate) fn share(&self, layers: u32) -> Share {
        Share {
            layers,
            heads: self.kv_heads.1 - self.kv_heads.0,
            columns: self.ffn_columns.1 - self.ffn_columns.0,
            embeds: false,
            samples: false,
        }
    }
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
    /// What it does of a request.
    pub phase: Phase,
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

/// A way that requests take: through one pipeline, or through one for the prompt and one for the
/// answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedRoute {
    /// Pipelines, by their places.
    pub pipelines: Vec<usize>,
    /// Time to first token.
    pub ttft_ms: f64,
    /// A request, alone, with its KV cache's way from one pipeline to the other.
    pub latency_ms: f64,
    /// Requests a second when there are always more.
    pub requests_per_s: f64,
}

/// Pipelines, and what they are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Fastest first.
    pub pipelines: Vec<ProposedPipeline>,
    /// Fastest first.
    pub routes: Vec<ProposedRoute>,
    /// Devices without a part.
    pub idle: Vec<usize>,
    /// The part of requests done within the deadline at the rate asked for; if none was, 0.99 at
    /// the rate told. None without a deadline.
    pub attainment: Option<f64>,
    /// With a deadline and no rate: the highest rate at which 99 of 100 requests meet it. Otherwise
    /// what the pipelines serve when there are always more.
    pub requests_per_s: f64,
    /// Requests a second that no plan of these devices exceeds, at any latency.
    pub bound_requests_per_s: f64,
    /// Partitions that were judged.
    pub evaluations: usize,
    /// The best score after so many evaluations, whenever it rose.
    pub progress: Vec<(usize, f64)>,
}

/// Measures a draft, and says what it is worth.
pub(crate) fn tell(ground: &Ground, ask: &Ask, draft: &Draft) -> Proposal {
    let measured = measure(ground, draft);
    let serving = Serving::new(ask.seed, TOLD_REQUESTS);
    let rate = ground.workload.requests_per_s;
    let (attainment, requests_per_s) = match (ask.objective, rate) {
        (Objective::Slo { deadline_ms }, Some(rate)) => {
            (Some(serving.attainment(&measured, rate, deadline_ms)), measured.requests_per_s())
        }
        (Objective::Slo { deadline_ms }, None) => {
            let rate = serving.peak_rate(&measured, deadline_ms);
            (Some(serving.attainment(&measured, rate, deadline_ms)), rate)
        }
        _ => (None, measured.requests_per_s()),
    };
    let mut busy = vec![false; ground.spots.len()];
    let stages = draft.lanes.iter().flat_map(|lane| &lane.stages);
    stages.flat_map(|stage| &stage.members).for_each(|member| busy[member.spot] = true);
    let (pipelines, routes) = pipelines(ground, draft, &measured);
    Proposal {
        pipelines,
        routes,
        idle: (0..busy.len()).filter(|spot| !busy[*spot]).collect(),
        attainment,
        requests_per_s,
        bound_requests_per_s: bound(ground),
        evaluations: 0,
        progress: Vec::new(),
    }
}

/// Lanes as pipelines, fastest first, and the ways through them.
fn pipelines(
    ground: &Ground,
    draft: &Draft,
    measured: &Measured,
) -> (Vec<ProposedPipeline>, Vec<ProposedRoute>) {
    let steps = ground.steps();
    let plain = ground.rules.plain();
    let one = |(lane, pace): (&Lane, &LanePace)| {
        let stages = lane.stages.iter().zip(&pace.stages).map(|(stage, pace)| ProposedStage {
            layers: stage.layers,
            members: stage.members.clone(),
            step_ms: pace.step_ms,
            busy_ms: pace.busy_ms,
        });
        let first_ms = if plain && lane.phase != Phase::Prefill { pace.token_ms } else { 0.0 };
        ProposedPipeline {
            stages: stages.collect(),
            phase: lane.phase,
            ttft_ms: pace.prompt_ms + first_ms,
            tpot_ms: pace.token_ms,
            latency_ms: pace.prompt_ms + steps * pace.token_ms,
            batch: lane.batch,
            requests_per_s: 0.0,
        }
    };
    let mut all: Vec<(usize, ProposedPipeline)> =
        draft.lanes.iter().zip(&measured.lanes).map(one).enumerate().collect();
    for (route, pace) in draft.routes.iter().zip(&measured.routes) {
        route.lanes.iter().for_each(|lane| all[*lane].1.requests_per_s += pace.requests_per_s);
    }
    all.sort_by(|a, b| a.1.latency_ms.total_cmp(&b.1.latency_ms));
    let place = |lane: &usize| all.iter().position(|(number, _)| number == lane).unwrap_or(0);
    let routes = draft.routes.iter().zip(&measured.routes).map(|(route, pace)| ProposedRoute {
        pipelines: route.lanes.iter().map(place).collect(),
        ttft_ms: pace.ttft_ms,
        latency_ms: pace.latency_ms,
        requests_per_s: pace.requests_per_s,
    });
    let mut routes: Vec<ProposedRoute> = routes.collect();
    routes.sort_by(|a, b| a.latency_ms.total_cmp(&b.latency_ms));
    (all.into_iter().map(|(_, pipeline)| pipeline).collect(), routes)
}

/// A part in time that is luck.
const HARDLY_ANY: f64 = 0.01;

impl Proposal {
    /// What it is worth to who asks; of equals, the second decides.
    pub(crate) fn score(&self, ask: &Ask, rate: Option<f64>) -> Score {
        let times = || self.routes.iter().map(|route| route.latency_ms);
        let mean = || times().sum::<f64>() / self.routes.len().max(1) as f64;
        match (ask.objective, rate) {
            (Objective::Latency, _) => Score(-times().fold(f64::INFINITY, f64::min), 0.0),
            (Objective::Throughput, _) => Score(self.requests_per_s, -mean()),
            (Objective::Slo { .. }, Some(_)) => match self.attainment.unwrap_or(0.0) {
                // Where as good as none is in time, as many as can be.
                met if met < HARDLY_ANY => Score(0.0, self.requests_per_s),
                met => Score(met, -mean()),
            },
            (Objective::Slo { .. }, None) => {
                Score(self.requests_per_s, self.routes.iter().map(|r| r.requests_per_s).sum())
            }
        }
    }
}
