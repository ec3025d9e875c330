//! The search for many devices: the best few states for every number of layers covered, and
//! devices filled one after another for when memory is short.

use crate::{chain::Chain, cost::hop_ms, field::Field, table::Candidate};

/// The most states kept for one number of layers.
const WIDTH: usize = 64;
/// What the work of a beam is bounded by, in layers squared times states.
const WORK: usize = 400_000;

/// Stages so far.
#[derive(Clone)]
struct State {
    ms: f64,
    mask: u128,
    home: usize,
    last: usize,
    links: Vec<(usize, u32)>,
}

/// A good chain, if one is found.
pub(crate) fn beam(field: &Field<'_>, all: &[Candidate]) -> Option<Chain> {
    let layers = field.model.layers as usize;
    let width = (WORK / (layers * layers)).clamp(4, WIDTH);
    let mut best = fills(field, all);
    for (number, c) in all.iter().enumerate().filter(|(_, c)| c.only().is_finite()) {
        let links = vec![(number, field.model.layers)];
        best = Chain::better(best, Chain { ms: c.only(), mask: c.mask, links });
    }
    let mut levels: Vec<Vec<State>> = vec![Vec::new(); layers + 1];
    for (number, c) in all.iter().enumerate() {
        for (n, &ms) in c.times(true, false).iter().enumerate().take(layers).skip(1) {
            let made = || State {
                ms,
                mask: c.mask,
                home: c.machine,
                last: c.machine,
                links: vec![(number, n as u32)],
            };
            keep(&mut levels[n], width, ms, c.mask, (c.machine, c.machine), made);
        }
    }
    for covered in 1..layers {
        let (done, ahead) = levels.split_at_mut(covered + 1);
        for state in &done[covered] {
            for (number, c) in all.iter().enumerate().filter(|(_, c)| c.mask & state.mask == 0) {
                let base = state.ms + hop_ms(field, state.last, c.machine, 1.0);
                let left = layers - covered;
                let ring = hop_ms(field, c.machine, state.home, 1.0);
                let end = base + c.times(false, true)[left] + ring;
                let with = |n: usize| {
                    let mut links = state.links.clone();
                    links.push((number, n as u32));
                    links
                };
                let mask = state.mask | c.mask;
                if end.is_finite() && best.as_ref().is_none_or(|b| end <= b.ms * (1.0 + 1e-9)) {
                    best = Chain::better(best, Chain { ms: end, mask, links: with(left) });
                }
                for n in 1..left {
                    let ms = base + c.times(false, false)[n];
                    if !ms.is_finite() {
                        break;
                    }
                    let made =
                        || State { ms, mask, home: state.home, last: c.machine, links: with(n) };
                    keep(&mut ahead[n - 1], width, ms, mask, (state.home, c.machine), made);
                }
            }
        }
    }
    best
}

/// Keeps a state if it is among the best of its level; of those that differ in the past only, one.
fn keep(
    level: &mut Vec<State>,
    width: usize,
    ms: f64,
    mask: u128,
    ends: (usize, usize),
    made: impl FnOnce() -> State,
) {
    if !ms.is_finite() || (level.len() == width && level.last().is_some_and(|s| ms >= s.ms)) {
        return;
    }
    let same = |s: &State| s.mask == mask && (s.home, s.last) == ends;
    if let Some(old) = level.iter().position(same) {
        if level[old].ms <= ms {
            return;
        }
        level.remove(old);
    }
    let place = level.partition_point(|s| s.ms <= ms);
    level.insert(place, made());
    level.truncate(width);
}

/// Chains that fill one device after another: the roomiest first, the fastest first.
fn fills(field: &Field<'_>, all: &[Candidate]) -> Option<Chain> {
    let total = field.model.layers as usize;
    let pace = |c: &Candidate| c.times(false, false)[1];
    let mut best = None;
    for single in [true, false] {
        for roomy in [true, false] {
            let mut order: Vec<usize> =
                (0..all.len()).filter(|&n| !single || all[n].members.len() == 1).collect();
            order.sort_by(|&a, &b| {
                let (a, b) = (&all[a], &all[b]);
                let pace = pace(a).total_cmp(&pace(b));
                if roomy {
                    b.most().cmp(&a.most()).then(pace)
                } else {
                    pace.then(b.most().cmp(&a.most()))
                }
            });
            for skip in 0..order.len().min(4) {
                order.rotate_left(usize::from(skip > 0));
                if let Some(chain) = fill(field, all, &order, total) {
                    best = Chain::better(best, chain);
                }
            }
        }
    }
    best
}

/// Fills candidates in order: all the layers that each holds.
fn fill(field: &Field<'_>, all: &[Candidate], order: &[usize], total: usize) -> Option<Chain> {
    let (mut covered, mut mask, mut ms) = (0, 0u128, 0.0);
    let mut links: Vec<(usize, u32)> = Vec::new();
    for &number in order {
        let c = &all[number];
        if mask & c.mask != 0 {
            continue;
        }
        let left = total - covered;
        let hop = links.last().map_or(0.0, |&(n, _)| hop_ms(field, all[n].machine, c.machine, 1.0));
        let end = if covered == 0 { c.only() } else { c.times(false, true)[left] };
        if end.is_finite() {
            links.push((number, left as u32));
            let home = all[links[0].0].machine;
            ms += hop + end + hop_ms(field, c.machine, home, 1.0);
            return Some(Chain { ms, mask: mask | c.mask, links });
        }
        let times = c.times(covered == 0, false);
        let Some(n) = (1..left).rev().find(|&n| times[n].is_finite()) else { continue };
        ms += hop + times[n];
        mask |= c.mask;
        covered += n;
        links.push((number, n as u32));
    }
    None
}
