//! The core's signatures, by the key that libp2p knows the node by.

use swarm_core::Keys;
use swarm_net::Identity;
use swarm_proto::{NodeId, Signature};

/// A node's identity as the core wants it.
pub struct NodeKeys(pub Identity);

impl Keys for NodeKeys {
    fn id(&self) -> NodeId {
        self.0.node_id()
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        self.0.sign(bytes)
    }

    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool {
        swarm_net::verify(author, bytes, signature)
    }
}
