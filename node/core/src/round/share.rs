//! This node's part of a plan: what each of its devices is to hold.

use std::collections::BTreeMap;

use swarm_proto::{BLOCK_TOKENS, ModelSpec, Plan};

use crate::{Shard, membership::Membership, turn::Turn};

/// What our devices are to hold under a plan, or why they cannot.
pub(super) fn shards(
    plan: &Plan,
    membership: &Membership,
    turn: &Turn<'_>,
) -> Result<BTreeMap<u8, Shard>, String> {
    let own = membership.advert(turn.me()).map_or(&[][..], |advert| &advert.devices);
    let mut shards = BTreeMap::new();
    for (p, pipeline) in plan.pipelines.iter().enumerate() {
        for (s, stage) in pipeline.stages.iter().enumerate() {
            for (m, member) in stage.members.iter().enumerate() {
                if member.node != turn.me() {
                    continue;
                }
                let device = own.iter().find(|device| device.index == member.device);
                let device = device.ok_or(format!("there is no device {}", member.device))?;
                let last = s + 1 == pipeline.stages.len();
                let mut shard = Shard {
                    pipeline: p as u16,
                    stage: s as u16,
                    layers: stage.layers,
                    kv_heads: member.kv_heads,
                    ffn_columns: member.ffn_columns,
                    embeds: s == 0,
                    samples: last && m == 0,
                    leads: m == 0,
                    kv_blocks: 0,
                    members: stage.members.iter().map(|m| (m.node, m.device)).collect(),
                };
                shard.kv_blocks = kv_blocks(&turn.config.model, &shard, device.memory_bytes)?;
                shards.insert(member.device, shard);
            }
        }
    }
    Ok(shards)
}

/// KV blocks that fit beside a shard. Fewer than a short conversation needs is not enough.
fn kv_blocks(model: &ModelSpec, shard: &Shard, memory_bytes: u64) -> Result<u32, String> {
    /// A conversation of 256 tokens.
    const BLOCKS_MIN: u32 = 256 / BLOCK_TOKENS;
    /// More blocks than all contexts together could use are left to the owner of the host.
    const BLOCKS_MAX: u32 = 1 << 16;
    let (layers, heads) = (shard.layers.len(), shard.kv_heads.len());
    let columns = shard.ffn_columns.len();
    let share = model.share_bytes(layers, heads, columns, shard.embeds, shard.samples);
    let blocks = model.kv_blocks(memory_bytes, share, model.kv_block_bytes(layers, heads));
    if blocks < BLOCKS_MIN {
        return Err(format!(
            "{share} bytes of weights and {BLOCKS_MIN} KV blocks do not fit {memory_bytes}"
        ));
    }
    Ok(blocks.min(BLOCKS_MAX))
}
