//! A swarm with more nodes than any of them is connected with: whom it wishes for it finds.

use std::collections::BTreeSet;
use std::time::Duration;

use swarm_net::{Config, Event, Identity};
use swarm_proto::NodeId;

use crate::support::{PATIENCE, Peer, door, node_with};

/// So many nodes that call hardly anyone unasked, and a door that knows all.
async fn sparse(count: usize) -> (Vec<Peer>, Peer) {
    let door = door().await;
    let mut nodes = Vec::new();
    for _ in 0..count {
        let mut config = Config::new(Identity::ephemeral(), "test");
        config.limits.mesh_max = 4;
        nodes.push(node_with(config, &[&door]).await);
    }
    for node in &mut nodes {
        node.wait(|event| matches!(event, Event::Joined { .. }).then_some(())).await;
    }
    (nodes, door)
}

async fn connected(peer: &Peer) -> BTreeSet<NodeId> {
    peer.net.peers().await.into_iter().filter(|info| !info.door).map(|info| info.node).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_wished_for_is_found_and_whoever_is_not_is_let_go() {
    let (mut nodes, _door) = sparse(12).await;
    let ids: Vec<_> = nodes.iter().map(|node| node.net.node_id()).collect();
    // Each wants the three after it: of most of them it has never heard.
    let wanted = |at: usize| (1..=3).map(|next| ids[(at + next) % ids.len()]).collect::<Vec<_>>();
    for (at, node) in nodes.iter().enumerate() {
        node.net.wish(&wanted(at), false).unwrap();
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        for id in wanted(at) {
            let up = |event: &Event| matches!(event, Event::PeerUp { node } if *node == id);
            if !node.seen.iter().any(up) {
                node.wait(|event| up(event).then_some(())).await;
            }
        }
    }
    // Whom neither end wants is let go, also if a search has called it meanwhile.
    let near = |at: usize, other: usize| {
        let apart = (at + ids.len() - other) % ids.len();
        apart <= 3 || apart >= ids.len() - 3
    };
    for (at, node) in nodes.iter().enumerate() {
        let wanted: BTreeSet<_> = (0..ids.len())
            .filter(|other| *other != at && near(at, *other))
            .map(|other| ids[other])
            .collect();
        let rest = async {
            loop {
                let here = connected(node).await;
                if here == wanted {
                    break;
                }
                here.difference(&wanted).for_each(|id| node.net.part(*id).unwrap());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, rest).await.expect("whom it wants, and nobody else");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_is_called_again_when_it_comes_back() {
    let (mut nodes, door) = sparse(6).await;
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.limits.mesh_max = 0;
    let late = node_with(config.clone(), &[&door]).await;
    let id = late.net.node_id();
    let wishing = &mut nodes[0];
    wishing.net.wish(&[id], false).unwrap();
    let up = |event: &Event| matches!(event, Event::PeerUp { node } if *node == id).then_some(());
    wishing.wait(up).await;
    late.net.shutdown().await;
    wishing
        .wait(|event| matches!(event, Event::PeerDown { node } if *node == id).then_some(()))
        .await;
    let _late = node_with(config, &[&door]).await;
    wishing.wait(up).await;
}
