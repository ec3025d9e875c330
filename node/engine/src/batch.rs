//! What a batch may say: all of it is checked here, before anything is computed.
//!
//! A batch comes from the core, but what is in it comes from peers and clients in the end. What
//! passes indexes no table out of range anywhere in the engine.

use bytes::Bytes;
use swarm_proto::{Batch, Item};

use crate::{
    BATCH_ROWS_MAX, ModelConfig, RopeStyle, Shard, backend::Ragged, kv::TOKENS, math::sin_cos_f64,
};

/// What a shard can take.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) layers: usize,
    hidden: usize,
    vocab: usize,
    context_max: usize,
    kv_blocks: u32,
    embeds: bool,
    heads: bool,
    frequencies: Vec<f64>,
    style: RopeStyle,
}

impl Limits {
    pub(crate) fn new(config: &ModelConfig, shard: &Shard) -> Self {
        Self {
            layers: config.layers,
            hidden: config.hidden,
            vocab: config.vocab,
            context_max: config.context_max,
            kv_blocks: shard.kv_blocks,
            embeds: shard.embeds,
            heads: shard.heads,
            frequencies: config.rope.frequencies(),
            style: config.rope.style,
        }
    }

    /// Refuses, in words, what cannot be computed; says where each row belongs.
    pub(crate) fn check<'a>(
        &self,
        batch: &'a Batch,
        input: Option<&Bytes>,
    ) -> Result<Ragged<'a>, String> {
        let rows = batch.rows();
        if !(1..=BATCH_ROWS_MAX).contains(&rows) {
            return Err(format!("{rows} rows, expected 1 to {BATCH_ROWS_MAX}"));
        }
        self.check_input(rows, input)?;
        for (index, item) in batch.items.iter().enumerate() {
            self.check_item(item).map_err(|what| format!("item {index} has {what}"))?;
        }
        Ok(self.ragged(batch))
    }

    fn check_input(&self, rows: usize, input: Option<&Bytes>) -> Result<(), String> {
        let expected = rows * self.hidden * size_of::<f32>();
        match input {
            None if self.embeds => Ok(()),
            None => Err("no input, which only the first stage does without".into()),
            Some(_) if self.embeds => {
                Err("an input, but rows of the first stage are tokens".into())
            }
            Some(bytes) if bytes.len() == expected => Ok(()),
            Some(bytes) => Err(format!("an input of {} bytes, expected {expected}", bytes.len())),
        }
    }

    fn check_item(&self, item: &Item) -> Result<(), String> {
        if item.tokens.is_empty() {
            return Err("no rows".into());
        }
        if let Some(token) = item.tokens.iter().find(|&&token| token as usize >= self.vocab) {
            return Err(format!("token {token}, outside a vocabulary of {}", self.vocab));
        }
        let end = item.position as usize + item.tokens.len();
        if end > self.context_max {
            return Err(format!("{end} positions, the context has {}", self.context_max));
        }
        let Some(blocks) = item.blocks.get(..end.div_ceil(TOKENS)) else {
            return Err(format!("{} KV blocks for {end} positions", item.blocks.len()));
        };
        if let Some(block) = blocks.iter().find(|&&block| block >= self.kv_blocks) {
            return Err(format!("KV block {block}, there are {}", self.kv_blocks));
        }
        match &item.sample {
            Some(draw) if self.heads => draw.sampling.check().map_err(Into::into),
            _ => Ok(()),
        }
    }

    fn ragged<'a>(&self, batch: &'a Batch) -> Ragged<'a> {
        let positions = |item: &Item| {
            let first = item.position as usize;
            first..first + item.tokens.len()
        };
        let rows: Vec<_> = batch
            .items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| positions(item).map(move |position| (index, position)))
            .collect();
        let turn = |position: usize, frequency: f64| {
            let (sin, cos) = sin_cos_f64(position as f64 * frequency);
            (cos as f32, sin as f32)
        };
        let turns = rows
            .iter()
            .flat_map(|&(_, position)| self.frequencies.iter().map(move |f| turn(position, *f)))
            .collect();
        let pairs = self.frequencies.len();
        Ragged { items: &batch.items, rows, turns, pairs, style: self.style }
    }
}
