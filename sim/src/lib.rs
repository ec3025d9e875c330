//! A swarm in one thread: the nodes are real, the network, the devices, the disk and the clock are
//! not.
//!
//! [`World`] runs many [`swarm_core::Node`]s on virtual time. What they decide is decided by the
//! code that runs in the world; what is made up here is only how long things take and what goes
//! wrong. The same seed gives the same run, event for event.

mod check;
pub mod churn;
mod client;
mod clock;
mod comparison;
mod connect;
mod device;
mod disk;
mod fault;
mod film;
mod fleet;
mod fleets;
mod gossip;
mod grid;
mod host;
mod hosts;
mod keys;
mod layout;
mod link;
mod log;
mod memo;
mod metric;
mod model;
mod obituary;
mod paired;
pub mod paper;
mod planner;
mod queue;
mod rank;
mod recipe;
pub mod replay;
pub mod report;
mod rig;
mod routers;
mod sabotage;
mod scale;
mod scenario;
pub mod script;
mod served;
mod setting;
mod shipped;
mod shrink;
mod stopwatch;
mod sweep;
mod table;
mod traffic;
mod view;
mod worker;
pub mod workload;
mod world;

pub use check::Broken;
pub use comparison::{Comparison, Side, unlike};
pub use film::{Asked, Counts, Ending, Film, Held, Moment, Seen, Shape, Source, Tokens};
pub use fleet::{Belief, Fleet, Truth};
pub use gossip::GossipCounts;
pub use grid::{Foreseen, Grid, GridError, JOBS_MAX, Ran};
pub use keys::node_id;
pub use link::{Quality, Weather};
pub use metric::Metric;
pub use paired::{Paired, Verdict};
pub use planner::{Planner, Plans};
pub use recipe::{Fault, Reads, Recipe, RecipeError, What};
pub use rig::{
    Efficiency, FitError, Layers, LayersError, Measured, Pace, Reach, Rig, Roofline, Timed,
    efficiency_table,
};
pub use routers::Routers;
pub use sabotage::Sabotage;
pub use scale::{Among, Scale, Scaled};
pub use scenario::{Draft, Outcome, Report, Scenario, ScenarioError, Spread, Wishes, ask, swarm};
pub use script::{Script, ScriptError};
pub use served::{Served, in_time};
pub use setting::{Axis, Setting};
pub use shipped::SHIPPED;
pub use shrink::{Shrunk, shrink};
pub use sweep::{cores, sweep};
pub use table::table;
pub use traffic::Carried;
pub use world::{Setup, World};
