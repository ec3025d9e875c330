//! The exact search: every ordered choice of disjoint stages, by the devices used, the layers
//! covered and the machine that leads last.

use crate::{chain::Chain, cost::hop_ms, field::Field, table::Candidate};

/// The best way known to a state, and the state and stage it came by.
#[derive(Clone, Copy)]
struct Cell {
    ms: f64,
    from: usize,
    candidate: usize,
    layers: u32,
}

/// The chain with the lowest time a token, if any fits.
pub(crate) fn exact(field: &Field<'_>, devices: usize, all: &[Candidate]) -> Option<Chain> {
    let layers = field.model.layers as usize;
    let mut machines: Vec<_> = all.iter().map(|c| c.machine).collect();
    machines.sort_unstable();
    machines.dedup();
    let place = |machine: usize| machines.binary_search(&machine).unwrap_or(0);
    let count = machines.len();
    let state =
        |mask: usize, covered: usize, last: usize| (mask * (layers + 1) + covered) * count + last;
    let none = Cell { ms: f64::INFINITY, from: usize::MAX, candidate: 0, layers: 0 };
    let mut best: Option<Chain> = None;
    for (number, candidate) in all.iter().enumerate().filter(|(_, c)| c.only().is_finite()) {
        let links = vec![(number, field.model.layers)];
        best = Chain::better(best, Chain { ms: candidate.only(), mask: candidate.mask, links });
    }
    for &home in &machines {
        let mut cells = vec![none; ((layers + 1) * count) << devices];
        for (number, c) in all.iter().enumerate().filter(|(_, c)| c.machine == home) {
            for (n, &ms) in c.times(true, false).iter().enumerate().take(layers).skip(1) {
                let cell = &mut cells[state(c.mask as usize, n, place(home))];
                if ms < cell.ms {
                    *cell = Cell { ms, from: usize::MAX, candidate: number, layers: n as u32 };
                }
            }
        }
        for mask in 1usize..1 << devices {
            for covered in 1..layers {
                for (last, &from) in machines.iter().enumerate() {
                    let at = state(mask, covered, last);
                    if cells[at].ms.is_infinite() {
                        continue;
                    }
                    for (number, c) in all.iter().enumerate() {
                        if c.mask as usize & mask != 0 {
                            continue;
                        }
                        let (used, to) = (mask | c.mask as usize, place(c.machine));
                        let base = cells[at].ms + hop_ms(field, from, c.machine, 1.0);
                        let left = layers - covered;
                        let middle = c.times(false, false);
                        let ring = hop_ms(field, c.machine, home, 1.0);
                        let stages = (1..left).map(|n| (n, base + middle[n]));
                        let end = (left, base + c.times(false, true)[left] + ring);
                        for (n, ms) in stages.chain([end]) {
                            if !ms.is_finite() {
                                continue;
                            }
                            let cell = &mut cells[state(used, covered + n, to)];
                            if ms < cell.ms {
                                *cell = Cell { ms, from: at, candidate: number, layers: n as u32 };
                            }
                        }
                    }
                }
            }
        }
        for mask in 1usize..1 << devices {
            for last in 0..count {
                let mut at = state(mask, layers, last);
                let ms = cells[at].ms;
                if ms.is_infinite() {
                    continue;
                }
                let mut links = Vec::new();
                while at != usize::MAX {
                    links.push((cells[at].candidate, cells[at].layers));
                    at = cells[at].from;
                }
                links.reverse();
                best = Chain::better(best, Chain { ms, mask: mask as u128, links });
            }
        }
    }
    best
}
