//! KV that is found is KV that is meant: where a batch goes on after whole blocks, these hold what a
//! request has said so far.

use swarm_proto::{BLOCK_TOKENS, Batch};

use super::Broken;
use crate::{client::Clients, worker::Worker};

/// Whether all that a batch goes on from is what some client's prompt and answer come to.
pub(crate) fn meant_blocks(
    node: usize,
    device: u8,
    worker: &Worker,
    batch: &Batch,
    clients: &Clients,
) -> Result<(), Broken> {
    let after_blocks = |position: u32| position > 0 && position.is_multiple_of(BLOCK_TOKENS);
    for item in batch.items.iter().filter(|item| after_blocks(item.position)) {
        let kept = worker.cache.kept(item, item.position - 1);
        if kept.is_none_or(|kept| !clients.said(kept)) {
            return Err(Broken::WrongKv { node, device, position: item.position });
        }
    }
    Ok(())
}
