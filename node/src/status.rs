//! What a node knows, as people and programs see it: `status`, the API and the web page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything a node knows of itself and its swarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// This node's peer id.
    pub peer: String,
    /// The swarm's name.
    pub swarm: String,
    /// The model served.
    pub model: String,
    /// Whether a canary token went through the live plan, all of its members are here, and this
    /// node is not leaving.
    pub ready: bool,
    /// Whether no session runs here.
    pub idle: bool,
    /// Who leads, if anyone.
    pub leader: Option<String>,
    /// The latest term heard of.
    pub term: u64,
    /// The voters that elect.
    pub voters: Vec<String>,
    /// Where this node can be joined.
    pub listen: Vec<String>,
    /// Who is here, this node first.
    pub nodes: Vec<NodeStatus>,
    /// The live plan.
    pub plan: Option<PlanView>,
    /// What stands in the way, if nothing serves.
    pub trouble: Option<String>,
}

/// One peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeStatus {
    /// Its peer id.
    pub peer: String,
    /// What it computes with.
    pub devices: Vec<DeviceStatus>,
    /// How this node sees the way to it; `None` for itself or while unmeasured.
    pub rtt_ms: Option<f64>,
    /// Bytes of messages and frames that this node has sent it; 0 for itself.
    pub sent_bytes: u64,
    /// Bytes of messages and frames that came from it.
    pub received_bytes: u64,
    /// How it sees the way to others.
    pub links: Vec<LinkStatus>,
    /// Sessions that hold KV cache there.
    pub sessions: u32,
    /// KV blocks free and altogether.
    pub kv_blocks_free: u32,
    /// KV blocks altogether.
    pub kv_blocks: u32,
    /// Whether it is leaving.
    pub draining: bool,
    /// Whether it is thought alive.
    pub alive: bool,
    /// Its API address, if it says.
    pub api: Option<String>,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceStatus {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// What its maker calls it.
    pub name: String,
    /// Memory it offers.
    pub memory_bytes: u64,
    /// Measured memory bandwidth.
    pub bandwidth_bytes_per_s: f64,
    /// Measured arithmetic rate.
    pub flops_per_s: f64,
    /// Threads it computes with.
    pub threads: u16,
}

/// One way to another peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LinkStatus {
    /// The far end.
    pub to: String,
    /// Round-trip time.
    pub rtt_ms: f64,
    /// Throughput; 0 while unmeasured.
    pub bytes_per_s: f64,
    /// How long ago.
    pub age_ms: u64,
    /// Whether predicted, not measured.
    pub predicted: bool,
}

/// A plan in the one shape that `demo`, `plan`, `status`, the API and the simulator print.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// The leader's term.
    pub term: u64,
    /// The plan's number in it.
    pub epoch: u64,
    /// Who made it.
    pub leader: String,
    /// Replicas.
    pub pipelines: Vec<PipelineView>,
}

/// One replica of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineView {
    /// First layers first.
    pub stages: Vec<StageView>,
    /// Predicted time to first token; 0 if nobody has predicted it.
    #[serde(default)]
    pub ttft_ms: f64,
    /// Predicted time per output token.
    #[serde(default)]
    pub tpot_ms: f64,
    /// Requests a second that it should serve when there are always more.
    #[serde(default)]
    pub requests_per_s: f64,
}

/// Consecutive layers and who computes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageView {
    /// `[first, end]`.
    pub layers: [u32; 2],
    /// The stage's leader first.
    pub members: Vec<MemberView>,
    /// A predicted decode step.
    #[serde(default)]
    pub step_ms: f64,
}

/// One device's share of a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Whose device.
    pub peer: String,
    /// Its number there.
    pub device: u8,
    /// `[first, end]` of its KV-head groups.
    pub kv_heads: [u32; 2],
    /// `[first, end]` of its FFN columns.
    pub ffn_columns: [u32; 2],
}
