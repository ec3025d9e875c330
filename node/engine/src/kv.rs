//! The KV cache of a shard on a processor.
//!
//! A block holds sixteen tokens of one KV head of one layer: the keys with the token as the inner
//! index, so that sixteen scores are computed side by side, then the values with the token as the
//! outer one, so that a weighted sum of them runs along the head. All blocks of a layer lie in one
//! zeroed allocation, which the system fills with memory as blocks are first written.

use swarm_proto::BLOCK_TOKENS;

use crate::backend::CacheShape;

/// Tokens in a block.
pub(crate) const TOKENS: usize = BLOCK_TOKENS as usize;

/// The KV cache of a shard: [`BLOCK_TOKENS`] tokens a block, in f32.
#[derive(Debug)]
pub struct Cache {
    shape: CacheShape,
    layers: Vec<Vec<f32>>,
}

impl CacheShape {
    /// Numbers of one KV head in one block, keys and values.
    fn head_len(self) -> usize {
        2 * TOKENS * self.head_dim
    }

    /// Bytes of the whole cache.
    pub fn bytes(self) -> u64 {
        let numbers = [self.layers, self.blocks, self.kv_heads, self.head_len(), size_of::<f32>()];
        numbers.into_iter().fold(1u64, |product, factor| product.saturating_mul(factor as u64))
    }
}

impl Cache {
    /// An empty cache; `None` if the system has no room for it.
    pub(crate) fn new(shape: CacheShape) -> Option<Self> {
        // A size beyond counting would panic in `vec!`, and `shape` comes from a plan.
        isize::try_from(shape.bytes()).ok()?;
        let len = shape.blocks * shape.kv_heads * shape.head_len();
        Some(Self { shape, layers: (0..shape.layers).map(|_| vec![0.0; len]).collect() })
    }

    pub(crate) fn shape(&self) -> CacheShape {
        self.shape
    }

    /// The keys and values of a head in a block.
    pub(crate) fn block(&self, layer: usize, block: u32, head: usize) -> (&[f32], &[f32]) {
        let len = self.shape.head_len();
        let at = (block as usize * self.shape.kv_heads + head) * len;
        self.layers[layer][at..at + len].split_at(len / 2)
    }

    /// Stores a token's key and value.
    pub(crate) fn store(&mut self, layer: usize, place: Place, key: &[f32], value: &[f32]) {
        let len = self.shape.head_len();
        let at = (place.block as usize * self.shape.kv_heads + place.head) * len;
        let (keys, values) = self.layers[layer][at..at + len].split_at_mut(len / 2);
        for (column, number) in keys.chunks_exact_mut(TOKENS).zip(key) {
            column[place.token] = *number;
        }
        values[place.token * key.len()..][..value.len()].copy_from_slice(value);
    }
}

/// Where a token's key and value lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) block: u32,
    pub(crate) head: usize,
    /// Within the block.
    pub(crate) token: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: CacheShape =
        CacheShape { layers: 2, blocks: 3, kv_heads: 2, queries: 1, head_dim: 3 };

    #[test]
    fn a_token_lies_across_the_keys_and_along_the_values() {
        let mut cache = Cache::new(SHAPE).unwrap();
        let place = Place { block: 2, head: 1, token: 5 };
        cache.store(1, place, &[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]);
        let (keys, values) = cache.block(1, 2, 1);
        assert_eq!([keys[5], keys[16 + 5], keys[32 + 5]], [1.0, 2.0, 3.0]);
        assert_eq!(values[15..18], [4.0, 5.0, 6.0]);
        assert_eq!(keys.iter().chain(values).filter(|&&number| number != 0.0).count(), 6);
        assert!(cache.block(0, 2, 1).0.iter().all(|&number| number == 0.0));
        assert_eq!(SHAPE.bytes(), 2 * 3 * 2 * 2 * 16 * 3 * 4);
    }

    #[test]
    fn a_cache_beyond_counting_is_not_made() {
        let shape = CacheShape { blocks: usize::MAX, ..SHAPE };
        assert!(Cache::new(shape).is_none());
    }
}
