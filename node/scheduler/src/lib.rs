//! What a Hexswarm plans: who holds which layers, and why.
//!
//! Pure: the same pool and options give the same plan anywhere. See
//! `docs/decisions/0004-one-pipeline-search.md` for what is exact and what is not.

mod baseline;
mod beam;
mod both;
mod bound;
mod caps;
pub mod catalogue;
mod chain;
mod change;
mod class;
mod cost;
mod draft;
mod ends;
mod exact;
mod explain;
mod field;
pub mod fit;
pub mod flow;
mod ground;
mod infeasible;
mod kind;
mod lack;
mod loss;
mod measure;
mod moves;
mod partitions;
mod phase1;
mod phase2;
mod place;
mod pool_file;
mod predict;
mod proposal;
mod propose;
mod rules;
mod search;
mod serve;
mod share;
mod table;
mod task;
mod team;

pub use caps::caps;
pub use explain::{Binding, Bound, Change, Explanation, Gain, bounds, explain};
pub use fit::Pace;
pub use ground::{Ground, Mixture, Model, Spot, Way, Ways};
pub use infeasible::Infeasible;
pub use lack::lack;
pub use loss::Loss;
pub use moves::{Moves, Part, moves};
pub use phase2::Objective;
pub use pool_file::{Other as OtherFile, PoolDevice, PoolError, PoolFile, PoolMachine};
pub use predict::{Predicted, predict};
pub use proposal::{Proposal, ProposedMember, ProposedPipeline, ProposedRoute, ProposedStage};
pub use propose::{Ask, Planner, propose, propose_from};
pub use rules::{CostFlavor, Exchange, Phase, Rules, Workload};
pub use search::{Options, Planned, plan};
pub use serve::{Replica, Serves, Serving, capacity};
