//! Models.

use std::sync::OnceLock;

use serde::Deserialize;
use swarm_proto::{Hash, ModelSpec};

use super::{
    format::Format,
    lookup::{Unknown, find},
    table,
};
use crate::ground::{Mixture, Model};

/// Columns of an FFN are shared out in multiples of this where that goes: a block of most formats.
const GRAIN: u32 = 32;

/// A model as its publisher describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Decoder layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// KV heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// FFN columns of a layer without experts.
    pub ffn: u32,
    /// Tokens in the vocabulary.
    pub vocab: u32,
    /// 1 if the output head is the embedding.
    pub tied: u8,
    /// The longest context.
    pub context_max: u32,
    /// `gated` (three matrices) or `plain` (two).
    pub mlp: String,
    /// Experts of a layer; 0 for none.
    pub experts: u32,
    /// Experts that a token goes through.
    pub experts_per_token: u32,
    /// FFN columns of an expert.
    pub expert_ffn: u32,
    /// Experts that every token goes through.
    pub shared_experts: u32,
    /// Layers without experts.
    pub dense_layers: u32,
    /// Tokens that a windowed layer looks back; 0 for all. Not used yet: every layer is taken to
    /// look back over everything.
    pub sliding_window: u32,
    /// Parameters, in billions.
    pub params_b: f64,
    /// Those that a token is multiplied with.
    pub active_params_b: f64,
    /// KV cache of a token, 16 bits, over all layers.
    pub kv_bytes_per_token: u64,
    /// The format it is published in.
    pub weights: String,
    /// Where the figures are from.
    pub basis: String,
}

/// All models.
pub fn models() -> &'static [ModelFacts] {
    static MODELS: OnceLock<Vec<ModelFacts>> = OnceLock::new();
    MODELS.get_or_init(|| table(include_str!("../../data/models.csv")))
}

/// The model of a name.
pub fn model(name: &str) -> Result<&'static ModelFacts, Unknown> {
    let names: Vec<&str> = models().iter().map(|model| model.name.as_str()).collect();
    Ok(&models()[find("model", name, &names)?])
}

impl ModelFacts {
    /// What a planner knows of it, with weights in a format and KV cache of 16 bits.
    pub fn model(&self, format: Format) -> Model {
        let bytes = format.bits / 8.0;
        let (hidden, layers) = (f64::from(self.hidden), f64::from(self.layers));
        let matrices = if self.mlp == "gated" { 3.0 } else { 2.0 };
        // Layers without experts count for what they weigh: columns of an average layer.
        let (per_layer, experts) = if self.experts == 0 {
            (self.ffn, 1)
        } else {
            (
                self.expert_ffn.saturating_mul(self.experts + self.shared_experts),
                self.experts + self.shared_experts,
            )
        };
        let sparse = layers - f64::from(self.dense_layers);
        let ffn_params = matrices
            * hidden
            * (f64::from(self.dense_layers) * f64::from(self.ffn) + sparse * f64::from(per_layer));
        let column_params = ffn_params / layers / f64::from(per_layer.max(1));
        let ends = hidden * f64::from(self.vocab);
        let both = if self.tied == 1 { ends } else { 2.0 * ends };
        let attention = ((self.params_b * 1e9 - ffn_params - both) / layers).max(0.0);
        let head_params = attention / f64::from(self.kv_heads);
        let grain =
            |grain: u32| per_layer.is_multiple_of(grain * experts).then_some(grain * experts);
        let spec = ModelSpec {
            name: self.name.clone(),
            hash: Hash::of(self.name.as_bytes()),
            layers: self.layers,
            hidden: self.hidden,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            ffn: per_layer,
            ffn_grain: grain(GRAIN).or(grain(1)).unwrap_or(1),
            vocab: self.vocab,
            context_max: self.context_max,
            head_bytes: (head_params * bytes) as u64,
            column_bytes: column_params * bytes,
            layer_shared_bytes: 4 * u64::from(self.hidden),
            embedding_bytes: (ends * bytes) as u64,
            output_bytes: (ends * bytes) as u64,
            tied: self.tied == 1,
            kv_bytes: self.kv_bytes_per_token / u64::from(self.layers) / u64::from(self.kv_heads),
        };
        let mixture = (self.experts > 0).then(|| Mixture {
            experts: self.experts,
            per_token: self.experts_per_token,
            shared: f64::from(self.shared_experts) / f64::from(experts),
        });
        Model { spec, mixture, head_params, column_params }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::format;

    /// Every model is as large as its publisher says.
    #[test]
    fn models_weigh_what_they_should() {
        for facts in models() {
            let model = facts.model(format("fp16").unwrap());
            let wanted = facts.params_b * 2e9;
            let found = model.spec.total_bytes() as f64;
            assert!((found / wanted - 1.0).abs() < 0.01, "{}: {found} for {wanted}", facts.name);
            format(&facts.weights).unwrap();
        }
    }
}
