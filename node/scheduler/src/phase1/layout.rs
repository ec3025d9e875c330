//! A pipeline before it has devices, and how fast it is.

use crate::{
    ground::Ground,
    kind::{Kind, Regime},
    measure::measure,
    place::draft,
};

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
    pub(super) fn of(ground: &Ground, chain: &[(&[usize], &Kind, u32)], regime: Regime) -> Self {
        let (steps, batch) = (ground.steps(), f64::from(regime.batch));
        let (mut prompt_ms, mut tpot_ms, mut carried_ms) = (0.0, 0.0, 0.0f64);
        let mut stages = Vec::new();
        for (number, (classes, kind, layers)) in chain.iter().enumerate() {
            let last = number + 1 == chain.len();
            let (head, own) = (if last { kind.head_ms } else { (0.0, 0.0) }, f64::from(*layers));
            let (prefill, step) = (kind.prefill_ms * own + head.0, kind.decode_ms * own + head.1);
            if let Some((before, ..)) = number.checked_sub(1).map(|n| chain[n]) {
                let way = ground.next_way(before[0], classes[0], kind.degree);
                let hop = ground.hop_of(way, regime);
                prompt_ms += hop.0;
                tpot_ms += hop.1;
                carried_ms = carried_ms.max(ground.carried_ms(way, ground.phase));
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
        let latency_ms = prompt_ms + steps * tpot_ms;
        let busy_ms = stages.iter().map(|stage| stage.busy_ms).fold(0.0, f64::max);
        Self {
            ttft_ms: prompt_ms + first_ms,
            tpot_ms,
            latency_ms,
            period_ms: ground
                .cached_ms(latency_ms, regime.batch, stages.len())
                .max(busy_ms)
                .max(carried_ms),
            stages,
            regime,
        }
    }

    /// The same with the figures that it has on devices, if nobody else were there: phase 1 takes
    /// machines of a class for one where two stages fit one.
    pub(super) fn settled(self, ground: &Ground) -> Self {
        if self.stages.iter().all(|stage| ground.classes[stage.classes[0]].machines.len() == 1) {
            return self;
        }
        let draft = draft(ground, vec![&self]);
        let measured = measure(ground, &draft);
        let (route, lane) = (&measured.routes[0], &measured.lanes[0]);
        Self {
            ttft_ms: route.ttft_ms,
            tpot_ms: lane.token_ms,
            latency_ms: route.latency_ms,
            period_ms: route.period_ms(),
            ..self
        }
    }

    /// Whether another is at least as good in both and better in one.
    pub(super) fn beaten_by(&self, other: &Self) -> bool {
        let (a, b) = ((self.latency_ms, self.period_ms), (other.latency_ms, other.period_ms));
        b.0 <= a.0 && b.1 <= a.1 && b != a
    }
}
