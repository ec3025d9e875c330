//! Signatures, without saying how: ed25519 in the world, a keyed hash in the simulator.

use swarm_proto::{NodeId, Signature, Signed, Statement, signed_bytes};

/// A node's own key and everyone's public ones. Pure: the same bytes give the same signature.
pub trait Keys: Send {
    /// Our id, which is our public key.
    fn id(&self) -> NodeId;
    /// Our signature of `bytes`.
    fn sign(&self, bytes: &[u8]) -> Signature;
    /// Whether `signature` of `bytes` is by `author`.
    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool;
}

impl dyn Keys + '_ {
    /// `statement` with our signature.
    pub fn signed<S: Statement>(&self, statement: S) -> Signed<S> {
        let signature = self.sign(&signed_bytes(&statement));
        Signed { by: self.id(), statement, signature }
    }

    /// The statement, if its author signed it.
    pub fn open<S: Statement>(&self, signed: Signed<S>) -> Option<(NodeId, S)> {
        let bytes = signed_bytes(&signed.statement);
        self.verify(signed.by, &bytes, &signed.signature).then_some((signed.by, signed.statement))
    }
}
