//! Whether what a device is to hold fits it.

use swarm_proto::BLOCK_TOKENS;

use crate::ground::{Ground, Share};

impl Ground {
    /// With room for so many tokens of KV cache in every pipeline, and no more requests under way
    /// than that is enough for.
    pub fn with_cache(self, tokens: u32) -> Self {
        let mut ground = Self { cache_tokens: Some(tokens), ..self };
        let most = ground.under_way(1, 1).unwrap_or(u32::MAX);
        ground.rules.batch_max = ground.rules.batch_max.min(most);
        ground
    }

    /// Requests whose KV cache a stage has room for, where so many stages each step a batch of their
    /// own; rounded up, so that pipelines of about the same depth are reckoned alike.
    pub(crate) fn resident(&self, batch: u32, stages: usize) -> u32 {
        let stages = u32::try_from(stages).unwrap_or(u32::MAX >> 1).next_power_of_two();
        if self.rules.plain() || self.cache_tokens.is_some() {
            return 1;
        }
        batch.saturating_mul(stages)
    }

    /// Requests that may be under way in a pipeline of so many stages at the same time: those whose
    /// KV cache has room. HexGen's rules do not ask.
    fn under_way(&self, batch: u32, stages: usize) -> Option<u32> {
        match self.cache_tokens {
            Some(tokens) => Some((tokens / self.workload.context().max(1)).max(1)),
            None if self.rules.plain() => None,
            None => Some(self.resident(batch, stages)),
        }
    }

    /// From one request to the next as far as KV cache goes, of requests that have it for so long
    /// (Little's law): who waits for tokens from afar keeps its room.
    pub(crate) fn cached_ms(&self, latency_ms: f64, batch: u32, stages: usize) -> f64 {
        self.under_way(batch, stages).map_or(0.0, |requests| latency_ms / f64::from(requests))
    }

    /// What a share takes of a device beside the reserve: weights, KV cache of so many requests,
    /// scratch.
    pub(crate) fn share_bytes(&self, share: Share, requests: u32) -> u64 {
        let m = &self.model;
        let ends = self.rules.ends_everywhere;
        let (embeds, samples) = (share.embeds && !ends, share.samples && !ends);
        let weights = m.share_bytes(share.layers, share.heads, share.columns, embeds, samples);
        let aside = if ends { m.embedding_bytes } else { 0 };
        let blocks = u64::from(self.blocks()).saturating_mul(u64::from(requests));
        let cache = m.kv_block_bytes(share.layers, share.heads).saturating_mul(blocks);
        [aside, cache, self.scratch_bytes()]
            .iter()
            .fold(weights, |sum, more| sum.saturating_add(*more))
    }

    /// Blocks of KV cache of a request, or of all that share a pipeline's: one is only begun.
    pub(crate) fn blocks(&self) -> u32 {
        match self.cache_tokens {
            Some(tokens) => tokens.div_ceil(BLOCK_TOKENS).saturating_add(1),
            None => self.workload.context().div_ceil(BLOCK_TOKENS),
        }
    }

    /// Whether a share fits a device.
    pub(crate) fn fits(&self, spot: usize, share: Share, requests: u32) -> bool {
        let taken = self.share_bytes(share, requests).saturating_add(self.rules.reserve_bytes);
        taken <= self.spots[spot].memory_bytes
    }

    /// What a device needs beside weights and KV cache: HexGen's four rows of activations a token,
    /// or what our engine allots.
    fn scratch_bytes(&self) -> u64 {
        if self.rules.plain() {
            return 8 * u64::from(self.workload.context()) * u64::from(self.model.hidden);
        }
        self.model.scratch_bytes()
    }
}
