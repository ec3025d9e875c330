//! The shape of a scenario's TOML.

use serde::Deserialize;

use super::{Play, churn::Goes, fault::Does};

/// A scenario's text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    /// For people; see `Text::about`.
    #[serde(rename = "about")]
    _about: Option<String>,
    #[serde(default)]
    pub(super) play: Play,
    pub(super) swarm: Option<SwarmKeys>,
    #[serde(default)]
    pub(super) planner: PlannerKeys,
    #[serde(default)]
    pub(super) truth: TruthKeys,
    #[serde(default)]
    pub(super) belief: BeliefKeys,
    pub(super) workload: Option<WorkloadKeys>,
    #[serde(default)]
    pub(super) run: RunKeys,
    #[serde(default)]
    pub(super) fault: Vec<FaultKeys>,
    pub(super) churn: Option<ChurnKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SwarmKeys {
    pub(super) pool: String,
    pub(super) model: String,
    pub(super) weights: Option<String>,
    #[serde(default)]
    pub(super) without: Vec<String>,
    /// Machines that clients ask; all if it does not say.
    #[serde(default)]
    pub(super) entries: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannerKeys {
    pub(super) name: Option<String>,
    pub(super) slo: Option<String>,
    pub(super) objective: Option<Aim>,
    pub(super) input_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
    pub(super) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Aim {
    Slo,
    Throughput,
    Latency,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TruthKeys {
    pub(super) bandwidth: Option<f64>,
    pub(super) arithmetic: Option<f64>,
    pub(super) layer_us: Option<f64>,
    pub(super) layers: Option<String>,
    pub(super) noise: Option<f64>,
    pub(super) skew_ppm: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BeliefKeys {
    pub(super) bandwidth: Option<f64>,
    pub(super) arithmetic: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkloadKeys {
    pub(super) arrivals: Option<Kind>,
    pub(super) requests_per_s: Option<f64>,
    pub(super) cv: Option<f64>,
    pub(super) input_tokens: Option<OneOrMany>,
    pub(super) output_tokens: Option<OneOrMany>,
    pub(super) trace: Option<String>,
    pub(super) speed: Option<f64>,
    pub(super) from_s: Option<f64>,
    pub(super) input_tokens_max: Option<u32>,
    pub(super) output_tokens_max: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Poisson,
    Gamma,
    Even,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunKeys {
    pub(super) seconds: Option<f64>,
    pub(super) patience_s: Option<f64>,
    pub(super) slo: Option<String>,
    pub(super) scales: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultKeys {
    pub(super) at_s: f64,
    pub(super) machine: String,
    pub(super) does: Does,
    pub(super) for_s: Option<f64>,
    pub(super) factor: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChurnKeys {
    /// Machines that come and go; those that no client asks if it does not say.
    pub(super) machines: Option<Vec<String>>,
    pub(super) does: Option<Goes>,
    pub(super) trace: Option<String>,
    pub(super) speed: Option<f64>,
    pub(super) from_s: Option<f64>,
    pub(super) up_s: Option<f64>,
    pub(super) down_s: Option<f64>,
    pub(super) shape: Option<f64>,
}
