//! A swarm in one thread: the nodes are real, the network, the devices, the disk and the clock are
//! not.
//!
//! [`World`] runs many [`swarm_core::Node`]s on virtual time. What they decide is decided by the
//! code that runs in the world; what is made up here is only how long things take and what goes
//! wrong. The same seed gives the same run, event for event.

mod check;
mod client;
mod connect;
mod device;
mod disk;
mod fault;
mod fleet;
mod host;
mod hosts;
mod keys;
mod link;
mod log;
mod model;
mod planner;
mod recipe;
pub mod replay;
mod rig;
mod sabotage;
mod scenario;
mod served;
mod shipped;
mod sweep;
mod view;
mod worker;
pub mod workload;
mod world;

pub use check::Broken;
pub use fleet::{Fleet, Truth};
pub use link::Quality;
pub use planner::Planner;
pub use recipe::{Fault, Reads, Recipe, RecipeError, What};
pub use rig::{Pace, Rig};
pub use sabotage::Sabotage;
pub use scenario::{Draft, Outcome, Report, Scenario, ScenarioError, Spread, Wishes, ask, swarm};
pub use served::{Served, attainment};
pub use shipped::SHIPPED;
pub use sweep::sweep;
pub use world::{Setup, World};
