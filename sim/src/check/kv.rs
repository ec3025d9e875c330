//! KV that is found is KV that is meant: where a stage's leader goes on after whole blocks, these hold
//! what a request has said so far. (A member that missed something goes on from what it has, and its
//! leader finds that it was not there.)

use swarm_core::Shard;
use swarm_proto::{BLOCK_TOKENS, Batch};

use super::Broken;
use crate::{client::Clients, device::Cache};

/// Whether all that a batch goes on from is what some client's prompt and answer come to.
pub(crate) fn meant_blocks(
    (node, device): (usize, u8),
    (shard, cache): (&Shard, &Cache),
    batch: &Batch,
    clients: &Clients,
) -> Result<(), Broken> {
    let after_blocks = |position: u32| position > 0 && position.is_multiple_of(BLOCK_TOKENS);
    for item in batch.items.iter().filter(|item| shard.leads && after_blocks(item.position)) {
        // Without a block there nothing is computed.
        if cache.continued(item).is_some_and(|kept| !clients.said(kept)) {
            return Err(Broken::WrongKv { node, device, position: item.position });
        }
    }
    Ok(())
}
