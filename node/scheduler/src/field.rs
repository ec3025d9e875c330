//! The field: a pool without its absurdities, as every part of the planner sees it.

use std::collections::{BTreeMap, BTreeSet};

use swarm_proto::{BLOCK_TOKENS, ModelSpec, NodeId, Pool};

use crate::ground::{BYTES_MAX, LAYERS_MAX, Share, WIDTH_MAX};

/// Half a round trip to a peer that nobody measured, in milliseconds.
const WAY_MS: f64 = 15.0;
/// Throughput to a peer that nobody measured, bytes a second.
const THROUGHPUT: f64 = 1e7;
/// A device that can be planned with.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) node: NodeId,
    pub(crate) device: u8,
    /// Which machine of the field.
    pub(crate) machine: usize,
    pub(crate) memory: u64,
    /// Bytes a millisecond.
    pub(crate) bandwidth: f64,
    /// Floating-point operations a millisecond.
    pub(crate) flops: f64,
}

/// The way between two machines.
#[derive(Clone, Copy, Debug)]
struct Way {
    ms: f64,
    bytes_per_ms: f64,
}

/// A model and the usable devices, in the order of their ids.
pub(crate) struct Field<'a> {
    pub(crate) model: &'a ModelSpec,
    pub(crate) spots: Vec<Spot>,
    /// Devices whose figures cannot be, and that are left out.
    pub(crate) refused: usize,
    pub(crate) context: f64,
    blocks: u32,
    ways: BTreeMap<(usize, usize), Way>,
}

impl<'a> Field<'a> {
    /// What of `pool` can be used.
    pub(crate) fn new(pool: &'a Pool) -> Self {
        let nodes: BTreeSet<_> = pool.machines.iter().map(|m| m.node).collect();
        let machines: BTreeMap<_, _> = nodes.into_iter().zip(0..).collect();
        let mut spots = BTreeMap::new();
        let mut ways = BTreeMap::new();
        let mut refused = 0;
        for machine in &pool.machines {
            let from = machines[&machine.node];
            for device in &machine.devices {
                let rate = |x: f64| (x.is_finite() && x >= 1.0).then(|| x.min(1e18) / 1e3);
                let rates = (rate(device.bandwidth_bytes_per_s), rate(device.flops_per_s));
                let (Some(bandwidth), Some(flops)) = rates else {
                    refused += 1;
                    continue;
                };
                spots.entry((machine.node, device.index)).or_insert(Spot {
                    node: machine.node,
                    device: device.index,
                    machine: from,
                    memory: device.memory_bytes,
                    bandwidth,
                    flops,
                });
            }
            for link in &machine.links {
                let Some(&to) = machines.get(&link.to) else { continue };
                let real = |x: f64| x.is_finite() && x > 0.0;
                let ms = if real(link.rtt_ms) { link.rtt_ms.min(1e7) / 2.0 } else { WAY_MS };
                let rate = if real(link.bytes_per_s) { link.bytes_per_s } else { THROUGHPUT };
                let bytes_per_ms = rate.clamp(1e2, 1e15) / 1e3;
                // Two ends report one link: the worse word counts.
                let way =
                    ways.entry((from.min(to), from.max(to))).or_insert(Way { ms, bytes_per_ms });
                way.ms = way.ms.max(ms);
                way.bytes_per_ms = way.bytes_per_ms.min(bytes_per_ms);
            }
        }
        Self {
            model: &pool.model,
            spots: spots.into_values().collect(),
            refused,
            context: f64::from(pool.context_tokens),
            blocks: pool.context_tokens.div_ceil(BLOCK_TOKENS).saturating_add(1),
            ways,
        }
    }

    /// The place of a device among the spots, if it can be planned with.
    pub(crate) fn place(&self, node: NodeId, device: u8) -> Option<usize> {
        self.spots.binary_search_by_key(&(node, device), |spot| (spot.node, spot.device)).ok()
    }

    /// Milliseconds that `bytes` take from one machine to another; nothing within one.
    pub(crate) fn way_ms(&self, a: usize, b: usize, bytes: f64) -> f64 {
        if a == b {
            return 0.0;
        }
        let unknown = Way { ms: WAY_MS, bytes_per_ms: THROUGHPUT / 1e3 };
        let way = self.ways.get(&(a.min(b), a.max(b))).unwrap_or(&unknown);
        way.ms + bytes / way.bytes_per_ms
    }

    /// Whether the model's figures are those of a model, so that no sum of bytes overflows.
    pub(crate) fn sane(&self) -> bool {
        let m = self.model;
        let heads = m.head_bytes as f64 * f64::from(m.kv_heads);
        let layer = heads + m.column_bytes * f64::from(m.ffn) + m.layer_shared_bytes as f64;
        let kv = m.kv_bytes as f64 * f64::from(BLOCK_TOKENS) * f64::from(m.kv_heads);
        let ends = m.embedding_bytes as f64 + m.output_bytes as f64;
        let bytes = (layer + kv) * f64::from(m.layers) + ends;
        (1..=LAYERS_MAX).contains(&m.layers)
            && [m.heads, m.kv_heads, m.head_dim, m.ffn, m.hidden]
                .iter()
                .all(|x| (1..=WIDTH_MAX).contains(x))
            && m.column_bytes >= 0.0
            && bytes < BYTES_MAX
    }

    /// The least that a member of a stage holds: of one layer, one head and a grain of the columns.
    pub(crate) fn least(&self) -> Share {
        let columns = self.model.ffn_grain.clamp(1, self.model.ffn);
        Share { layers: 1, heads: 1, columns, embeds: false, samples: false }
    }

    /// All of so many layers.
    pub(crate) fn whole(&self, layers: u32) -> Share {
        let (heads, columns) = (self.model.kv_heads, self.model.ffn);
        Share { layers, heads, columns, embeds: false, samples: false }
    }

    /// What a share takes beside scratch: weights, and KV cache for the context.
    pub(crate) fn share_bytes(&self, s: Share) -> u64 {
        let share = self.model.share_bytes(s.layers, s.heads, s.columns, s.embeds, s.samples);
        let block = self.model.kv_block_bytes(s.layers, s.heads);
        share.saturating_add(block.saturating_mul(u64::from(self.blocks)))
    }

    /// Whether a share and the context's KV cache fit a device.
    pub(crate) fn fits(&self, spot: usize, s: Share) -> bool {
        let share = self.model.share_bytes(s.layers, s.heads, s.columns, s.embeds, s.samples);
        let block = self.model.kv_block_bytes(s.layers, s.heads);
        let memory = self.spots[spot].memory;
        let room = share.saturating_add(self.model.scratch_bytes()) <= memory;
        room && self.model.kv_blocks(memory, share, block) >= self.blocks
    }
}
