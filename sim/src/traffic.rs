//! What control costs: messages and bytes that nodes send and receive, beside the data plane.

use swarm_core::PROBE_BYTES;
use swarm_proto::{Message, NodeId, codec};

use crate::keys::number_of;

/// What a message takes on a stream beside itself: two lengths, and the headers of yamux and noise.
/// What TCP and IP add is not counted.
const FRAMING_BYTES: usize = 8 + 12 + 18;

/// What one node sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Messages that it sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that were sent to it.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Bytes that it sent to measure ways, which are no control.
    pub probe_bytes: u64,
}

/// What all nodes did, if anyone counts.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// By the numbers of nodes; nothing while nobody counts.
    nodes: Vec<Carried>,
}

impl Traffic {
    /// Counts from now on, for so many nodes.
    pub(crate) fn start(&mut self, nodes: usize) {
        self.nodes = vec![Carried::default(); nodes];
    }

    /// What every node did since.
    pub(crate) fn nodes(&self) -> &[Carried] {
        &self.nodes
    }

    /// A control message is sent.
    pub(crate) fn sent(&mut self, from: NodeId, to: NodeId, message: &Message) {
        if !self.nodes.is_empty() {
            self.carried(from, to, codec::sealed_bytes(message));
        }
    }

    /// The way to a peer is measured.
    pub(crate) fn probed(&mut self, from: NodeId) {
        if let Some(node) = self.nodes.get_mut(number_of(from)) {
            node.probe_bytes += PROBE_BYTES as u64;
        }
    }

    /// So many bytes are sent.
    pub(crate) fn carried(&mut self, from: NodeId, to: NodeId, bytes: usize) {
        let bytes = (bytes + FRAMING_BYTES) as u64;
        if let Some(node) = self.nodes.get_mut(number_of(from)) {
            node.sent += 1;
            node.sent_bytes += bytes;
        }
        if let Some(node) = self.nodes.get_mut(number_of(to)) {
            node.received += 1;
            node.received_bytes += bytes;
        }
    }
}
