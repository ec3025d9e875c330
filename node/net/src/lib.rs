//! How Hexswarm nodes talk: the only crate that knows libp2p.
//!
//! [`start`] joins a swarm and gives back a [`Net`] to speak through and [`Events`] to listen to.
//! Peers are [`NodeId`](swarm_proto::NodeId)s and everything else is bytes: this crate knows
//! nothing of layers, sessions or plans. There are four ways to a peer: control messages in order,
//! frames of bulk data in order, gossip to all, and plain streams for those who bring their own
//! framing. Every queue has a bound, both ways; a peer that does not keep up slows down whoever
//! sends to it and nobody else, and one that breaks the protocol is cut off.

mod arrivals;
mod behaviour;
mod book;
mod calls;
mod circuits;
mod config;
mod crowd;
mod dialect;
mod error;
mod event;
mod gossip;
mod happenings;
mod hosts;
mod identity;
mod inbox;
mod joins;
mod key;
mod lane;
mod line;
mod net;
mod opener;
mod outbox;
mod pipe;
mod refusals;
mod relays;
mod start;
mod streams;
mod task;
mod transport;
mod wishes;

pub use config::{Config, Limits, RelayLimits, Role};
pub use crowd::PeerInfo;
pub use dialect::PROTOCOL_VERSION;
pub use error::{NetError, OpenError, SendError};
pub use event::{Event, Events, Refusal};
pub use gossip::{GOSSIP_BYTES_MAX, Gossip, GossipCounts};
pub use identity::{Identity, SecretFileError, parse_peer, peer_text, verify};
pub use key::SwarmKey;
pub use lane::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Lane, MESSAGE_BYTES_MAX};
pub use libp2p::Multiaddr;
pub use net::Net;
pub use pipe::Duplex;
pub use start::start;
