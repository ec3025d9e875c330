//! What a node decides: a state machine without I/O.
//!
//! One call and one getter are the whole interface: [`Node::handle`] takes what happened and gives
//! what to do, [`Node::deadline`] says when it wants to be woken. Two drivers run it, one in the
//! world and one in a simulator. In here there is no clock, no thread, no socket and no tensor:
//! time and dice come in as arguments, and activations pass through unread.

mod body;
mod climb;
mod config;
mod council;
mod effect;
mod input;
mod keys;
mod kv;
mod meeting;
mod membership;
mod neighbourhood;
mod node;
mod probing;
pub mod record;
mod round;
mod router;
mod session;
mod size;
mod turn;

pub use body::Body;
pub use config::Config;
pub use effect::{Answer, Effect, GroupKey, Notice, Refusal, Shard};
pub use input::{Ask, ComputeFault, Computed, Input, RequestId};
pub use keys::Keys;
pub use meeting::{Found, MEETING_MAX, Meetings, Seat};
pub use node::Node;
pub use probing::{PROBE_BYTES, probe_pause};
pub use router::{Router, Soonest, Way};
