//! Signatures that are cheap to make: a hash keyed by the author. Whoever can read this file can
//! forge one, and [`crate::Sabotage`] does; a real forger is tested where signatures are checked.

use swarm_core::Keys;
use swarm_proto::{Hash, NodeId, Signature, Signed, Statement, signed_bytes};

/// A simulated node's key.
pub(crate) struct SimKeys(pub(crate) NodeId);

/// The id of the node of that number.
pub(crate) fn node_id(number: usize) -> NodeId {
    NodeId(Hash::of(&(number as u64).to_le_bytes()).0)
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
