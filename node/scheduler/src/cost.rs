//! What a plan is believed to cost.
//!
//! Decode of one token is bound by memory: a member reads its share of the weights and the KV cache
//! of the context. Within a stage members wait for the slowest and exchange sums twice a layer.
//! Between stages, and from the last back to the first, activations or a token cross a link: half
//! a round trip and the bytes. Prefill is bound by arithmetic. Source: the roofline model (Williams
//! 2009) over the terms of HexGen's cost model (ICML 2024), prefill and decode apart.

use std::collections::BTreeMap;

use swarm_proto::{Device, LayerRange, Member, ModelSpec, NodeId, Plan, Pool};

/// Context that decode is reckoned at, in tokens.
const CONTEXT_TOKENS: f64 = 512.0;
/// Prompt that prefill is reckoned for, in tokens.
const PROMPT_TOKENS: f64 = 256.0;
/// Two members of one host meet in memory: waking each other costs about this.
const LOCAL_SUM_MS: f64 = 0.03;
/// What an unmeasured link is taken for: bad enough not to be chosen for its looks.
const RTT_UNKNOWN_MS: f64 = 50.0;
const RATE_UNKNOWN_BYTES_PER_S: f64 = 12.5e6;

/// What a plan should bring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// Time to the first token of a prompt of 256 tokens.
    pub ttft_ms: f64,
    /// Time for each token after it.
    pub tpot_ms: f64,
    /// Answers of 128 tokens a second, one after the other.
    pub requests_per_s: f64,
    /// Time of each stage for one token.
    pub step_ms: Vec<f64>,
}

/// The ways between machines.
pub(crate) struct Links(BTreeMap<(NodeId, NodeId), (f64, f64)>);

impl Links {
    pub(crate) fn of(pool: &Pool) -> Self {
        let mut links = BTreeMap::new();
        for machine in &pool.machines {
            for link in &machine.links {
                let rtt = usable(link.rtt_ms).unwrap_or(RTT_UNKNOWN_MS);
                let rate = usable(link.bytes_per_s).unwrap_or(RATE_UNKNOWN_BYTES_PER_S);
                links.insert((machine.node, link.to), (rtt, rate));
            }
        }
        Self(links)
    }

    /// Time for `bytes` from one machine to another.
    pub(crate) fn hop_ms(&self, from: NodeId, to: NodeId, bytes: f64) -> f64 {
        if from == to {
            return 0.0;
        }
        let known = self.0.get(&(from, to)).or_else(|| self.0.get(&(to, from)));
        let (rtt, rate) = known.copied().unwrap_or((RTT_UNKNOWN_MS, RATE_UNKNOWN_BYTES_PER_S));
        rtt / 2.0 + bytes / rate * 1e3
    }
}

/// A figure that can be divided by.
pub(crate) fn usable(figure: f64) -> Option<f64> {
    (figure.is_finite() && figure > 0.0).then_some(figure)
}

/// What one KV head and one FFN column of a layer cost a device, and what comes on top.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) head_ms: f64,
    pub(crate) column_ms: f64,
    pub(crate) layer_ms: f64,
    pub(crate) output_ms: f64,
    prefill_layer_ms: f64,
}

/// The rates of a device; `None` if its figures cannot be true.
pub(crate) fn rates(model: &ModelSpec, device: &Device) -> Option<Rates> {
    let bandwidth = usable(device.bandwidth_bytes_per_s)?;
    let flops = usable(device.flops_per_s)?;
    let ms = |bytes: f64| bytes / bandwidth * 1e3;
    let kv = model.kv_bytes as f64 * CONTEXT_TOKENS;
    let params = params_of_layer(model);
    Some(Rates {
        head_ms: ms(model.head_bytes as f64 + kv),
        column_ms: ms(model.column_bytes),
        layer_ms: ms(model.layer_shared_bytes as f64),
        output_ms: ms(model.output_bytes as f64),
        prefill_layer_ms: 2.0 * params * PROMPT_TOKENS / flops * 1e3,
    })
}

/// Weights of a layer, counted: Q and O, K and V, gate, up and down.
fn params_of_layer(model: &ModelSpec) -> f64 {
    let hidden = f64::from(model.hidden);
    let heads = f64::from(model.heads) * f64::from(model.head_dim);
    let kv = f64::from(model.kv_heads) * f64::from(model.head_dim);
    hidden * (2.0 * heads + 2.0 * kv + 3.0 * f64::from(model.ffn))
}

/// Time of one token through one stage, for members with their rates and shares.
pub(crate) fn stage_ms(
    model: &ModelSpec,
    links: &Links,
    layers: LayerRange,
    members: &[(Member, Rates)],
) -> f64 {
    let slowest = members
        .iter()
        .map(|(member, rates)| {
            rates.head_ms * f64::from(member.kv_heads.len())
                + rates.column_ms * f64::from(member.ffn_columns.len())
                + rates.layer_ms
        })
        .fold(0.0, f64::max);
    f64::from(layers.len()) * (slowest + 2.0 * sum_ms(model, links, members))
}

/// Time for members to exchange their sums once: 64-bit, one vector of the residual stream.
fn sum_ms(model: &ModelSpec, links: &Links, members: &[(Member, Rates)]) -> f64 {
    let bytes = 8.0 * f64::from(model.hidden);
    let mut worst: f64 = 0.0;
    for (one, _) in members {
        for (other, _) in members {
            if one.node != other.node {
                worst = worst.max(links.hop_ms(one.node, other.node, bytes));
            } else if one.device != other.device {
                worst = worst.max(LOCAL_SUM_MS);
            }
        }
    }
    worst
}

/// What a plan should bring, by this crate's beliefs. Members that are not in the pool, or whose
/// figures cannot be true, make it infinitely slow.
pub fn predict(pool: &Pool, plan: &Plan) -> Predicted {
    let links = Links::of(pool);
    let model = &pool.model;
    let device = |member: &Member| {
        let machine = pool.machines.iter().find(|machine| machine.node == member.node)?;
        machine.devices.iter().find(|device| device.index == member.device)
    };
    let Some(pipeline) = plan.pipelines.first() else { return Predicted::default() };
    let (mut step_ms, mut prefill_ms) = (Vec::new(), 0.0);
    for stage in &pipeline.stages {
        let rated = |m: &Member| Some((m.clone(), rates(model, device(m)?)?));
        let Some(members) = stage.members.iter().map(rated).collect::<Option<Vec<_>>>() else {
            let never = f64::INFINITY;
            return Predicted { ttft_ms: never, tpot_ms: never, ..Predicted::default() };
        };
        step_ms.push(stage_ms(model, &links, stage.layers, &members));
        let arithmetic = members.iter().map(|(member, rates)| {
            let share = f64::from(member.ffn_columns.len()) / f64::from(model.ffn.max(1));
            rates.prefill_layer_ms * share
        });
        prefill_ms += f64::from(stage.layers.len()) * arithmetic.fold(0.0, f64::max);
        if step_ms.len() == pipeline.stages.len() {
            let output_ms = members[0].1.output_ms;
            if let Some(last) = step_ms.last_mut() {
                *last += output_ms;
            }
        }
    }
    let leaders: Vec<_> = pipeline.stages.iter().map(|stage| stage.leader().node).collect();
    let tpot_ms = step_ms.iter().sum::<f64>() + ring_ms(model, &links, &leaders);
    let ttft_ms = prefill_ms.max(tpot_ms) + ring_ms(model, &links, &leaders);
    let requests_per_s = 1e3 / (ttft_ms + 127.0 * tpot_ms);
    Predicted { ttft_ms, tpot_ms, requests_per_s, step_ms }
}

/// Time on the links of the ring: activations from stage to stage, a token back to the first.
fn ring_ms(model: &ModelSpec, links: &Links, leaders: &[NodeId]) -> f64 {
    let bytes = 4.0 * f64::from(model.hidden);
    let between: f64 =
        leaders.windows(2).map(|pair| links.hop_ms(pair[0], pair[1], bytes)).sum();
    let back = match (leaders.last(), leaders.first()) {
        (Some(last), Some(first)) => links.hop_ms(*last, *first, 0.0),
        _ => 0.0,
    };
    between + back
}
