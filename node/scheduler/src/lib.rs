//! Who holds which layers, and what that would bring.
//!
//! Pure: the same pool gives the same plan, anywhere, on any number of threads. What is in here is
//! *belief* about costs; the simulator's devices and links are written without it.

mod caps;
mod cost;
mod group;
mod search;

use swarm_proto::{NodeId, Plan, Pool};

pub use caps::caps;
pub use cost::{Predicted, predict};

/// How to plan.
#[derive(Clone, Debug, Default)]
pub struct Options {}

/// A plan and what is expected of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The plan, without a number or a leader yet.
    pub plan: Plan,
    /// What it should bring.
    pub predicted: Predicted,
    /// Devices that are better left out.
    pub idle: Vec<(NodeId, u8)>,
    /// What the rate is bound by.
    pub binding: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Infeasible {
    /// Nobody offers a device.
    #[error("no device is here: start a node with a device, or let one join")]
    NoDevices,
    /// The devices together are too small.
    #[error(
        "the model needs {needed_mib} MiB (weights, KV cache of {context_tokens} tokens, scratch), and \
         the {devices} devices here offer {offered_mib} MiB; the roomiest offers {roomiest_mib} MiB"
    )]
    Memory {
        /// What it needs.
        needed_mib: u64,
        /// KV cache to make room for.
        context_tokens: u32,
        /// How many devices there are.
        devices: usize,
        /// What they offer together.
        offered_mib: u64,
        /// What the largest offers.
        roomiest_mib: u64,
    },
    /// A demo that cannot be.
    #[error("{nodes} nodes: {reason}")]
    Demo {
        /// How many nodes were wanted.
        nodes: usize,
        /// Why not.
        reason: &'static str,
    },
}

/// The best one-pipeline plan for a pool, or why there is none.
///
/// If the running plan can go on and the best one is not faster by a factor of 1.15, the answer is
/// the running one: moving costs every session a replay.
pub fn plan(pool: &Pool, _options: &Options) -> Result<Planned, Infeasible> {
    search::best(pool)
}
