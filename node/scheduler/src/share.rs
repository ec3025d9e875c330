//! Whole parts of something, shared out.

/// The last of `low..=high` that `holds`; `low` does, and so does everything up to the answer.
pub(crate) fn last(mut low: u32, mut high: u32, holds: impl Fn(u32) -> bool) -> u32 {
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// So many grains for each place, at least one and at most its cap, that the slowest is fastest;
/// none if the caps have no room for all.
pub(crate) fn level(
    grains: u32,
    caps: &[u32],
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
    let mut high = most.iter().copied().fold(low, f64::max);
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

/// `total` in whole parts of at least one, as near to `weights` as that goes: what is left over after
/// rounding down goes to whom most was taken from.
pub(crate) fn proportional(total: u32, weights: &[f64]) -> Vec<u32> {
    let sum: f64 = weights.iter().sum();
    let free = f64::from(total - weights.len() as u32);
    let wish: Vec<f64> = weights.iter().map(|w| free * w / sum).collect();
    let mut parts: Vec<u32> = wish.iter().map(|wish| 1 + wish.floor() as u32).collect();
    let left = total.saturating_sub(parts.iter().sum());
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| wish[*b].fract().total_cmp(&wish[*a].fract()));
    order.into_iter().cycle().take(left as usize).for_each(|place| parts[place] += 1);
    parts
}
