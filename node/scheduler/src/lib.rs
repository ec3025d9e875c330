//! What a Hexswarm plans: who holds which layers, and why.
//!
//! Pure: the same pool and options give the same plan anywhere. See
//! `docs/decisions/0006-two-phases.md` for what is exact and what is not.

mod again;
mod asked;
mod baseline;
mod beside;
mod bound;
mod caps;
mod care;
pub mod catalogue;
mod change;
mod class;
mod draft;
mod ends;
mod explain;
pub mod fit;
pub mod flow;
mod ground;
mod infeasible;
mod islands;
mod kind;
mod lead;
mod live;
mod loss;
mod measure;
mod moves;
mod partitions;
mod phase1;
mod phase2;
mod place;
mod pool_file;
mod proposal;
mod propose;
mod reasons;
mod room;
mod rules;
mod serve;
mod share;
mod task;
mod team;

pub use asked::{Deadline, TOKENS_MAX, reference_ms};
pub use caps::caps;
pub use explain::{Binding, Bound, Change, Explanation, Gain, bounds, explain};
pub use fit::Pace;
pub use ground::{Ground, Mixture, Model, Spot, Way, Ways};
pub use infeasible::{Infeasible, lack};
pub use lead::{EXPECTED, Options, Planned, at_once, leaders, plan, predicted};
pub use loss::Loss;
pub use moves::{Moves, Part, moves};
pub use phase2::Objective;
pub use pool_file::{Other as OtherFile, PoolDevice, PoolError, PoolFile, PoolMachine};
pub use proposal::{Proposal, ProposedMember, ProposedPipeline, ProposedRoute, ProposedStage};
pub use propose::{Ask, Planner, propose, propose_from};
pub use reasons::{Choice, Reason, reasons};
pub use rules::{CostFlavor, Exchange, Phase, Rules, Workload};
pub use serve::{Replica, Serves, Serving, capacity};
