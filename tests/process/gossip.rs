//! Gossip of adverts among three processes, and in a simulated swarm of as many: nothing here is about
//! time.

use std::{path::Path, time::Duration};

use swarm_tests::Gossiped;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const NODES: usize = 3;

/// Every advert comes once to every other core, and each node hands on to all others.
fn hold(what: &str, gossiped: &Gossiped) {
    assert!(gossiped.adverts >= NODES, "{what}: all say something: {gossiped:?}");
    assert_eq!(gossiped.copies, vec![1; gossiped.adverts * (NODES - 1)], "{what}: {gossiped:?}");
    for counts in &gossiped.counts {
        assert_eq!(counts.mesh_peers, NODES as u64 - 1, "{what}: a full mesh: {gossiped:?}");
        assert!(counts.sent >= counts.received - counts.duplicates, "{what}: {gossiped:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adverts_come_once_to_everyone_over_a_full_mesh_in_a_live_and_a_simulated_swarm() {
    let span = Duration::from_secs(12);
    let live = Gossiped::live(Path::new(BINARY), NODES, span).await;
    hold("live", &live);
    for seed in 0..4 {
        hold("simulated", &Gossiped::simulated(&live, seed));
    }
}
