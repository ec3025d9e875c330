//! A swarm in one thread: the nodes are real, the network, the devices, the disk and the clock are
//! not.
//!
//! [`World`] runs many [`swarm_core::Node`]s on virtual time. What they decide is decided by the
//! code that runs in the world; what is made up here is only how long things take and what goes
//! wrong. The same seed gives the same run, event for event.

mod check;
mod device;
mod keys;
mod model;
mod scenario;
mod world;

pub use check::Broken;
pub use device::next_token;
pub use scenario::{Outcome, default_scenario};
pub use world::{Sabotage, World};
