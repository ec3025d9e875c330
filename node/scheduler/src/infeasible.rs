//! Why there is no plan.

use swarm_proto::NodeId;

use crate::{
    field::{Field, Spot},
    ground::Share,
    share::last,
};

const MIB: u64 = 1 << 20;
/// Devices that are told of one by one.
const TOLD_MAX: usize = 8;

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

    /// Says what is missing and where; the field's model is sane.
    pub(crate) fn of(field: &Field<'_>) -> Self {
        let scratch = field.model.scratch_bytes();
        let ends = Share { embeds: true, samples: true, ..field.whole(field.model.layers) };
        let needed = field.share_bytes(ends);
        let rooms = field.spots.iter().map(|spot| spot.memory.saturating_sub(scratch));
        let offered = rooms.fold(0u64, u64::saturating_add);
        let model = format!(
            "the model needs {} with KV cache for {} tokens, and each device {} of scratch",
            mib(needed),
            field.context,
            mib(scratch),
        );
        let why = format!("{}: {model}; {}", missing(field, needed, offered), devices(field));
        let needed_bytes = needed.saturating_add(scratch);
        let roomiest = roomiest(field).map(|spot| (spot.node, spot.device));
        Self { needed_bytes, offered_bytes: offered, roomiest, why }
    }
}

/// The first thing that is short: memory altogether, a place for an end of the model, or layers.
fn missing(field: &Field<'_>, needed: u64, offered: u64) -> String {
    let Some(most) = roomiest(field) else { return "there is no device to plan with".to_owned() };
    if offered < needed {
        return format!("{} of memory are missing", mib(needed - offered));
    }
    let least = field.least();
    let ends = [
        ("the first stage, which holds the embedding", Share { embeds: true, ..least }),
        ("the last stage, which holds the output head", Share { samples: true, ..least }),
    ];
    for (stage, share) in ends {
        let room = field.share_bytes(share).saturating_add(field.model.scratch_bytes());
        if most.memory < room {
            let short = mib(room - most.memory);
            return format!(
                "{stage}, needs a device of at least {}, and the roomiest is {short} short of it",
                mib(room),
            );
        }
    }
    let layers: u64 = (0..field.spots.len()).map(|spot| u64::from(layers(field, spot))).sum();
    if layers < u64::from(field.model.layers) {
        return format!(
            "the devices hold {layers} of {} layers, since layers are not cut to fill what is left",
            field.model.layers,
        );
    }
    "no order of stages was found that leaves room for the embedding in the first and the output \
     head in the last"
        .to_owned()
}

/// Each device, what it offers and how much of the model that holds.
fn devices(field: &Field<'_>) -> String {
    let one = |(place, spot): (usize, &Spot)| {
        let (memory, layers) = (spot.memory / MIB, count(layers(field, place), "layer"));
        format!("device {} of {:?} has {memory} MiB, room for {layers}", spot.device, spot.node)
    };
    let mut told: Vec<_> = field.spots.iter().enumerate().take(TOLD_MAX).map(one).collect();
    if field.spots.len() > TOLD_MAX {
        told.push(format!("and {} more", field.spots.len() - TOLD_MAX));
    }
    if field.refused > 0 {
        told.push(format!("{} without a measured speed left out", count(field.refused, "device")));
    }
    if told.is_empty() { "no peer offers a device".to_owned() } else { told.join(", ") }
}

/// Layers that a device holds by itself, neither first nor last.
fn layers(field: &Field<'_>, spot: usize) -> u32 {
    last(0, field.model.layers, |layers| field.fits(spot, field.whole(layers)))
}

/// The device with the most memory; of equals, the first.
fn roomiest<'a>(field: &'a Field<'_>) -> Option<&'a Spot> {
    field.spots.iter().rev().max_by_key(|spot| spot.memory)
}

fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(MIB))
}
