//! The keys of a node that is not here: what it signed is in its log, and everyone's public keys
//! are their ids.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use ed25519_dalek::{Signature as Ed25519, Verifier as _, VerifyingKey};
use swarm_core::Keys;
use swarm_proto::{NodeId, Signature};

/// A recorded node's keys.
pub(super) struct RecordedKeys {
    pub(super) node: NodeId,
    /// What it signed while it handled the input at hand, in order.
    pub(super) signatures: Arc<Mutex<VecDeque<Signature>>>,
}

impl Keys for RecordedKeys {
    fn id(&self) -> NodeId {
        self.node
    }

    /// A core that signs more than the recorded one did shows in its effects; it gets a signature
    /// that is nobody's.
    fn sign(&self, _: &[u8]) -> Signature {
        let mut signatures = self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        signatures.pop_front().unwrap_or(Signature([0; 64]))
    }

    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool {
        VerifyingKey::from_bytes(&author.0)
            .is_ok_and(|key| key.verify(bytes, &Ed25519::from_bytes(&signature.0)).is_ok())
    }
}
