//! A proposal: pipelines with devices, and what they are worth.

use crate::{
    bound::bound,
    phase1::Layout,
    phase2::{Decoder, Found, Objective, chosen, replicas},
    place::place,
    propose::{Ask, TOLD_REQUESTS},
    serve::{Serving, capacity},
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
    /// Requests a second that no plan of these devices exceeds, at any latency.
    pub bound_requests_per_s: f64,
    /// Partitions that were judged.
    pub evaluations: usize,
    /// The best score after so many evaluations, whenever it rose.
    pub progress: Vec<(usize, f64)>,
}

pub(crate) fn tell(decoder: &Decoder<'_>, ask: &Ask, found: Found) -> Proposal {
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
    let replicas = replicas(layouts.iter().copied());
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
        bound_requests_per_s: bound(ground),
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
