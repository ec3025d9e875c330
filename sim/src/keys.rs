//! Signatures that are cheap to make: a hash keyed by the author. Whoever can read this file can
//! forge one, and [`crate::Sabotage`] does; a real forger is tested where signatures are checked.

use std::sync::LazyLock;

use swarm_core::Keys;
use swarm_proto::{Hash, NodeId, Signature, Signed, Statement, signed_bytes};

/// A simulated node's key.
pub(crate) struct SimKeys(pub(crate) NodeId);

/// The id of the node of that number, which its end tells; the order of ids is another than that of
/// numbers.
pub fn node_id(number: usize) -> NodeId {
    IDS.get(number).copied().unwrap_or_else(|| made(number as u32))
}

/// Those of the first, for they are asked for all the time.
static IDS: LazyLock<Vec<NodeId>> = LazyLock::new(|| (0..1 << 14).map(made).collect());

fn made(number: u32) -> NodeId {
    let mut id = Hash::of(&number.to_le_bytes()).0;
    id[28..].copy_from_slice(&number.to_le_bytes());
    NodeId(id)
}

/// The number of a node.
pub(crate) fn number_of(NodeId(id): NodeId) -> usize {
    let [.., a, b, c, d] = id;
    u32::from_le_bytes([a, b, c, d]) as usize
}

/// What `author` would sign `statement` with.
pub(crate) fn forged<S: Statement>(author: NodeId, statement: S) -> Signed<S> {
    let signature = signature(author, &signed_bytes(&statement));
    Signed { by: author, statement, signature }
}

fn signature(author: NodeId, bytes: &[u8]) -> Signature {
    let hash = Hash::of(&[&author.0, bytes].concat());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&hash.0);
    Signature(signature)
}

impl Keys for SimKeys {
    fn id(&self) -> NodeId {
        self.0
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        signature(self.0, bytes)
    }

    fn verify(&self, author: NodeId, bytes: &[u8], theirs: &Signature) -> bool {
        signature(author, bytes) == *theirs
    }
}
