//! Devices hold what they have memory for, and are asked only for what they hold.

use std::sync::Arc;

use swarm_core::Shard;
use swarm_proto::{Batch, Item, ModelSpec};

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

/// Whether each session has one piece of a batch: of two the later would go on from what the earlier has
/// not come to yet. Pieces of one session have its table, which is nobody else's.
pub(crate) fn one_piece(node: usize, device: u8, batch: &Batch) -> Result<(), Broken> {
    let table = |item: &Item| Arc::as_ptr(&item.blocks).cast::<u32>();
    let mut tables: Vec<_> = batch.items.iter().map(table).collect();
    tables.sort_unstable();
    match tables.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Broken::TwoPieces { node, device }),
        false => Ok(()),
    }
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
