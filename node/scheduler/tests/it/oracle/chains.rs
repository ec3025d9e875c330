//! Every order of stages: a token's time is the sum of its stages' and the hops between them, so
//! the best shares of each stage are looked for once, and every chain of stages is tried.

use std::collections::BTreeMap;

use swarm_proto::Pool;

use super::price::{Part, Prices, Step};

/// Ways to write `total` as so many parts of at least one.
pub(crate) fn parts(total: u32, count: usize) -> Vec<Vec<u32>> {
    if count == 1 {
        return if total > 0 { vec![vec![total]] } else { Vec::new() };
    }
    let rest = |first| parts(total - first, count - 1).into_iter();
    (1..total).flat_map(|first| rest(first).map(move |r| [vec![first], r].concat())).collect()
}

/// Devices of a stage as bits, its lead, its layers, whether it is the first, and the last.
type Key = (usize, usize, u32, bool, bool);

struct Search<'a> {
    prices: Prices<'a>,
    stages: BTreeMap<Key, f64>,
    best: f64,
}

/// The lowest time a token that any chain has; infinite if there is none.
pub(crate) fn fastest(pool: &Pool) -> f64 {
    let prices = Prices::of(pool);
    let mut search = Search { prices, stages: BTreeMap::new(), best: f64::INFINITY };
    search.extend(0, 0, 0.0, None);
    search.best
}

impl Search<'_> {
    /// Tries every next stage behind a chain that uses `used` and covers `covered` layers; `ends`
    /// are the leads of its first stage and its last.
    fn extend(&mut self, used: usize, covered: u32, ms: f64, ends: Option<(usize, usize)>) {
        let (devices, total) = (self.prices.devices.len(), self.prices.pool.model.layers);
        for mask in (1..1 << devices).filter(|mask| mask & used == 0) {
            for lead in (0..devices).filter(|device| mask >> device & 1 == 1) {
                let hop = ends.map_or(0.0, |(_, before)| self.prices.hop(before, lead));
                let first = ends.map_or(lead, |(first, _)| first);
                for layers in 1..=total - covered {
                    let last = covered + layers == total;
                    let stage = self.stage((mask, lead, layers, covered == 0, last));
                    let ms = ms + hop + stage;
                    if last {
                        self.best = self.best.min(ms + self.prices.hop(lead, first));
                    } else if ms < self.best {
                        self.extend(used | mask, covered + layers, ms, Some((first, lead)));
                    }
                }
            }
        }
    }

    /// The least time of a stage over all shares.
    fn stage(&mut self, key: Key) -> f64 {
        if let Some(ms) = self.stages.get(&key) {
            return *ms;
        }
        let ms = self.shares(key);
        self.stages.insert(key, ms);
        ms
    }

    fn shares(&self, (mask, lead, layers, first, last): Key) -> f64 {
        let model = &self.prices.pool.model;
        let mut chosen: Vec<usize> =
            (0..self.prices.devices.len()).filter(|d| mask >> d & 1 == 1 && *d != lead).collect();
        chosen.insert(0, lead);
        let node = |device: &usize| self.prices.devices[*device].0;
        let one = chosen.iter().all(|device| node(device) == node(&lead));
        // What decision 4 lets share a stage.
        if chosen.len() > if one { 4 } else { 3 } {
            return f64::INFINITY;
        }
        let mut best = f64::INFINITY;
        for heads in parts(model.kv_heads, chosen.len()) {
            for grains in parts(model.ffn / model.ffn_grain, chosen.len()) {
                let part = |place: usize| Part {
                    device: chosen[place],
                    heads: heads[place],
                    columns: grains[place] * model.ffn_grain,
                };
                let parts: Vec<Part> = (0..chosen.len()).map(part).collect();
                best = best.min(self.prices.step(&Step { parts: &parts, layers, first, last }));
            }
        }
        best
    }
}
