//! Claims that carry their author's signature.

use bincode::{Decode, Encode};

use crate::{NodeId, Signature, codec};

/// What is signed, so that a signature for one purpose is none for another.
pub trait Statement: Encode + Decode<()> {
    /// A name of the kind of statement; part of what is signed.
    const KIND: &'static str;
}

/// A statement with its author and signature. Nobody has checked it yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Signed<S> {
    /// Who says so.
    pub by: NodeId,
    /// What is said.
    pub statement: S,
    /// Over [`signed_bytes`] of the statement.
    pub signature: Signature,
}

/// The bytes that a signature of `statement` covers.
pub fn signed_bytes<S: Statement>(statement: &S) -> Vec<u8> {
    let mut bytes = S::KIND.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(codec::encode(statement));
    bytes
}

impl Statement for crate::Advert {
    const KIND: &'static str = "hexswarm advert";
}

impl Statement for crate::Plan {
    const KIND: &'static str = "hexswarm plan";
}
