//! What happens, and to whom.

use std::sync::Arc;

use swarm_core::Input;
use swarm_proto::{Ballot, NodeId, SumsHeader, Time};

use crate::gossip::Rumour;

/// Something that happens to a host.
#[derive(Debug)]
pub(crate) enum Event {
    /// Its node is handed this.
    Input(Input),
    /// The alarm that it set for this time rings, if it was not set anew.
    Alarm(Time),
    /// A connection stands.
    Connected(NodeId),
    /// It measures the way to a peer.
    Probe { peer: NodeId, again: bool },
    /// It calls those that it wants to be connected with.
    Seek,
    /// Gossip comes.
    Rumour(Rumour),
    /// A member's part of a tensor-parallel batch comes.
    Part { from: NodeId, part: Part },
    /// The disk has written.
    Written(Box<Ballot>),
    /// A device is done with something.
    Due { device: u8, serial: u64 },
    /// A device that waits for others may have done so for too long.
    Overdue { device: u8 },
    /// Its connection to a peer has been silent for too long.
    Idle(NodeId),
    /// A stopped process goes on.
    Resume,
}

/// What one member gives the others.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) header: SumsHeader,
    pub(crate) values: Arc<[u64]>,
}

/// A connection: its far end's number, and its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via {
    pub(crate) from: u32,
    pub(crate) connection: u32,
}

/// An event and whom it is for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) to: NodeId,
    /// Of which life of the host.
    pub(crate) life: u32,
    /// The connection that brings it, if one does: it is lost with it.
    pub(crate) via: Option<Via>,
    pub(crate) event: Event,
}
