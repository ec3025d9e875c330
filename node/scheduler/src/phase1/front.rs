//! The pipelines of a group that no other is better than in both time and throughput.

use super::{Tables, join::join};
use crate::{
    ground::Ground,
    kind::{Kind, Regime},
};

/// The most pipelines kept for a group and a batch.
const FRONT_MAX: usize = 12;
/// Limits of a stage's time that groups share, so that they share tables too: each is this much
/// less than the one before.
const LIMIT_STEP: f64 = 0.84;

/// A stage, before it has devices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Laid {
    pub(crate) class: usize,
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
    fn of(
        ground: &Ground,
        tables: &Tables<'_>,
        chain: &[(usize, usize, u32)],
        regime: Regime,
    ) -> Self {
        let (steps, batch) = (ground.steps(), f64::from(regime.batch));
        let (mut prompt_ms, mut tpot_ms) = (0.0, 0.0);
        let mut stages = Vec::new();
        for (number, (class, kind, layers)) in chain.iter().enumerate() {
            let table = tables.get(*class, regime, f64::INFINITY);
            let kind: &Kind = &table.kinds[*kind];
            let last = number + 1 == chain.len();
            let (head, own) = (if last { kind.head_ms } else { (0.0, 0.0) }, f64::from(*layers));
            let (prefill, step) = (kind.prefill_ms * own + head.0, kind.decode_ms * own + head.1);
            if let Some((before, ..)) = number.checked_sub(1).map(|n| chain[n]) {
                let hop = ground.hop_of(before, *class, kind.degree, regime);
                prompt_ms += hop.0;
                tpot_ms += hop.1;
            }
            prompt_ms += prefill;
            tpot_ms += step;
            stages.push(Laid {
                class: *class,
                layers: *layers,
                parts: kind.parts.clone(),
                step_ms: step,
                busy_ms: prefill + steps * step / batch,
            });
        }
        if let [first, .., last] = chain {
            tpot_ms += ground.return_ms(last.0, first.0, regime) / steps.max(1.0);
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

/// How far a front is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Only the pipeline with the lowest time of a request, one at a time.
    Fastest,
    /// Down by steps of a sixth.
    Coarse,
    /// Every pipeline there is.
    Exact,
}

/// The front of a group: so many devices of each class, in the order of their times.
pub(crate) fn front(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    depth: Depth,
) -> Vec<Layout> {
    let mut all: Vec<Layout> = Vec::new();
    let mut batch = 1;
    while batch <= ground.rules.batch_max {
        let found = of_batch(ground, tables, group, depth, batch);
        if found.is_empty() {
            break; // nor is there room for more
        }
        all.extend(found);
        if depth == Depth::Fastest {
            break;
        }
        batch *= 2;
    }
    all.sort_by(|a, b| {
        a.latency_ms.total_cmp(&b.latency_ms).then(a.period_ms.total_cmp(&b.period_ms))
    });
    let kept = (0..all.len()).filter(|n| !all.iter().any(|other| all[*n].beaten_by(other)));
    let mut kept: Vec<Layout> = kept.map(|n| all[n].clone()).collect();
    kept.dedup_by(|a, b| (a.latency_ms, a.period_ms) == (b.latency_ms, b.period_ms));
    kept
}

fn of_batch(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    depth: Depth,
    batch: u32,
) -> Vec<Layout> {
    // Every stage steps a batch of its own, so all those of a pipeline have their caches in each.
    // How many stages there are is known once they are laid out.
    let mut stages_max = 1;
    let mut found: Vec<Layout> = Vec::new();
    let mut limit_ms = f64::INFINITY;
    while found.len() < FRONT_MAX || depth == Depth::Exact {
        let resident = if ground.rules.plain() { 1 } else { batch.saturating_mul(stages_max) };
        let regime = Regime { batch, resident };
        let Some((_, chain)) = join(ground, tables, group, regime, limit_ms) else { break };
        let stages = chain.len() as u32;
        if stages > stages_max && !ground.rules.plain() {
            stages_max = stages.next_power_of_two();
            continue;
        }
        let layout = Layout::of(ground, tables, &chain, regime);
        limit_ms = match depth {
            Depth::Fastest => 0.0,
            Depth::Exact => layout.period_ms * (1.0 - 1e-9),
            Depth::Coarse => below(layout.period_ms),
        };
        found.push(layout);
        if depth == Depth::Fastest {
            break;
        }
    }
    found
}

/// The next of the shared limits that is less.
fn below(ms: f64) -> f64 {
    let step = LIMIT_STEP.ln();
    let place = (ms.max(f64::MIN_POSITIVE).ln() / step).floor() + 1.0;
    (place * step).exp()
}

impl Ground {
    /// Milliseconds from one stage to the next: of a prompt, and of one token of each request of a
    /// batch.
    fn hop_of(&self, from: usize, to: usize, degree: usize, regime: Regime) -> (f64, f64) {
        let way = self.next_way(from, to, degree);
        (self.hop_ms(way, self.prefill()), self.hop_ms(way, self.decode(regime.batch)))
    }
}
