//! The network as the driver and its devices use it: what is sent is counted, peer by peer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use dashmap::DashMap;
use swarm_net::{Net, SendError};
use swarm_proto::NodeId;

/// Peers that are counted one by one. Those beyond are not counted: the table is bounded.
const PEERS_MAX: usize = 2_000;

/// Bytes of messages and frames, without what the transport adds. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<DashMap<NodeId, Link>>);

#[derive(Debug, Default)]
struct Link {
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
}

impl Traffic {
    /// Something was handed to the network for a peer.
    pub fn sent(&self, to: NodeId, bytes: usize) {
        self.count(to, |link| &link.sent_bytes, bytes);
    }

    /// Something came from a peer.
    pub fn received(&self, from: NodeId, bytes: usize) {
        self.count(from, |link| &link.received_bytes, bytes);
    }

    /// Bytes sent to a peer and received from it since the node started.
    pub fn with(&self, peer: NodeId) -> (u64, u64) {
        let count = |bytes: &AtomicU64| bytes.load(Ordering::Relaxed);
        let link = self.0.get(&peer);
        link.map_or((0, 0), |link| (count(&link.sent_bytes), count(&link.received_bytes)))
    }

    fn count(&self, peer: NodeId, way: impl Fn(&Link) -> &AtomicU64, bytes: usize) {
        let add = |link: &Link| way(link).fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(link) = self.0.get(&peer) {
            add(&link);
        } else if self.0.len() < PEERS_MAX {
            add(&self.0.entry(peer).or_default());
        }
    }
}

/// A way to other nodes.
#[derive(Clone)]
pub struct Wire {
    net: Net,
    traffic: Traffic,
}

impl Wire {
    /// Sends by `net`, counts in `traffic`.
    pub fn new(net: Net, traffic: Traffic) -> Self {
        Self { net, traffic }
    }

    /// Sends a control message.
    pub fn send(&self, to: NodeId, message: Bytes) -> Result<(), SendError> {
        let bytes = message.len();
        self.net.send(to, message).inspect(|()| self.traffic.sent(to, bytes))
    }

    /// Sends a frame on the data plane.
    pub fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> Result<(), SendError> {
        let bytes = head.len() + body.len();
        self.net.frame(to, head, body).inspect(|()| self.traffic.sent(to, bytes))
    }

    /// Gossips. It is not counted: who passes it on to whom is the network's affair.
    pub fn publish(&self, bytes: Bytes) -> Result<(), SendError> {
        self.net.publish(bytes)
    }

    /// Stays connected with these, and with whoever else is found if `others`.
    pub fn wish(&self, peers: &[NodeId], others: bool) -> Result<(), SendError> {
        self.net.wish(peers, others)
    }

    /// Lets a peer go.
    pub fn part(&self, peer: NodeId) -> Result<(), SendError> {
        self.net.part(peer)
    }
}

impl crate::sums::Wire for Wire {
    fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> bool {
        Self::frame(self, to, head, body).is_ok()
    }
}
