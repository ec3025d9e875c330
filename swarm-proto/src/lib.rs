//! What the peers of a Hexswarm say to each other, and the few types that every room shares.
//!
//! No clock, no randomness, no I/O.

mod hardware;
mod id;
mod model;
mod plan;
mod pool;
mod sampling;
mod span;
mod time;
mod work;

pub use hardware::{Device, DeviceKind, LinkReport};
pub use id::{Epoch, Hash, NodeId, PlanId, SessionId, Signature, Term};
pub use model::ModelSpec;
pub use plan::{Member, Pipeline, Plan, PlanFault, Stage};
pub use pool::{Machine, Pool};
pub use sampling::{LOGPROBS_MAX, Sampling};
pub use span::{ColumnRange, FfnColumns, HeadRange, KvHeads, LayerRange, Layers, Span};
pub use time::Time;
pub use work::{BLOCK_TOKENS, Batch, Draw, Item, Sampled};
