//! What a planner is given: machines, links, a model, and the plan that runs now.

use bincode::{Decode, Encode};

use crate::{Device, LinkReport, ModelSpec, NodeId, Plan};

/// A machine and its devices.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Machine {
    /// Whose.
    pub node: NodeId,
    /// What it computes with.
    pub devices: Vec<Device>,
    /// How it sees the way to others.
    pub links: Vec<LinkReport>,
}

/// Everything a plan depends on. The same pool gives the same plan, anywhere.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Pool {
    /// The model to serve.
    pub model: ModelSpec,
    /// Who could serve it, in the order of their ids.
    pub machines: Vec<Machine>,
    /// KV cache to leave room for, in tokens.
    pub context_tokens: u32,
    /// The plan in force, whose weights are already where they are.
    pub running: Option<Plan>,
}
