//! Real peers have long names: in a log's lines they have numbers, in the order they are met.

use std::collections::BTreeMap;

use swarm_proto::NodeId;

/// What comes before the key in the id of a peer whose key is ed25519, as libp2p writes it: a hash
/// that is its own content, of a key of kind 1 with 32 bytes.
const PEER_ID: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The numbers of the peers of one recorded node.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeMap<NodeId, usize>);

impl Peers {
    /// Only the node itself, which has number 0.
    pub fn of(node: NodeId) -> Self {
        Self(BTreeMap::from([(node, 0)]))
    }

    /// The number of a peer, and whether it was given to it just now.
    pub fn number(&mut self, peer: NodeId) -> (usize, bool) {
        let next = self.0.len();
        let mut is_new = false;
        let number = *self.0.entry(peer).or_insert_with(|| {
            is_new = true;
            next
        });
        (number, is_new)
    }

    /// A peer's id as nodes print it.
    pub fn name(NodeId(key): NodeId) -> String {
        bs58::encode([&PEER_ID[..], &key].concat()).into_string()
    }
}
