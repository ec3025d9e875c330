//! Which part of a model a device holds.

use swarm_proto::{ColumnRange, HeadRange, LayerRange, Span};

use crate::{ModelConfig, Weights, backend::CacheShape};

/// What a device holds of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// The stage's layers.
    pub layers: LayerRange,
    /// This member's KV-head groups of each of them.
    pub kv_heads: HeadRange,
    /// This member's FFN columns of each of them; both ends are multiples of
    /// [`Weights::ffn_grain`], or the end of all.
    pub ffn_columns: ColumnRange,
    /// Whether rows start here, from tokens: every member of the first stage.
    pub embeds: bool,
    /// Whether rows end here, in logits and samples: the leader of the last stage.
    pub heads: bool,
    /// Whether this member answers for its stage.
    pub leads: bool,
    /// KV blocks, of `BLOCK_TOKENS` tokens each.
    pub kv_blocks: u32,
}

impl Weights {
    /// The shard that is the whole model.
    ///
    /// # Panics
    /// Never: a model's dimensions are checked when it is opened.
    pub fn whole(&self, kv_blocks: u32) -> Shard {
        let config = self.config();
        Shard {
            layers: all(config.layers),
            kv_heads: all(config.kv_heads),
            ffn_columns: all(config.ffn),
            embeds: true,
            heads: true,
            leads: true,
            kv_blocks,
        }
    }
}

fn all<Of>(len: usize) -> Span<Of> {
    let end = u32::try_from(len).expect("a checked dimension");
    Span::new(0, end).expect("at least one of everything")
}

impl Shard {
    /// Refuses, in words, what the model does not have.
    pub(crate) fn check(&self, weights: &Weights) -> Result<(), String> {
        let config = weights.config();
        let within = |name: &str, end: u32, all: usize| {
            let fits = end as usize <= all;
            if fits { Ok(()) } else { Err(format!("{name} end at {end}, there are {all}")) }
        };
        within("layers", self.layers.end(), config.layers)?;
        within("KV heads", self.kv_heads.end(), config.kv_heads)?;
        within("FFN columns", self.ffn_columns.end(), config.ffn)?;
        let grain = weights.ffn_grain();
        for edge in [self.ffn_columns.first() as usize, self.ffn_columns.end() as usize] {
            if !edge.is_multiple_of(grain) && edge != config.ffn {
                return Err(format!("FFN columns are cut at {edge}, no multiple of {grain}"));
            }
        }
        if self.embeds && self.layers.first() != 0 {
            return Err(format!("layer {} does not start from tokens", self.layers.first()));
        }
        let last = self.layers.end() as usize == config.layers;
        if self.heads && !(last && self.leads) {
            return Err("only the leader of the last stage has the head".into());
        }
        if self.kv_blocks == 0 {
            return Err("no KV blocks".into());
        }
        Ok(())
    }

    pub(crate) fn cache(&self, config: &ModelConfig) -> CacheShape {
        CacheShape {
            layers: self.layers.len() as usize,
            blocks: self.kv_blocks as usize,
            kv_heads: self.kv_heads.len() as usize,
            queries: config.heads / config.kv_heads,
            head_dim: config.head_dim,
        }
    }
}
