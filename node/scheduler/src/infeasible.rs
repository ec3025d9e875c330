//! Why there is no plan.

use swarm_proto::NodeId;

use crate::field::{Field, Share};

const MIB: u64 = 1 << 20;

/// No plan fits the devices there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Infeasible {
    /// What the model takes, in bytes: weights, KV cache for the context and scratch.
    pub needed_bytes: u64,
    /// What the devices offer beside scratch, in bytes.
    pub offered_bytes: u64,
    /// The device with the most memory.
    pub roomiest: Option<(NodeId, u8)>,
    /// All that in words.
    pub why: String,
}

impl Infeasible {
    /// For a reason that is not the devices'.
    pub(crate) fn because(why: impl Into<String>) -> Self {
        Self { needed_bytes: 0, offered_bytes: 0, roomiest: None, why: why.into() }
    }

    /// Says what is missing; the field's model is sane.
    pub(crate) fn of(field: &Field<'_>) -> Self {
        let m = field.model;
        let whole = Share {
            layers: m.layers,
            heads: m.kv_heads,
            columns: m.ffn,
            embeds: true,
            samples: true,
        };
        let (scratch, needed) = (m.scratch_bytes(), field.share_bytes(whole));
        let rooms = field.spots.iter().map(|s| s.memory.saturating_sub(scratch));
        let offered = rooms.fold(0u64, u64::saturating_add);
        // Of equals, the first.
        let roomiest = field.spots.iter().rev().max_by_key(|s| s.memory);
        let mib = |bytes: u64| bytes.div_ceil(MIB);
        let devices = match roomiest {
            None => "no device is usable".to_owned(),
            Some(spot) => format!(
                "{} devices offer {} MiB beside scratch; the roomiest, device {} of {:?}, has {} MiB",
                field.spots.len(),
                offered / MIB,
                spot.device,
                spot.node,
                spot.memory / MIB,
            ),
        };
        let missing = match needed.checked_sub(offered) {
            Some(gap) if gap > 0 => format!("{} MiB are missing", mib(gap)),
            _ => "no division of layers fits the devices' sizes".to_owned(),
        };
        let why = format!(
            "{missing}: the model needs {} MiB with its KV cache, and {} MiB of scratch a device; {devices}",
            mib(needed),
            mib(scratch),
        );
        Self {
            needed_bytes: needed.saturating_add(scratch),
            offered_bytes: offered,
            roomiest: roomiest.map(|s| (s.node, s.device)),
            why,
        }
    }
}
