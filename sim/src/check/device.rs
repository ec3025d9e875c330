//! Devices hold what they have memory for, and are asked only for what they hold.

use swarm_core::Shard;
use swarm_proto::{Batch, ModelSpec};

use super::Broken;

/// Whether weights, KV blocks and scratch of a shard fit.
pub(crate) fn fits(
    model: &ModelSpec,
    (node, device): (usize, u8),
    shard: &Shard,
    memory_bytes: u64,
) -> Result<(), Broken> {
    let (layers, heads) = (shard.layers.len(), shard.kv_heads.len());
    let columns = shard.ffn_columns.len();
    let weights = model.share_bytes(layers, heads, columns, shard.embeds, shard.samples);
    let kv = u64::from(shard.kv_blocks) * model.kv_block_bytes(layers, heads);
    let bytes = weights + kv + model.scratch_bytes();
    if bytes > memory_bytes {
        return Err(Broken::Memory { node, device, bytes, memory_bytes });
    }
    Ok(())
}

/// Whether a batch names only blocks that the shard has.
pub(crate) fn known_blocks(
    node: usize,
    device: u8,
    shard: &Shard,
    batch: &Batch,
) -> Result<(), Broken> {
    let blocks = shard.kv_blocks;
    match batch.items.iter().flat_map(|item| item.blocks.iter()).find(|block| **block >= blocks) {
        Some(block) => Err(Broken::NoSuchBlock { node, device, block: *block, blocks }),
        None => Ok(()),
    }
}
