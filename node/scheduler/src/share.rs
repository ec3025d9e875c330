//! The best balanced shares of a stage's layers among its members.

use crate::{cost::share_ms, field::Field, ground::Share};

/// Up to so many ways to share out KV heads are all tried; above, likely ones only.
const HEAD_SPLITS_MAX: usize = 64;

/// Shares of a stage, a member each, and how long the slowest takes.
#[derive(Clone, Debug)]
pub(crate) struct Balanced {
    pub(crate) ms: f64,
    /// KV heads and FFN columns, a member.
    pub(crate) parts: Vec<(u32, u32)>,
}

/// Shares out `layers` among `members`, the first of which leads; none if they do not fit.
pub(crate) fn balance(
    field: &Field<'_>,
    members: &[usize],
    layers: u32,
    embeds: bool,
    samples: bool,
) -> Option<Balanced> {
    let model = field.model;
    let share = |place: usize, heads, columns| Share {
        layers,
        heads,
        columns,
        embeds,
        samples: samples && place == 0,
    };
    if let [only] = members {
        let whole = share(0, model.kv_heads, model.ffn);
        return field.fits(*only, whole).then(|| Balanced {
            ms: share_ms(field, *only, whole, 1.0).0,
            parts: vec![(model.kv_heads, model.ffn)],
        });
    }
    let grain = model.ffn_grain.max(1);
    let grains = model.ffn / grain;
    let count = u32::try_from(members.len()).ok()?;
    if !model.ffn.is_multiple_of(grain) || grains < count || model.kv_heads < count {
        return None;
    }
    let mut best: Option<Balanced> = None;
    for heads in head_splits(field, members) {
        let ms = |place: usize, k: u32| {
            share_ms(field, members[place], share(place, heads[place], k * grain), 1.0).0
        };
        let fits = |place: usize, k: u32| {
            field.fits(members[place], share(place, heads[place], k * grain))
        };
        let bar = best.as_ref().map_or(f64::INFINITY, |b| b.ms);
        let places = 0..members.len();
        if places.clone().any(|p| ms(p, 1) >= bar || !fits(p, 1)) {
            continue;
        }
        let most = grains - (count - 1);
        let caps: Vec<u32> = places.clone().map(|p| last(1, most, |k| fits(p, k))).collect();
        if caps.iter().map(|&k| u64::from(k)).sum::<u64>() < u64::from(grains) {
            continue;
        }
        let Some(ks) = level(grains, &caps, bar, &ms) else { continue };
        let slowest = places.map(|p| ms(p, ks[p])).fold(0.0, f64::max);
        if slowest < bar {
            let parts = heads.iter().zip(&ks).map(|(&h, &k)| (h, k * grain)).collect();
            best = Some(Balanced { ms: slowest, parts });
        }
    }
    best
}

/// The last of `low..=high` that `holds`; `low` does, and so does everything up to the answer.
pub(crate) fn last(mut low: u32, mut high: u32, holds: impl Fn(u32) -> bool) -> u32 {
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// So many grains for each place, at least one and at most its cap, that the slowest is fastest;
/// none if that is no faster than `bar`. The caps have room for all.
pub(crate) fn level(
    grains: u32,
    caps: &[u32],
    bar: f64,
    ms: &impl Fn(usize, u32) -> f64,
) -> Option<Vec<u32>> {
    let least: Vec<f64> = (0..caps.len()).map(|p| ms(p, 1)).collect();
    let most: Vec<f64> = caps.iter().enumerate().map(|(p, &cap)| ms(p, cap)).collect();
    let within = |bar: f64| -> Vec<u32> {
        let one = |p: usize| {
            if most[p] <= bar {
                return caps[p];
            } else if least[p] >= bar {
                return 1;
            }
            // Time is convex in grains, so the chord's answer is never too high but by rounding;
            // from there on, halve.
            let part = (bar - least[p]) / (most[p] - least[p]);
            let chord = 1 + (part * f64::from(caps[p] - 1)) as u32;
            let chord = chord.clamp(1, caps[p]);
            let low = if ms(p, chord) > bar { last(1, chord, |k| ms(p, k) <= bar) } else { chord };
            if low == caps[p] || ms(p, low + 1) > bar {
                return low;
            }
            last(low + 1, caps[p], |k| ms(p, k) <= bar)
        };
        (0..caps.len()).map(one).collect()
    };
    let enough = |ks: &[u32]| ks.iter().map(|&k| u64::from(k)).sum::<u64>() >= u64::from(grains);
    let mut low = least.iter().copied().fold(0.0, f64::max);
    let mut high = most.iter().copied().fold(low, f64::max).min(bar);
    let mut ks = within(high);
    if !enough(&ks) {
        return None;
    }
    let at_low = within(low);
    if enough(&at_low) {
        ks = at_low;
    } else {
        while high - low > 1e-12 * high {
            let middle = low + (high - low) / 2.0;
            if middle <= low || middle >= high {
                break;
            }
            let found = within(middle);
            if enough(&found) {
                ks = found;
                high = middle;
            } else {
                low = middle;
            }
        }
    }
    let mut over = ks.iter().map(|&k| u64::from(k)).sum::<u64>().saturating_sub(u64::from(grains));
    while over > 0 {
        let slow = (0..ks.len()).filter(|&p| ks[p] > 1);
        let Some(p) = slow.max_by(|&a, &b| ms(a, ks[a]).total_cmp(&ms(b, ks[b]))) else { break };
        ks[p] -= 1;
        over -= 1;
    }
    Some(ks)
}

/// Ways to share out the KV heads, each member at least one: all of them if they are few.
fn head_splits(field: &Field<'_>, members: &[usize]) -> Vec<Vec<u32>> {
    let (heads, count) = (field.model.kv_heads, members.len() as u32);
    // Choose the cuts among the gaps.
    let ways = (1..count).fold(1u64, |n, i| n * u64::from(heads - i) / u64::from(i));
    if ways <= HEAD_SPLITS_MAX as u64 {
        let mut all = Vec::new();
        compositions(heads, members.len(), &mut Vec::new(), &mut all);
        return all;
    }
    let spots = || members.iter().map(|&spot| &field.spots[spot]);
    vec![
        proportional(heads, &spots().map(|s| s.bandwidth).collect::<Vec<_>>()),
        proportional(heads, &spots().map(|s| s.flops).collect::<Vec<_>>()),
        proportional(heads, &spots().map(|s| s.memory as f64 + 1.0).collect::<Vec<_>>()),
        proportional(heads, &vec![1.0; members.len()]),
    ]
}

/// All ways to share out so many among so many places, at least one each.
pub(crate) fn compositions(
    left: u32,
    places: usize,
    so_far: &mut Vec<u32>,
    all: &mut Vec<Vec<u32>>,
) {
    if places == 1 {
        all.push([so_far.as_slice(), &[left]].concat());
        return;
    }
    for first in 1..=left.saturating_sub(places as u32 - 1) {
        so_far.push(first);
        compositions(left - first, places - 1, so_far, all);
        so_far.pop();
    }
}

/// `total` in whole parts of at least one, as near to `weights` as that goes.
pub(crate) fn proportional(total: u32, weights: &[f64]) -> Vec<u32> {
    let sum: f64 = weights.iter().sum();
    let free = total - weights.len() as u32;
    let mut parts: Vec<u32> =
        weights.iter().map(|w| 1 + (f64::from(free) * w / sum).floor() as u32).collect();
    let mut left = i64::from(total) - parts.iter().map(|&p| i64::from(p)).sum::<i64>();
    for place in (0..parts.len()).cycle().take(parts.len() * 2) {
        if left > 0 {
            parts[place] += 1;
            left -= 1;
        } else if left < 0 && parts[place] > 1 {
            parts[place] -= 1;
            left += 1;
        }
    }
    parts
}
