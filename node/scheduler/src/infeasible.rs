//! Why there is no plan.

use crate::{
    ground::{Ground, Share},
    live::Live,
    share::last,
};

const MIB: u64 = 1 << 20;
/// From here on sizes are in GiB.
const LARGE: u64 = 10 << 30;
/// Devices that are told of one by one.
const TOLD_MAX: usize = 8;
/// Of more machines it is not looked at who has links.
const JOINED_MAX: usize = 1_000;

/// No plan fits the devices there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Infeasible {
    /// What is missing, and where.
    pub why: String,
}

impl Infeasible {
    /// For a reason that is not the devices'.
    pub(crate) fn because(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }

    /// Says what is missing and where; the model is sane.
    pub(crate) fn of(live: &Live) -> Self {
        let name = |spot: usize| {
            let (node, device) = live.devices[spot];
            format!("device {device} of {node:?}")
        };
        let mut why = lack(&live.ground, name);
        if live.refused > 0 {
            let refused = count(live.refused, "device");
            why += &format!(", {refused} without a measured speed left out");
        }
        Self { why }
    }
}

/// What is missing, and where, by the names of devices; for a ground that no pipeline was found for.
pub fn lack(ground: &Ground, name: impl Fn(usize) -> String) -> String {
    if !ground.sane() {
        return "a figure of the model or of a device is not of the real world".to_owned();
    }
    let aside = ground.aside_bytes();
    let needed = ground.needed_bytes();
    let rooms = ground.spots.iter().map(|spot| spot.memory_bytes.saturating_sub(aside));
    let offered = rooms.fold(0u64, u64::saturating_add);
    let tokens = ground.cache_tokens.unwrap_or(ground.workload.context());
    let model = format!(
        "{} needs {} with KV cache for {tokens} tokens, and each device {} beside",
        ground.model.name,
        size(needed),
        size(aside),
    );
    format!("{}: {model}; {}", missing(ground, needed, offered), devices(ground, name))
}

/// The first thing that is short: memory altogether, a place for an end of the model, or layers.
fn missing(ground: &Ground, needed: u64, offered: u64) -> String {
    let most = ground.spots.iter().map(|spot| spot.memory_bytes).max();
    let Some(most) = most else { return "there is no device to plan with".to_owned() };
    if offered < needed {
        return format!("{} of memory are missing", size(needed - offered));
    }
    let least = least(ground);
    let ends = [
        ("the first stage, which holds the embedding", Share { embeds: true, ..least }),
        ("the last stage, which holds the output head", Share { samples: true, ..least }),
    ];
    for (stage, share) in ends {
        let room = ground.share_bytes(share, 1).saturating_add(ground.rules.reserve_bytes);
        if most < room {
            let short = size(room - most);
            return format!(
                "{stage}, needs a device of at least {}, and the roomiest is {short} short of it",
                size(room),
            );
        }
    }
    let layers: u64 = (0..ground.spots.len()).map(|spot| u64::from(layers(ground, spot))).sum();
    if layers < u64::from(ground.model.layers) {
        return format!(
            "the devices hold {layers} of {} layers, since layers are not cut to fill what is left",
            ground.model.layers,
        );
    }
    if let Some(joined) =
        joined_layers(ground).filter(|held| *held < u64::from(ground.model.layers))
    {
        return format!(
            "too few machines have links between them: the most that are joined hold {joined} of {} layers",
            ground.model.layers,
        );
    }
    "no order of stages was found that leaves room for the embedding in the first and the output \
     head in the last, along ways that exist"
        .to_owned()
}

/// Layers that the roomiest machines hold which links join, whatever their direction; of very many
/// machines nobody knows.
fn joined_layers(ground: &Ground) -> Option<u64> {
    let machines = ground.spots.iter().map(|spot| spot.machine + 1).max()?;
    let mut own = vec![0u64; machines];
    for (spot, of) in ground.spots.iter().enumerate() {
        own[of.machine] += u64::from(layers(ground, spot));
    }
    let mut left: Vec<usize> = (0..machines).filter(|machine| own[*machine] > 0).collect();
    if left.len() > JOINED_MAX {
        return None;
    }
    let mut most = 0;
    while let Some(first) = left.pop() {
        let (mut held, mut reached) = (0, vec![first]);
        while let Some(one) = reached.pop() {
            held += own[one];
            let joins = |other: &usize| {
                ground.way(one, *other).is_some() || ground.way(*other, one).is_some()
            };
            reached.extend(left.extract_if(.., |other| joins(other)));
        }
        most = most.max(held);
    }
    Some(most)
}

/// Each device, what it offers and how much of the model that holds.
fn devices(ground: &Ground, name: impl Fn(usize) -> String) -> String {
    let one = |spot: usize| {
        let (memory, layers) = (ground.spots[spot].memory_bytes, layers(ground, spot));
        format!(
            "{} has {}, room for {}",
            name(spot),
            size(memory / MIB * MIB),
            count(layers, "layer")
        )
    };
    // What was left out has no memory.
    let offered = |spot: &usize| ground.spots[*spot].memory_bytes > 0;
    let spots: Vec<usize> = (0..ground.spots.len()).filter(offered).collect();
    let mut told: Vec<_> = spots.iter().copied().take(TOLD_MAX).map(one).collect();
    if spots.len() > TOLD_MAX {
        told.push(format!("and {} more", spots.len() - TOLD_MAX));
    }
    if told.is_empty() { "no peer offers a device".to_owned() } else { told.join(", ") }
}

/// The least that a member of a stage holds: of one layer, one head and a grain of the columns.
fn least(ground: &Ground) -> Share {
    let columns = ground.model.ffn_grain.clamp(1, ground.model.ffn);
    Share { heads: 1, columns, ..whole(ground, 1) }
}

/// All of so many layers.
fn whole(ground: &Ground, layers: u32) -> Share {
    let (heads, columns) = (ground.model.kv_heads, ground.model.ffn);
    Share { layers, heads, columns, embeds: false, samples: false }
}

/// Layers that a device holds by itself, neither first nor last.
fn layers(ground: &Ground, spot: usize) -> u32 {
    last(0, ground.model.layers, |layers| ground.fits(spot, whole(ground, layers), 1))
}

impl Ground {
    /// What a device sets aside before it holds any layer.
    pub(crate) fn aside_bytes(&self) -> u64 {
        self.share_bytes(whole(self, 0), 0).saturating_add(self.rules.reserve_bytes)
    }

    /// What one pipeline takes beside what its devices set aside.
    pub(crate) fn needed_bytes(&self) -> u64 {
        let all = Share { embeds: true, samples: true, ..whole(self, self.model.layers) };
        self.share_bytes(all, 1).saturating_sub(self.share_bytes(whole(self, 0), 0))
    }

    /// Whether a device holds anything at all.
    pub(crate) fn holds_least(&self, spot: usize) -> bool {
        self.fits(spot, least(self), 1)
    }

    /// What the least share of a stage takes, beside the same.
    pub(crate) fn least_bytes(&self) -> u64 {
        self.share_bytes(least(self), 1).saturating_sub(self.share_bytes(whole(self, 0), 0))
    }
}

fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

fn size(bytes: u64) -> String {
    if bytes < LARGE {
        return format!("{} MiB", bytes.div_ceil(MIB));
    }
    format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64)
}
