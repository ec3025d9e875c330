//! What a Hexswarm plans: who holds which layers, and why.
//!
//! Pure: the same pool and options give the same plan anywhere. See
//! `docs/decisions/0004-one-pipeline-search.md` for what is exact and what is not.

mod beam;
mod caps;
mod chain;
mod cost;
mod exact;
mod field;
mod infeasible;
mod predict;
mod search;
mod share;
mod table;

pub use caps::caps;
pub use infeasible::Infeasible;
pub use predict::{Predicted, predict};
pub use search::{Options, Planned, plan};
