//! A shard of a stage on any backend: the one engine there is.

use std::borrow::Cow;

use bytes::Bytes;
use swarm_proto::{Batch, Sampled};

use crate::{
    Architecture, Collective, Engine, EngineError, Memory, Output, Shard, Weights,
    backend::Backend,
    batch::Limits,
    memory,
    model::{Llama, Source},
    sampler,
};

/// A shard of a stage, and the device that computes it.
pub struct Stage<B: Backend> {
    backend: B,
    decoder: Llama<B>,
    shard: Shard,
    limits: Limits,
    memory: Memory,
}

impl<B: Backend> std::fmt::Debug for Stage<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("shard", &self.shard).finish_non_exhaustive()
    }
}

impl<B: Backend> Stage<B> {
    /// Opens `shard` of a model on `backend`, if that takes at most `memory_max_bytes`.
    pub fn open(
        mut backend: B,
        weights: &Weights,
        shard: Shard,
        memory_max_bytes: u64,
    ) -> Result<Self, EngineError> {
        shard.check(weights).map_err(EngineError::Shard)?;
        let memory = memory::needed(weights, &shard);
        let needed_bytes = memory.total_bytes();
        if needed_bytes > memory_max_bytes {
            return Err(EngineError::Memory { needed_bytes, allowed_bytes: memory_max_bytes });
        }
        let limits = Limits::new(weights.config(), &shard);
        let decoder = match weights.config().architecture {
            Architecture::Llama => {
                Llama::open(&mut backend, weights, &shard, shard.cache(weights.config()))?
            }
        };
        Ok(Self { backend, decoder, shard, limits, memory })
    }

    /// Computes a batch and gives the logits of each item's last row, as tests want them. Only from
    /// a stage that has the head.
    pub fn logits(
        &mut self,
        batch: &Batch,
        input: Option<&Bytes>,
        group: &mut dyn Collective,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        self.compute(batch, input, group)?;
        let mut all = Vec::new();
        self.decoder.logits(&mut self.backend, &last_rows(batch), |_, logits| {
            all.push(logits.to_vec());
            Ok(())
        })?;
        Ok(all)
    }

    fn compute(
        &mut self,
        batch: &Batch,
        input: Option<&Bytes>,
        group: &mut dyn Collective,
    ) -> Result<(), EngineError> {
        let ragged = self.limits.check(batch, input).map_err(EngineError::Batch)?;
        let tokens: Vec<u32>;
        let rows: Cow<'_, [f32]>;
        let source = match input {
            None => {
                tokens = batch.items.iter().flat_map(|item| &item.tokens).copied().collect();
                Source::Tokens(&tokens)
            }
            Some(bytes) => {
                rows = numbers(bytes);
                Source::Residual(&rows)
            }
        };
        let Self { backend, decoder, .. } = self;
        backend.within(|backend| decoder.forward(backend, &ragged, source, group))
    }

    fn samples(&mut self, batch: &Batch) -> Result<Vec<Option<Sampled>>, EngineError> {
        let asked: Vec<_> = batch
            .items
            .iter()
            .zip(last_rows(batch))
            .enumerate()
            .filter_map(|(index, (item, row))| Some((index, row, item.sample.as_ref()?)))
            .collect();
        let rows: Vec<_> = asked.iter().map(|(_, row, _)| *row).collect();
        let mut samples = vec![None; batch.items.len()];
        let layer = self.limits.layers;
        let each = |place: usize, logits: &[f32]| {
            let (item, _, draw) = asked[place];
            let sampled = sampler::sample(logits, draw).ok_or(EngineError::Overflow { layer })?;
            samples[item] = Some(sampled);
            Ok(())
        };
        let Self { backend, decoder, .. } = self;
        backend.within(|backend| decoder.logits(backend, &rows, each))?;
        Ok(samples)
    }
}

impl<B: Backend> Engine for Stage<B> {
    fn forward(
        &mut self,
        batch: &Batch,
        input: Option<&Bytes>,
        group: &mut dyn Collective,
    ) -> Result<Output, EngineError> {
        self.compute(batch, input, group)?;
        if !self.shard.leads {
            return Ok(Output::Nothing);
        }
        if self.shard.heads {
            return Ok(Output::Samples(self.samples(batch)?));
        }
        Ok(Output::Activations(little_endian(self.decoder.residual(&mut self.backend)?)))
    }

    fn memory(&self) -> Memory {
        self.memory
    }
}

/// Each item's last row.
fn last_rows(batch: &Batch) -> Vec<usize> {
    let ends = batch.items.iter().scan(0, |end, item| {
        *end += item.tokens.len();
        Some(*end - 1)
    });
    ends.collect()
}

/// The numbers of little-endian bytes, in place where the machine can.
fn numbers(bytes: &[u8]) -> Cow<'_, [f32]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(numbers) if cfg!(target_endian = "little") => Cow::Borrowed(numbers),
        _ => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect(),
    }
}

fn little_endian(numbers: &[f32]) -> Bytes {
    if cfg!(target_endian = "little") {
        return Bytes::copy_from_slice(bytemuck::cast_slice(numbers));
    }
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
