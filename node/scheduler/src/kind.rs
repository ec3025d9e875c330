//! Stages that a class can give: so many of its devices together.

use crate::{
    ground::{Ground, Share},
    rules::Phase,
    share::last,
    task::Task,
};

/// How a pipeline is to be run: what layers cost and how many fit depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Regime {
    /// Requests that a stage steps together.
    pub(crate) batch: u32,
    /// Requests whose KV cache a stage has room for.
    pub(crate) resident: u32,
}

/// What so many devices of a class are as a stage.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// How many devices.
    pub(crate) degree: usize,
    /// KV heads and FFN columns, a member.
    pub(crate) parts: Vec<(u32, u32)>,
    /// Milliseconds of one layer: of a prompt, and of a decode step of the batch.
    pub(crate) prefill_ms: f64,
    pub(crate) decode_ms: f64,
    /// Milliseconds of the output head, for a prompt and for a decode step.
    pub(crate) head_ms: (f64, f64),
    /// The most layers: in the middle, with the embedding, with the head, with both.
    pub(crate) caps: [u32; 4],
}

impl Kind {
    /// The stages of degree 1, 2, ... that devices of a class can be, and that hold a layer.
    pub(crate) fn all(ground: &Ground, class: usize, regime: Regime) -> Vec<Self> {
        let class = &ground.classes[class];
        let packed = class.machines.len() > 1 || ground.rules.powers_of_two;
        let most = class.size.min(ground.model.kv_heads as usize);
        (1..=most)
            .filter(|degree| !packed || degree.is_power_of_two())
            .filter_map(|degree| Self::of(ground, &class.spots[..degree], regime))
            .collect()
    }

    /// Milliseconds of a device that a layer of one request costs, when batches are full.
    pub(crate) fn cost_ms(&self, ground: &Ground, batch: u32) -> f64 {
        let steps = ground.steps() / f64::from(batch);
        (self.prefill_ms + steps * self.decode_ms) * self.degree as f64
    }

    /// Milliseconds that a request takes in a layer, and in the head.
    pub(crate) fn request_ms(&self, ground: &Ground) -> (f64, f64) {
        let steps = ground.steps();
        (self.prefill_ms + steps * self.decode_ms, self.head_ms.0 + steps * self.head_ms.1)
    }

    /// The most layers within memory and a limit of the time that a request keeps it busy: in the
    /// middle, with the embedding, with the head, with both.
    pub(crate) fn most(&self, ground: &Ground, batch: u32, limit_ms: f64) -> [usize; 4] {
        let steps = ground.steps();
        let busy = |prompt: f64, token: f64| prompt + steps * token / f64::from(batch);
        let layer_ms = busy(self.prefill_ms, self.decode_ms);
        let head_ms = busy(self.head_ms.0, self.head_ms.1);
        [(0, 0.0), (1, 0.0), (2, head_ms), (3, head_ms)].map(|(role, head_ms)| {
            let within = ((limit_ms - head_ms) / layer_ms * (1.0 + 1e-12)).max(0.0);
            let cap = self.caps[role];
            if within >= f64::from(cap) { cap as usize } else { within as usize }
        })
    }

    fn of(ground: &Ground, members: &[usize], regime: Regime) -> Option<Self> {
        Self::with(ground, members, parts(ground, members.len())?, regime)
    }

    /// Members with these parts each; none if they do not hold a layer, or cannot reach each other.
    pub(crate) fn with(
        ground: &Ground,
        members: &[usize],
        parts: Vec<(u32, u32)>,
        regime: Regime,
    ) -> Option<Self> {
        let share = |(heads, columns): (u32, u32), layers, embeds, samples| Share {
            layers,
            heads,
            columns,
            embeds,
            samples,
        };
        let layer = |task: Task| {
            let member = |(spot, part): (&usize, &(u32, u32))| {
                ground.layer_ms(*spot, share(*part, 1, false, false), task)
            };
            let slowest = members.iter().zip(&parts).map(member).fold(0.0, f64::max);
            slowest + ground.exchange_ms(members, task)
        };
        let most = |embeds, samples: bool| {
            let fits = |layers| {
                members.iter().zip(&parts).enumerate().all(|(place, (spot, part))| {
                    let share = share(*part, layers, embeds, samples && place == 0);
                    ground.fits(*spot, share, regime.resident)
                })
            };
            last(0, ground.model.layers, fits)
        };
        let caps = [most(false, false), most(true, false), most(false, true), most(true, true)];
        let (prompt, token) = (ground.prefill(), ground.decode(regime.batch));
        let prompts = |ms: f64| if ground.phase == Phase::Decode { 0.0 } else { ms };
        let (prefill_ms, decode_ms) = (prompts(layer(prompt)), layer(token));
        (caps[0] > 0 && decode_ms.is_finite()).then(|| Self {
            degree: members.len(),
            parts,
            prefill_ms,
            decode_ms,
            head_ms: (
                prompts(ground.head_ms(members[0], prompt)),
                ground.head_ms(members[0], token),
            ),
            caps,
        })
    }
}

/// KV heads and FFN columns of like members, as even as whole heads and grains allow: who has a
/// head more has the fewer columns, by weight. None if there is not one of each for everybody.
pub(crate) fn parts(ground: &Ground, count: usize) -> Option<Vec<(u32, u32)>> {
    let m = &ground.model;
    let count = u32::try_from(count).ok()?;
    if count == 1 {
        return Some(vec![(m.kv_heads, m.ffn)]);
    }
    let grain = m.ffn_grain.max(1);
    let grains = m.ffn / grain;
    if !m.ffn.is_multiple_of(grain) || grains < count || m.kv_heads < count {
        return None;
    }
    let heads: Vec<u32> = (0..count).map(|place| spread(m.kv_heads, count, place)).collect();
    let weight = |heads: u32| m.head_bytes as f64 * f64::from(heads);
    let total = weight(m.kv_heads) + m.column_bytes * f64::from(m.ffn);
    let even = total / f64::from(count);
    let grain_bytes = (m.column_bytes * f64::from(grain)).max(1.0);
    let wish = |heads: u32| ((even - weight(heads)) / grain_bytes).floor().max(1.0) as u32;
    let mut columns: Vec<u32> = heads.iter().map(|&heads| wish(heads).min(grains)).collect();
    // What rounding left over, or took too much, goes to those with the fewest heads, or comes
    // from those with the most columns.
    while columns.iter().sum::<u32>() != grains {
        let over = columns.iter().sum::<u32>() > grains;
        let load = |p: &usize| weight(heads[*p]) + grain_bytes * f64::from(columns[*p]);
        let places = (0..heads.len()).filter(|p| !over || columns[*p] > 1);
        let place = match over {
            true => places.max_by(|a, b| load(a).total_cmp(&load(b)))?,
            false => places.min_by(|a, b| load(a).total_cmp(&load(b)))?,
        };
        if over { columns[place] -= 1 } else { columns[place] += 1 }
    }
    Some(heads.into_iter().zip(columns.into_iter().map(|k| k * grain)).collect())
}

/// The share of a place when `total` is spread over `count` places, the first having more.
fn spread(total: u32, count: u32, place: u32) -> u32 {
    total / count + u32::from(place < total % count)
}
