//! Devices that need not be alike as one stage, with parts that need not be even.

use crate::{
    ground::{Ground, Share},
    kind::{Kind, Regime, parts},
    share::{compositions, last, level, proportional},
};

/// Up to so many ways to share out KV heads are all tried; above, likely ones only.
const HEAD_SPLITS_MAX: usize = 24;

/// Devices as a stage, and the class of each; the first leads.
#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub(crate) classes: Vec<usize>,
    pub(crate) kind: Kind,
}

impl Team {
    /// The ways in which some devices of classes, given as (class, devices), can be a stage. Of two
    /// that hold as many layers only the faster one.
    pub(crate) fn all(ground: &Ground, group: &[(usize, usize)], regime: Regime) -> Vec<Self> {
        let classes: Vec<usize> =
            group.iter().flat_map(|(class, count)| vec![*class; *count]).collect();
        let members: Vec<usize> = group
            .iter()
            .flat_map(|(class, count)| ground.classes[*class].spots[..*count].iter().copied())
            .collect();
        if members.len() > ground.model.kv_heads as usize {
            return Vec::new();
        }
        let mut kinds: Vec<Kind> = Vec::new();
        for parts in shares(ground, &members, regime) {
            let Some(kind) = Kind::with(ground, &members, parts, regime) else { continue };
            if !kinds.iter().any(|known| covers(known, &kind)) {
                kinds.retain(|known| !covers(&kind, known));
                kinds.push(kind);
            }
        }
        kinds.into_iter().map(|kind| Self { classes: classes.clone(), kind }).collect()
    }
}

/// Whether one is at least as good as another in all.
fn covers(one: &Kind, other: &Kind) -> bool {
    one.prefill_ms <= other.prefill_ms
        && one.decode_ms <= other.decode_ms
        && one.caps.iter().zip(&other.caps).all(|(a, b)| a >= b)
}

/// KV heads and FFN columns of each member: even, as fast as they can be for so many layers, and by
/// memory.
fn shares(ground: &Ground, members: &[usize], regime: Regime) -> Vec<Vec<(u32, u32)>> {
    let m = &ground.model;
    let (count, grain) = (members.len() as u32, m.ffn_grain.max(1));
    let mut all: Vec<_> = parts(ground, members.len()).into_iter().collect();
    let grains = m.ffn / grain;
    let alike = members.iter().all(|spot| {
        let (a, b) = (&ground.spots[*spot], &ground.spots[members[0]]);
        (a.memory_bytes, a.pace) == (b.memory_bytes, b.pace)
    });
    if count < 2 || alike && m.kv_heads.is_multiple_of(count) {
        return all; // no other is faster
    }
    if !m.ffn.is_multiple_of(grain) || grains < count || m.kv_heads < count {
        return all;
    }
    // Beside the ends of the model that a stage may hold; the head is with its lead.
    let room = |place: usize, embeds, samples: bool| {
        let samples = samples && place == 0;
        let ends = Share { layers: 0, heads: 0, columns: 0, embeds, samples };
        let aside = ground.share_bytes(ends, 0).saturating_add(ground.rules.reserve_bytes);
        ground.spots[members[place]].memory_bytes.saturating_sub(aside) as f64 + 1.0
    };
    let rooms = |embeds, samples| {
        (0..members.len()).map(|place| room(place, embeds, samples)).collect::<Vec<f64>>()
    };
    let speeds: Vec<f64> =
        members.iter().map(|spot| ground.spots[*spot].pace.bytes_per_ms).collect();
    let whole = |heads: &[u32], ks: &[u32]| {
        heads.iter().zip(ks).map(|(heads, k)| (*heads, k * grain)).collect::<Vec<_>>()
    };
    for heads in splits(m.kv_heads, members.len(), [&speeds, &rooms(false, false)]) {
        // What a member takes grows evenly with its columns.
        let line = |(spot, heads): (&usize, &u32)| {
            let at = |k: u32| request_ms(ground, *spot, (*heads, k * grain), regime);
            (at(0), (at(grains) - at(0)) / f64::from(grains))
        };
        let lines: Vec<(f64, f64)> = members.iter().zip(&heads).map(line).collect();
        let ms = |place: usize, k: u32| lines[place].0 + f64::from(k) * lines[place].1;
        for layers in spans(m.layers) {
            let fits = |place: usize, k: u32| {
                let (heads, columns) = (heads[place], k * grain);
                let share = Share { layers, heads, columns, embeds: false, samples: false };
                ground.fits(members[place], share, regime.resident)
            };
            if !(0..members.len()).all(|place| fits(place, 1)) {
                break; // nor do more layers
            }
            let most = |place: usize| last(1, grains - (count - 1), |k| fits(place, k));
            let caps: Vec<u32> = (0..members.len()).map(most).collect();
            if caps.iter().map(|k| u64::from(*k)).sum::<u64>() < u64::from(grains) {
                break;
            }
            all.extend(level(grains, &caps, &ms).map(|ks| whole(&heads, &ks)));
        }
    }
    for (embeds, samples) in [(false, false), (true, false), (false, true), (true, true)] {
        let rooms = rooms(embeds, samples);
        let heads = proportional(m.kv_heads, &rooms);
        all.push(whole(&heads, &filling(ground, &heads, grains, &rooms, regime)));
    }
    all
}

/// Grains of columns that, with heads that are given, fill rooms alike.
fn filling(ground: &Ground, heads: &[u32], grains: u32, rooms: &[f64], regime: Regime) -> Vec<u32> {
    let m = &ground.model;
    let blocks = f64::from(ground.blocks()) * f64::from(regime.resident);
    let head = m.head_bytes as f64 + m.kv_block_bytes(1, 1) as f64 * blocks;
    let layer = head * f64::from(m.kv_heads) + m.column_bytes * f64::from(m.ffn);
    let sum: f64 = rooms.iter().sum();
    let left = |(room, heads): (&f64, &u32)| {
        (room / sum * layer - head * f64::from(*heads)).max(1e-3 * layer)
    };
    proportional(grains, &rooms.iter().zip(heads).map(left).collect::<Vec<_>>())
}

/// Numbers of layers that parts are made for: what is fastest depends on what fits.
fn spans(layers: u32) -> Vec<u32> {
    let mut all: Vec<u32> = match layers <= 8 {
        true => (1..=layers).collect(),
        false => [5, 4, 3, 2, 1].iter().map(|part| layers.div_ceil(*part)).collect(),
    };
    all.dedup();
    all
}

/// What a layer of a request takes on a member.
fn request_ms(ground: &Ground, spot: usize, (heads, columns): (u32, u32), regime: Regime) -> f64 {
    let share = Share { layers: 1, heads, columns, embeds: false, samples: false };
    ground.layer_ms(spot, share, ground.prefill())
        + ground.steps() * ground.layer_ms(spot, share, ground.decode(regime.batch))
}

fn splits(heads: u32, count: usize, weights: [&Vec<f64>; 2]) -> Vec<Vec<u32>> {
    // Choose the cuts among the gaps.
    let ways =
        (1..count as u32).fold(1u64, |n, i| n.saturating_mul(u64::from(heads - i)) / u64::from(i));
    if ways <= HEAD_SPLITS_MAX as u64 {
        let mut all = Vec::new();
        compositions(heads, count, &mut Vec::new(), &mut all);
        return all;
    }
    let mut all: Vec<Vec<u32>> = weights.iter().map(|of| proportional(heads, of)).collect();
    all.push(proportional(heads, &vec![1.0; count]));
    all.dedup();
    all
}
