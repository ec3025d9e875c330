//! What a plan costs, reckoned anew from decision 4.

use std::collections::BTreeMap;

use swarm_proto::{BLOCK_TOKENS, Device, NodeId, Plan, Pool};

/// One member's part of a stage.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Place among the devices.
    pub(crate) device: usize,
    pub(crate) heads: u32,
    pub(crate) columns: u32,
}

/// A stage, its lead first.
pub(crate) struct Step<'a> {
    pub(crate) parts: &'a [Part],
    pub(crate) layers: u32,
    pub(crate) first: bool,
    pub(crate) last: bool,
}

/// A pool's devices and the ways between them.
pub(crate) struct Prices<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) devices: Vec<(NodeId, &'a Device)>,
    /// Half a round trip, and bytes a millisecond.
    ways: BTreeMap<(NodeId, NodeId), (f64, f64)>,
}

impl<'a> Prices<'a> {
    pub(crate) fn of(pool: &'a Pool) -> Self {
        let devices =
            pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d))).collect();
        let mut ways: BTreeMap<_, (f64, f64)> = BTreeMap::new();
        for machine in &pool.machines {
            for link in &machine.links {
                let ms = if link.rtt_ms > 0.0 { link.rtt_ms / 2.0 } else { 15.0 };
                let rate = link.bytes_per_s / 1000.0;
                for ends in [(machine.node, link.to), (link.to, machine.node)] {
                    let way = ways.entry(ends).or_insert((ms, rate));
                    *way = (way.0.max(ms), way.1.min(rate));
                }
            }
        }
        Self { pool, devices, ways }
    }

    /// Milliseconds for so many bytes from one device to another.
    pub(crate) fn way(&self, from: usize, to: usize, bytes: f64) -> f64 {
        let (from, to) = (self.devices[from].0, self.devices[to].0);
        if from == to {
            return 0.0;
        }
        let (ms, rate) = self.ways.get(&(from, to)).copied().unwrap_or((15.0, 10_000.0));
        ms + bytes / rate
    }

    /// Milliseconds for one row of activations between the leads of two stages.
    pub(crate) fn hop(&self, from: usize, to: usize) -> f64 {
        self.way(from, to, 4.0 * f64::from(self.pool.model.hidden))
    }

    /// Milliseconds of one token in a stage; infinite if a member's part does not fit.
    pub(crate) fn step(&self, step: &Step<'_>) -> f64 {
        let parts = || step.parts.iter().enumerate();
        if !parts().all(|(place, part)| self.fits(step, place, part)) {
            return f64::INFINITY;
        }
        let slowest = parts().map(|(place, part)| self.part(step, place, part)).fold(0.0, f64::max);
        let mut exchange = if step.parts.len() > 1 { 0.03 } else { 0.0 };
        for a in step.parts {
            for b in step.parts {
                let bytes = 8.0 * f64::from(self.pool.model.hidden);
                exchange = f64::max(exchange, self.way(a.device, b.device, bytes));
            }
        }
        slowest + 2.0 * f64::from(step.layers) * exchange
    }

    fn fits(&self, step: &Step<'_>, place: usize, part: &Part) -> bool {
        let m = &self.pool.model;
        let samples = step.last && place == 0;
        let mut bytes = m.share_bytes(step.layers, part.heads, part.columns, step.first, samples);
        let blocks = self.pool.context_tokens.div_ceil(BLOCK_TOKENS) + 1;
        bytes += u64::from(blocks) * m.kv_block_bytes(step.layers, part.heads);
        bytes + m.scratch_bytes() <= self.devices[part.device].1.memory_bytes
    }

    /// What one member takes: memory is read, or numbers are multiplied, whichever is slower.
    fn part(&self, step: &Step<'_>, place: usize, part: &Part) -> f64 {
        let m = &self.pool.model;
        let [layers, heads, columns, hidden, width] =
            [step.layers, part.heads, part.columns, m.hidden, m.head_dim].map(f64::from);
        let (head_bytes, head_flops) = if step.last && place == 0 {
            (m.output_bytes as f64, hidden * f64::from(m.vocab))
        } else {
            (0.0, 0.0)
        };
        let cache = heads * f64::from(self.pool.context_tokens) * m.kv_bytes as f64;
        let layer_bytes = heads * m.head_bytes as f64
            + columns * m.column_bytes
            + m.layer_shared_bytes as f64
            + cache;
        let group = f64::from(m.heads / m.kv_heads);
        // Rows of Q, K and V and columns of O; rows of gate and up and columns of down.
        let attention = heads * (2.0 * group + 2.0) * width * hidden;
        let flops = 2.0 * (layers * (attention + 3.0 * columns * hidden) + head_flops);
        let device = self.devices[part.device].1;
        let reading = (layers * layer_bytes + head_bytes) / device.bandwidth_bytes_per_s;
        1000.0 * reading.max(flops / device.flops_per_s)
    }

    /// Milliseconds a token of a plan of one pipeline.
    pub(crate) fn plan_ms(&self, plan: &Plan) -> f64 {
        let [pipeline] = plan.pipelines.as_slice() else { panic!("one pipeline") };
        let count = pipeline.stages.len();
        let device = |node, index| {
            self.devices.iter().position(|(n, d)| (*n, d.index) == (node, index)).unwrap()
        };
        let (mut ms, mut leads) = (0.0, Vec::new());
        for (number, stage) in pipeline.stages.iter().enumerate() {
            let part = |m: &swarm_proto::Member| Part {
                device: device(m.node, m.device),
                heads: m.kv_heads.len(),
                columns: m.ffn_columns.len(),
            };
            let parts: Vec<Part> = stage.members.iter().map(part).collect();
            let (first, last) = (number == 0, number + 1 == count);
            ms += self.step(&Step { parts: &parts, layers: stage.layers.len(), first, last });
            leads.push(parts[0].device);
        }
        let ring = leads.iter().zip(leads.iter().cycle().skip(1));
        ms + ring.map(|(from, to)| self.hop(*from, *to)).sum::<f64>()
    }
}
