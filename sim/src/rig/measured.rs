//! Devices whose layers were measured.

use std::{sync::Arc, time::Duration};

use swarm_core::Shard;
use swarm_proto::ModelSpec;

use super::{
    layers::{Card, Layers},
    load::Load,
    roofline::{Roofline, weights},
};

/// A device whose layers take as long as they were measured to; what was not measured, drawing tokens
/// and what stages of another width exchange, is left to a roofline.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    card: Arc<Card>,
    rest: Roofline,
}

impl Measured {
    /// A card, if its layers were measured.
    pub fn of(layers: &Layers, gpu: &str, rest: Roofline) -> Option<Self> {
        layers.card(gpu).filter(|card| card.contains_key(&1)).map(|card| Self { card, rest })
    }

    /// A table is of a layer that cards of one machine share evenly. A member with another part than
    /// that takes so much more or less, which takes what does not shrink with the part for something
    /// that does. Members that no table is of take their part of what one card takes, and exchange.
    pub(super) fn span(
        &self,
        shard: &Shard,
        load: Load,
        (model, mates): (&ModelSpec, usize),
    ) -> Duration {
        let [heads, columns, layers] =
            [shard.kv_heads.len(), shard.ffn_columns.len(), shard.layers.len()].map(f64::from);
        let whole = weights(model, f64::from(model.kv_heads), f64::from(model.ffn));
        let part = weights(model, heads, columns) / whole;
        let (prompt, steps) = (load.rows - load.steps, load.steps);
        let layer = match (self.card.get(&mates), self.card.get(&1)) {
            (Some(times), _) => times.ms(prompt, steps) / 1e3 * part * mates as f64,
            (None, Some(alone)) => {
                let exchange = self.rest.exchange(load, (model, mates));
                alone.ms(prompt, steps) / 1e3 * part + exchange
            }
            (None, None) => 0.0,
        };
        let seconds = layers * layer + self.rest.head(shard, load, model);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::{Batch, ColumnRange, HeadRange, Item, LayerRange};
    use swarm_scheduler::catalogue;

    use super::*;

    /// Milliseconds of ten layers for a step of two answers, on a share of KV heads from 0 on, of
    /// whose stage so many members are on this machine.
    fn ms(gpu: &str, heads: u32, mates: usize) -> f64 {
        let facts = catalogue::model("llama-2-70b").unwrap();
        let model = facts.model(catalogue::format("fp16").unwrap()).spec;
        let layers = Layers::parse(crate::shipped::LAYERS[0].1, &model.name).unwrap();
        let rest = Roofline {
            bytes_per_s: 1e12,
            flops_per_s: 1e14,
            layer: Duration::ZERO,
            params_per_byte: 0.5,
            mate: Duration::from_micros(10),
            mate_bytes_per_s: 1e10,
        };
        let shard = Shard {
            pipeline: 0,
            stage: 0,
            layers: LayerRange::new(0, 10).unwrap(),
            kv_heads: HeadRange::new(0, heads).unwrap(),
            ffn_columns: ColumnRange::new(0, heads * model.ffn / model.kv_heads).unwrap(),
            embeds: true,
            samples: false,
            leads: true,
            kv_blocks: 8,
            members: Vec::new(),
        };
        let step = Item { position: 9, tokens: vec![1], blocks: vec![0].into(), sample: None };
        let batch = Batch { items: vec![step.clone(), step] };
        let card = Measured::of(&layers, gpu, rest).unwrap();
        card.span(&shard, Load::of(&batch), (&model, mates)).as_secs_f64() * 1e3
    }

    #[test]
    fn members_take_their_part_of_what_was_measured() {
        let about =
            |ms: f64, expected: f64| assert!((ms - expected).abs() < 1e-6, "{ms} {expected}");
        about(ms("L4", 8, 1), 69.0);
        about(ms("L4", 4, 2), 36.0);
        about(ms("L4", 5, 2), 36.0 * 5.0 / 4.0);
        about(ms("T4", 2, 4), 20.0);
        // Half of a stage whose other half is elsewhere.
        about(ms("T4", 4, 1), 35.5);
        // Of three together there is no table: a part of one, and a ring. Two rows of 8,192 sums of
        // two bytes in three slices, four hops twice a layer.
        let hop = 0.01 + 2.0 * 2.0 * 8192.0 / 3.0 / 1e10 * 1e3;
        about(ms("T4", 2, 3), 10.0 * (7.1 / 4.0 + 2.0 * 4.0 * hop));
    }
}
