//! What the peers of a Hexswarm say to each other, and the few types that every room shares.
//!
//! No clock, no randomness, no I/O.

mod advert;
mod checked;
mod climb;
pub mod codec;
mod council;
mod frame;
mod hardware;
mod id;
mod message;
mod model;
mod plan;
mod pool;
mod pulse;
mod round;
mod sampling;
mod session;
mod sign;
mod span;
mod time;
mod work;

pub use advert::{Advert, DEVICES_MAX, Heard, LINKS_MAX, Load};
pub use climb::{Climb, Gone, HOPS_MAX, MEET_MAX, Meet, Word};
pub use council::{Ballot, CHANGES_MAX, Certificate, CouncilMessage, VOTERS_MAX, Vote, VoterSet};
pub use frame::{BatchId, FRAME_ROWS_MAX, RowsHeader, RowsItem, SumsHeader};
pub use hardware::{Device, DeviceKind, LinkReport};
pub use id::{Epoch, Hash, NodeId, PlanId, SessionId, Signature, Term};
pub use message::{FrameHeader, Message};
pub use model::{BATCH_ROWS_MAX, LOGIT_ROWS_MAX, ModelSpec};
pub use plan::{Member, PLAN_MEMBERS_MAX, Pipeline, Plan, PlanFault, Predicted, Stage};
pub use pool::{Machine, Pool};
pub use pulse::{Bond, Census, HOPS_UNKNOWN, Pulse};
pub use round::{Hello, REASON_BYTES_MAX, Reason, RoundMessage};
pub use sampling::{LOGPROBS_MAX, Sampling};
pub use session::{
    Attempt, END_TOKENS_MAX, Fault, Finish, Open, PREFIX_BLOCKS_MAX, SessionMessage, Token,
};
pub use sign::{Signed, Statement, signed_bytes};
pub use span::{ColumnRange, FfnColumns, HeadRange, KvHeads, LayerRange, Layers, Span};
pub use time::Time;
pub use work::{BLOCK_TOKENS, Batch, Draw, Item, Sampled};
