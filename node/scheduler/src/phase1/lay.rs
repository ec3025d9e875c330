//! A group laid out with one batch: for one limit of a stage's time after the other.

use super::{
    Tables,
    front::{Aim, Depth, Search},
    join::join,
    layout::Layout,
    mixed::mixed,
};
use crate::{
    ground::{Ground, TEAM_DEVICES_MAX},
    kind::{Kind, Regime},
};

/// How often the step between limits is halved, where only the least counts.
const HALVINGS: usize = 3;

/// Lays a group out with one batch.
pub(super) struct Lay<'a> {
    pub(super) ground: &'a Ground,
    pub(super) tables: &'a Tables<'a>,
    pub(super) group: &'a [(usize, usize)],
    pub(super) search: Search,
    pub(super) batch: u32,
    /// Stages that room is left for: each steps a batch of its own, so all have their caches in each
    /// stage, and how many there are is known once they are laid out.
    pub(super) stages: usize,
}

impl Lay<'_> {
    /// The fastest whose stages are busy for at most so long.
    fn within(&mut self, limit_ms: f64) -> Option<Layout> {
        loop {
            let (regime, latest_ms) = (self.regime(), self.search.aim.latest_ms());
            let limits = (regime, limit_ms, latest_ms);
            let layout = match self.unlike() {
                true => self.teams(limits)?,
                false => self.runs(limits)?,
            };
            let stages = layout.stages.len();
            if stages <= self.stages || self.ground.rules.plain() {
                return (layout.latency_ms <= latest_ms).then_some(layout);
            }
            self.stages = stages.next_power_of_two();
        }
    }

    /// Whether stages of unlike devices are looked at: where there are few, each of which can stand
    /// for all of its class.
    fn unlike(&self) -> bool {
        let devices: usize = self.group.iter().map(|(_, count)| count).sum();
        let one = |(class, _): &(usize, usize)| self.ground.classes[*class].machines.len() == 1;
        !self.ground.rules.powers_of_two
            && matches!(self.search.depth, Depth::Fine | Depth::Exact)
            && devices <= TEAM_DEVICES_MAX
            && self.group.iter().all(one)
    }

    fn teams(&self, limits: (Regime, f64, f64)) -> Option<Layout> {
        let chain = mixed(self.ground, self.tables, self.group, limits)?;
        let chain: Vec<_> =
            chain.iter().map(|(team, layers)| (&team.classes[..], &team.kind, *layers)).collect();
        Some(Layout::of(self.ground, &chain, limits.0))
    }

    fn runs(&self, limits: (Regime, f64, f64)) -> Option<Layout> {
        let chain = join(self.ground, self.tables, self.group, limits, self.search.depth)?;
        let of = |(class, kind, layers): &(usize, usize, u32)| {
            let kinds = self.tables.kinds(*class, limits.0);
            (vec![*class; kinds[*kind].degree], kinds, *kind, *layers)
        };
        let chain: Vec<_> = chain.iter().map(of).collect();
        let chain: Vec<_> = chain
            .iter()
            .map(|(classes, kinds, kind, layers)| (&classes[..], &kinds[*kind], *layers))
            .collect();
        Some(Layout::of(self.ground, &chain, limits.0))
    }

    fn regime(&self) -> Regime {
        let resident = self.ground.resident(self.batch, self.stages);
        Regime { batch: self.batch, resident }
    }

    /// One for each of several limits, the fastest first.
    pub(super) fn all(mut self) -> Vec<Layout> {
        let Some(first) = self.within(f64::INFINITY) else { return Vec::new() };
        let mut found = vec![first];
        if self.search.aim == Aim::Fastest {
            return found;
        }
        while found.len() < self.search.depth.front_max() {
            let period_ms = found[found.len() - 1].period_ms;
            let limit_ms = match self.search.depth {
                Depth::Exact => period_ms * (1.0 - 1e-9),
                depth => below(period_ms, depth.limit_step()),
            };
            match self.within(limit_ms) {
                Some(layout) if layout.period_ms < period_ms => found.push(layout),
                _ => break,
            }
        }
        found
    }

    /// The least period, if it is less than the best so far: up from what is too little, as it is
    /// nearer to that than to the fastest's, and then in smaller steps down again.
    pub(super) fn busiest(mut self, best: Option<Layout>) -> Option<Layout> {
        let mut step = self.search.depth.limit_step();
        let mut limit_ms =
            below(floor_ms(self.ground, self.tables, self.group, self.regime()), step);
        let mut best = best.or_else(|| self.within(f64::INFINITY))?;
        loop {
            if limit_ms >= best.period_ms {
                return Some(best);
            }
            if let Some(layout) = self.within(limit_ms) {
                best = layout;
                break;
            }
            limit_ms /= step;
        }
        for _ in 0..HALVINGS {
            step = step.sqrt();
            if let Some(layout) = self.within(limit_ms * step) {
                best = layout;
                limit_ms *= step;
            }
        }
        Some(best)
    }
}

/// No pipeline has a lesser period: all devices share the layers without loss.
fn floor_ms(ground: &Ground, tables: &Tables<'_>, group: &[(usize, usize)], regime: Regime) -> f64 {
    let rate = |(class, count): &(usize, usize)| {
        let kinds = tables.kinds(*class, regime);
        let of = |kind: &Kind| 1.0 / kind.cost_ms(ground, regime.batch);
        *count as f64 * kinds.iter().map(of).fold(0.0, f64::max)
    };
    f64::from(ground.model.layers) / group.iter().map(rate).sum::<f64>()
}

/// The next of the shared limits that is less.
fn below(ms: f64, step: f64) -> f64 {
    let step = libm::log(step);
    let place = (libm::log(ms.max(1e-9)) / step).floor() + 1.0;
    libm::exp(place * step)
}
