//! Devices of which only rates are known.

use std::time::Duration;

use swarm_core::Shard;
use swarm_proto::ModelSpec;

use super::load::Load;

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

/// Bytes of the weights of so many KV heads and FFN columns of a layer.
pub(super) fn weights(model: &ModelSpec, heads: f64, columns: f64) -> f64 {
    model.head_bytes as f64 * heads + model.column_bytes * columns
}

impl Roofline {
    /// Weights and KV cache are read once, every row is multiplied with every weight and looks at what
    /// came before it, and twice a layer the members on one machine add up their sums round a ring.
    pub(super) fn span(
        &self,
        shard: &Shard,
        load: Load,
        (model, mates): (&ModelSpec, usize),
    ) -> Duration {
        let [heads, columns, layers] =
            [shard.kv_heads.len(), shard.ffn_columns.len(), shard.layers.len()].map(f64::from);
        let weights = weights(model, heads, columns);
        let cache = model.kv_bytes as f64 * heads * load.read;
        let queries = heads * f64::from(model.heads) / f64::from(model.kv_heads);
        let looked = 4.0 * queries * f64::from(model.head_dim) * load.seen;
        let flops = 2.0 * weights * self.params_per_byte * load.rows + looked;
        let layer = self.slower(weights + model.layer_shared_bytes as f64 + cache, flops);
        let exchange = self.exchange(load, (model, mates));
        let seconds =
            layers * (layer + self.layer.as_secs_f64() + exchange) + self.head(shard, load, model);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Seconds that the last stage draws tokens for.
    pub(super) fn head(&self, shard: &Shard, load: Load, model: &ModelSpec) -> f64 {
        if !shard.samples || load.drawn == 0.0 {
            return 0.0;
        }
        let bytes = model.output_bytes as f64;
        self.slower(bytes, 2.0 * bytes * self.params_per_byte * load.drawn)
    }

    /// Seconds that members on one machine add up the sums of a layer for.
    pub(super) fn exchange(&self, load: Load, (model, mates): (&ModelSpec, usize)) -> f64 {
        let count = mates.max(1) as f64;
        // Sums are exchanged as numbers of two bytes.
        let slice = 2.0 * f64::from(model.hidden) * load.rows / count;
        let hop = self.mate.as_secs_f64() + slice / self.mate_bytes_per_s;
        2.0 * 2.0 * (count - 1.0) * hop
    }

    fn slower(&self, bytes: f64, flops: f64) -> f64 {
        (bytes / self.bytes_per_s).max(flops / self.flops_per_s)
    }
}
