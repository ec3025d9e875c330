//! What machines are made of: what a node measures of its devices and tells others, and how fast they
//! are in truth. Planners see the one, clocks the other.

use std::time::Duration;

use swarm_core::Shard;
use swarm_proto::{Batch, Device, ModelSpec};

use crate::model;

/// A device of a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Rig {
    /// As its node measures it.
    pub told: Device,
    /// How long it takes in truth.
    pub pace: Pace,
}

/// How long a device takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So long for any batch, and so much longer for each row.
    Steady {
        /// For any batch.
        batch: Duration,
        /// For each row.
        row: Duration,
    },
    /// As long as reading or computing takes, whichever is more.
    Roofline(Roofline),
}

/// A device that reads and computes at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// Bytes a second that it reads from its memory.
    pub bytes_per_s: f64,
    /// Operations a second that it computes.
    pub flops_per_s: f64,
    /// What every layer takes beside that.
    pub layer: Duration,
    /// Parameters in a byte of the model's weights.
    pub params_per_byte: f64,
    /// A message to another device of its machine takes so long,
    pub mate: Duration,
    /// and goes at so many bytes a second.
    pub mate_bytes_per_s: f64,
}

/// A batch for a device, as far as it says how long it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Load {
    rows: f64,
    /// Rows that a token is drawn after.
    drawn: f64,
    /// Tokens that are looked back at: once for every session, and once for every row.
    read: f64,
    seen: f64,
}

impl Rig {
    /// A device of the small simulated model, with so much memory.
    pub fn small(index: u8, memory_bytes: u64) -> Self {
        let (batch, row) = (Duration::from_millis(2), Duration::from_micros(40));
        Self { told: model::device(index, memory_bytes), pace: Pace::Steady { batch, row } }
    }

    /// Devices of one machine, by their memory.
    pub fn machine(memory_bytes: &[u64]) -> Vec<Self> {
        (0..).zip(memory_bytes).map(|(index, bytes)| Self::small(index, *bytes)).collect()
    }
}

impl Pace {
    /// How long a batch of a shard takes, of which so many members are on this machine.
    pub(crate) fn span(
        self,
        shard: &Shard,
        batch: &Batch,
        (model, mates): (&ModelSpec, usize),
    ) -> Duration {
        match self {
            Self::Steady { batch: any, row } => any + row * batch.rows() as u32,
            Self::Roofline(of) => of.span(shard, Load::of(batch), (model, mates)),
        }
    }
}

impl Load {
    fn of(batch: &Batch) -> Self {
        let mut all = Self::default();
        for item in &batch.items {
            let (rows, before) = (item.tokens.len() as f64, f64::from(item.position));
            all.rows += rows;
            all.drawn += f64::from(u8::from(item.sample.is_some()));
            all.read += before + rows;
            all.seen += rows * before + rows * (rows + 1.0) / 2.0;
        }
        all
    }
}

impl Roofline {
    /// Weights and KV cache are read once, every row is multiplied with every weight and looks at what
    /// came before it, and twice a layer the members on one machine add up their sums round a ring.
    fn span(&self, shard: &Shard, load: Load, (model, mates): (&ModelSpec, usize)) -> Duration {
        let [heads, columns, layers] =
            [shard.kv_heads.len(), shard.ffn_columns.len(), shard.layers.len()].map(f64::from);
        let weights = model.head_bytes as f64 * heads + model.column_bytes * columns;
        let cache = model.kv_bytes as f64 * heads * load.read;
        let queries = heads * f64::from(model.heads) / f64::from(model.kv_heads);
        let looked = 4.0 * queries * f64::from(model.head_dim) * load.seen;
        let flops = 2.0 * weights * self.params_per_byte * load.rows + looked;
        let layer = self.slower(weights + model.layer_shared_bytes as f64 + cache, flops);
        let head = match shard.samples && load.drawn > 0.0 {
            true => {
                let bytes = model.output_bytes as f64;
                self.slower(bytes, 2.0 * bytes * self.params_per_byte * load.drawn)
            }
            false => 0.0,
        };
        let count = mates.max(1) as f64;
        // Sums are exchanged as numbers of two bytes.
        let slice = 2.0 * f64::from(model.hidden) * load.rows / count;
        let hop = self.mate.as_secs_f64() + slice / self.mate_bytes_per_s;
        let exchange = 2.0 * 2.0 * (count - 1.0) * hop;
        let seconds = layers * (layer + self.layer.as_secs_f64() + exchange) + head;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn slower(&self, bytes: f64, flops: f64) -> f64 {
        (bytes / self.bytes_per_s).max(flops / self.flops_per_s)
    }
}
