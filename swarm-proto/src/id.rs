//! Names of things: peers, sessions, models, terms.

use std::{cmp::Ordering, fmt};

use bincode::{Decode, Encode};

/// A peer: its ed25519 public key. `swarm-net` alone knows how libp2p writes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct NodeId(pub [u8; 32]);

/// A blake3 hash: what a thing is called by its content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Hash(pub [u8; 32]);

/// One generation: a prompt and its answer. Drawn at random by its entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct SessionId(pub u128);

/// The reign of one leader. A later term always wins over an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Term(pub u64);

/// The how-manieth plan of a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Epoch(pub u64);

/// Which plan: plans are ordered by the term of their leader, then by its count of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct PlanId {
    /// The leader's term.
    pub term: Term,
    /// The plan's number within that term.
    pub epoch: Epoch,
}

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Signature(pub [u8; 64]);

/// Orders 32 bytes as they are. Peers and blocks are looked up all the time, and nearly always the
/// first eight bytes tell two apart.
macro_rules! ordered {
    ($id:ident) => {
        impl $id {
            fn head(&self) -> u64 {
                let [a, b, c, d, e, f, g, h, ..] = self.0;
                u64::from_be_bytes([a, b, c, d, e, f, g, h])
            }
        }

        impl Ord for $id {
            fn cmp(&self, other: &Self) -> Ordering {
                self.head().cmp(&other.head()).then_with(|| self.0.cmp(&other.0))
            }
        }

        impl PartialOrd for $id {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

ordered!(NodeId);
ordered!(Hash);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Debug for NodeId {
    /// The first four bytes: enough to tell peers apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0[..4], f)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0[..4], f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 96)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0[..4], f)
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term.0, self.epoch.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_bytes() {
        let ids: Vec<_> = (0..400_u32)
            .map(|number| {
                // Some differ only behind the first eight bytes.
                let mut id = Hash::of(&(number / 4).to_le_bytes()).0;
                id[8 + (number % 4) as usize * 7] ^= number as u8;
                id
            })
            .collect();
        for (a, b) in ids.iter().flat_map(|a| ids.iter().map(move |b| (a, b))) {
            assert_eq!(NodeId(*a).cmp(&NodeId(*b)), a.cmp(b));
        }
    }
}
