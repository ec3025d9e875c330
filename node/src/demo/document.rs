//! What `demo --json` prints: the answer, who was there, and the plan it came by.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    client::Answer,
    status::{PlanView, Status},
};

/// An answer, and the swarm that gave it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DemoDocument {
    /// The model's name.
    pub model: String,
    /// What was asked.
    pub prompt: String,
    /// The whole text.
    pub text: String,
    /// Its tokens.
    pub token_ids: Vec<u32>,
    /// Why it ended: `stop` or `length`.
    pub finish_reason: String,
    /// Time to the first token.
    pub ttft_ms: f64,
    /// Time for each token after it.
    pub tpot_ms: f64,
    /// The peer id of the node that was asked, which holds no layer.
    pub entry: String,
    /// Every node, the entry first.
    pub nodes: Vec<DemoNode>,
    /// The plan that was live.
    pub plan: PlanView,
}

/// A node of the demo.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DemoNode {
    /// Its peer id.
    pub peer: String,
    /// What it computes with.
    pub devices: Vec<DemoDevice>,
}

/// A device of a node.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct DemoDevice {
    /// `cpu` or `cuda`.
    pub kind: String,
    /// Memory it may use.
    pub memory_bytes: u64,
}

impl DemoDocument {
    /// The document of an answer to `prompt` by the swarm that `status` shows.
    pub(super) fn new(prompt: &str, answer: Answer, status: Status, plan: PlanView) -> Self {
        let nodes = status.nodes.into_iter().map(|node| {
            let devices = node
                .devices
                .into_iter()
                .map(|device| DemoDevice { kind: device.kind, memory_bytes: device.memory_bytes });
            DemoNode { peer: node.peer, devices: devices.collect() }
        });
        Self {
            model: answer.model,
            prompt: prompt.to_owned(),
            text: answer.text,
            token_ids: answer.token_ids,
            finish_reason: answer.finish_reason,
            ttft_ms: answer.ttft_ms,
            tpot_ms: answer.tpot_ms,
            entry: status.peer,
            nodes: nodes.collect(),
            plan,
        }
    }
}
