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
    pub(super) nodes: NodesKeys,
    #[serde(default)]
    pub(super) pipeline: Vec<PipelineKeys>,
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

/// The planner that is whoever leads.
const LIVE: &str = "live";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannerKeys {
    pub(super) name: Option<String>,
    pub(super) slo: Option<String>,
    pub(super) objective: Option<Aim>,
    pub(super) input_tokens: Option<u32>,
    pub(super) output_tokens: Option<u32>,
    pub(super) seed: Option<u64>,
    pub(super) sums: Option<Sums>,
    /// Whether of pipelines that share devices only the first is kept: a swarm runs no others.
    #[serde(default)]
    pub(super) disjoint: bool,
}

impl PlannerKeys {
    /// Whether whoever leads plans, as in a live swarm.
    pub(super) fn is_live(&self) -> bool {
        self.name.as_deref() == Some(LIVE)
    }
}

/// By which sums planners reckon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sums {
    /// The paper's: makers' figures, one request after the other.
    Hexgen,
    /// Fitted to measured points, with batches.
    Fitted,
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
    /// In place of the two.
    pub(super) efficiency: Option<Reached>,
    pub(super) layer_us: Option<f64>,
    /// What the ways between machines are in truth, if not what the pool says.
    pub(super) between_ms: Option<f64>,
    pub(super) between_gbit_s: Option<f64>,
    pub(super) jitter: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) layers: Option<String>,
    pub(super) noise: Option<f64>,
    pub(super) skew_ppm: Option<u32>,
}

/// Which parts of their makers' figures cards reach.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reached {
    /// Each its own, fitted to layers that were measured.
    Fitted,
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
#[serde(untagged, expecting = "give a number of tokens, 1 or more, or a list of such numbers")]
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
    pub(super) machine: Names,
    pub(super) does: Does,
    pub(super) for_s: Option<f64>,
    pub(super) factor: Option<f64>,
    /// Whom it does not reach.
    pub(super) other: Option<Names>,
    /// Whether connections that are cut close, or fall silent.
    pub(super) told: Option<bool>,
    pub(super) loss: Option<f64>,
    /// Whether nobody hears of what is lost.
    pub(super) silent: Option<bool>,
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
    /// Of how long machines stay, and are gone; that of both is `shape`.
    pub(super) up_shape: Option<f64>,
    pub(super) down_shape: Option<f64>,
}

/// What nodes are told before they start; what it does not say is as it is in a live swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodesKeys {
    pub(super) batch_sessions: Option<usize>,
    pub(super) stage_sessions: Option<u32>,
    pub(super) sessions: Option<usize>,
    pub(super) waiting: Option<usize>,
    pub(super) turn_wait_s: Option<f64>,
    pub(super) beat_ms: Option<f64>,
    pub(super) silence_ms: Option<f64>,
}

/// A pipeline of a layout made by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PipelineKeys {
    pub(super) stages: Vec<StageKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageKeys {
    /// The machine, or machines that share the stage.
    pub(super) machine: Names,
    /// How many devices of each; all that no stage before has.
    pub(super) devices: Option<usize>,
    pub(super) layers: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "give a name, or a list of names")]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    /// All of them.
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}
