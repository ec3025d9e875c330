//! The pipelines of a group that no other is better than in both time and throughput.

use super::{RUN_MAX, Tables, join::join, mixed::mixed};
use crate::{
    ground::{Ground, TEAM_DEVICES_MAX},
    kind::{Kind, Regime},
};

/// How often the step between limits is halved, where only the least counts.
const HALVINGS: usize = 3;

/// A stage, before it has devices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Laid {
    /// The class of each member.
    pub(crate) classes: Vec<usize>,
    pub(crate) layers: u32,
    /// KV heads and FFN columns, a member.
    pub(crate) parts: Vec<(u32, u32)>,
    /// Milliseconds of a decode step of the batch.
    pub(crate) step_ms: f64,
    /// Milliseconds that it is busy with one request.
    pub(crate) busy_ms: f64,
}

/// A pipeline, before it has devices, and how fast it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) stages: Vec<Laid>,
    pub(crate) regime: Regime,
    pub(crate) ttft_ms: f64,
    pub(crate) tpot_ms: f64,
    /// A request, from its prompt to its last token.
    pub(crate) latency_ms: f64,
    /// From the end of one request to that of the next, when there are always more.
    pub(crate) period_ms: f64,
}

impl Layout {
    fn of(ground: &Ground, chain: &[(&[usize], &Kind, u32)], regime: Regime) -> Self {
        let (steps, batch) = (ground.steps(), f64::from(regime.batch));
        let (mut prompt_ms, mut tpot_ms) = (0.0, 0.0);
        let mut stages = Vec::new();
        for (number, (classes, kind, layers)) in chain.iter().enumerate() {
            let last = number + 1 == chain.len();
            let (head, own) = (if last { kind.head_ms } else { (0.0, 0.0) }, f64::from(*layers));
            let (prefill, step) = (kind.prefill_ms * own + head.0, kind.decode_ms * own + head.1);
            if let Some((before, ..)) = number.checked_sub(1).map(|n| chain[n]) {
                let hop = ground.hop_of(before[0], classes[0], kind.degree, regime);
                prompt_ms += hop.0;
                tpot_ms += hop.1;
            }
            prompt_ms += prefill;
            tpot_ms += step;
            stages.push(Laid {
                classes: classes.to_vec(),
                layers: *layers,
                parts: kind.parts.clone(),
                step_ms: step,
                busy_ms: prefill + steps * step / batch,
            });
        }
        if let [first, .., last] = chain {
            tpot_ms += ground.return_ms(last.0[0], first.0[0], regime) / steps.max(1.0);
        }
        let first_ms = if ground.rules.plain() { tpot_ms } else { 0.0 };
        Self {
            ttft_ms: prompt_ms + first_ms,
            tpot_ms,
            latency_ms: prompt_ms + steps * tpot_ms,
            period_ms: stages.iter().map(|stage| stage.busy_ms).fold(0.0, f64::max),
            stages,
            regime,
        }
    }

    /// Whether another is at least as good in both and better in one.
    fn beaten_by(&self, other: &Self) -> bool {
        let (a, b) = ((self.latency_ms, self.period_ms), (other.latency_ms, other.period_ms));
        b.0 <= a.0 && b.1 <= a.1 && b != a
    }
}

/// Which pipelines of a group are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// The one with the lowest time of a request, alone.
    Fastest,
    /// The one with the least period.
    Busiest,
    /// All that no other is better than, and that take at most so long for a request.
    Within {
        /// A request, alone.
        latency_ms: f64,
    },
}

/// What is looked for, and how deeply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Search {
    pub(crate) aim: Aim,
    pub(crate) depth: Depth,
}

/// Which batches and which limits of a stage's time are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Very few, for very many devices.
    Rough,
    /// Few.
    Coarse,
    /// Many.
    Fine,
    /// All limits, and whatever else it takes to be exact.
    Exact,
}

impl Depth {
    fn exact(self) -> bool {
        self == Self::Exact
    }

    /// Each batch is so many times the one before.
    fn batch_step(self) -> u32 {
        match self {
            Self::Rough => 8,
            Self::Coarse => 4,
            Self::Fine | Self::Exact => 2,
        }
    }

    /// Limits are powers of this, so that groups share them and their tables.
    fn limit_step(self) -> f64 {
        match self {
            Self::Rough => 0.6,
            Self::Coarse => 0.75,
            Self::Fine | Self::Exact => 0.9,
        }
    }

    /// The most pipelines kept for a group and a batch.
    fn front_max(self) -> usize {
        match self {
            Self::Rough => 4,
            Self::Coarse => 12,
            Self::Fine => 24,
            Self::Exact => usize::MAX,
        }
    }
}

/// The front of a group: so many devices of each class, in the order of their times.
pub(crate) fn front(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    search: Search,
) -> Vec<Layout> {
    let batches = match search {
        Search { aim: Aim::Fastest, .. } => vec![1],
        Search { depth, .. } => ground.rules.batches(depth.batch_step()),
    };
    // Longer runs have no tables; who is left over is idle, or in another pipeline.
    let few = |(class, count): &(usize, usize)| (*class, (*count).min(RUN_MAX));
    let group: &[(usize, usize)] = &group.iter().map(few).collect::<Vec<_>>();
    let lays =
        batches.into_iter().map(|batch| Lay { ground, tables, group, search, batch, stages: 1 });
    if search.aim == Aim::Busiest && !search.depth.exact() {
        // The largest batch mostly has the least period: the others have that to beat.
        let better = |best: Option<Layout>, lay: Lay<'_>| lay.busiest(best);
        return lays.rev().fold(None, better).into_iter().collect();
    }
    let mut all: Vec<Layout> = Vec::new();
    for lay in lays {
        let found = lay.all();
        if found.is_empty() {
            break; // nor is there room or time for more
        }
        all.extend(found);
    }
    all.sort_by(|a, b| {
        a.latency_ms.total_cmp(&b.latency_ms).then(a.period_ms.total_cmp(&b.period_ms))
    });
    if search.aim == Aim::Busiest {
        let least = all.iter().min_by(|a, b| a.period_ms.total_cmp(&b.period_ms)).cloned();
        return least.into_iter().collect();
    }
    let kept = (0..all.len()).filter(|n| !all.iter().any(|other| all[*n].beaten_by(other)));
    let mut kept: Vec<Layout> = kept.map(|n| all[n].clone()).collect();
    kept.dedup_by(|a, b| (a.latency_ms, a.period_ms) == (b.latency_ms, b.period_ms));
    kept
}

/// Lays a group out with one batch.
struct Lay<'a> {
    ground: &'a Ground,
    tables: &'a Tables<'a>,
    group: &'a [(usize, usize)],
    search: Search,
    batch: u32,
    /// Stages that room is left for: each steps a batch of its own, so all have their caches in each
    /// stage, and how many there are is known once they are laid out.
    stages: usize,
}

impl Lay<'_> {
    /// The fastest whose stages are busy for at most so long.
    fn within(&mut self, limit_ms: f64) -> Option<Layout> {
        loop {
            let (regime, latest_ms) = (self.regime(), self.latest_ms());
            let exact = self.search.depth.exact();
            let limits = (regime, limit_ms, latest_ms);
            let layout = match self.unlike() {
                true => self.teams(limits)?,
                false => self.runs(limits, exact)?,
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

    fn runs(&self, limits: (Regime, f64, f64), exact: bool) -> Option<Layout> {
        let chain = join(self.ground, self.tables, self.group, limits, exact)?;
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

    fn latest_ms(&self) -> f64 {
        match self.search.aim {
            Aim::Within { latency_ms } => latency_ms,
            _ => f64::INFINITY,
        }
    }

    /// One for each of several limits, the fastest first.
    fn all(mut self) -> Vec<Layout> {
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
    fn busiest(mut self, best: Option<Layout>) -> Option<Layout> {
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
