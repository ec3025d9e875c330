//! Nodes that only a relay connects.

use std::time::{Duration, Instant};

use bytes::Bytes;
use swarm_net::{Config, Event, Identity, Multiaddr, RelayLimits, Role};

use crate::support::{Peer, calm, door, node_with};

/// A node that listens through `door` only.
async fn hidden_by(door: &Peer) -> Peer {
    let mut behind = Config::new(Identity::ephemeral(), "test");
    let circuit = format!("{}/p2p-circuit", door.addr().await);
    behind.listen = vec![circuit.parse().unwrap()];
    let mut hidden = Peer::start(behind).await;
    hidden.wait(|event| matches!(event, Event::Listening { .. }).then_some(())).await;
    hidden
}

/// A node that nobody can call, and that calls `hidden` where its relay listens.
async fn caller_of(hidden: &Peer) -> Peer {
    let mut mute = Config::new(Identity::ephemeral(), "test");
    mute.join = hidden.seen.iter().filter_map(listening).collect();
    Peer::start(mute).await
}

fn listening(event: &Event) -> Option<Multiaddr> {
    match event {
        Event::Listening { addr } => Some(addr.clone()),
        _ => None,
    }
}

/// The two of them.
async fn hidden_pair(door: &Peer) -> (Peer, Peer) {
    let mut hidden = hidden_by(door).await;
    let mut caller = caller_of(&hidden).await;
    caller.peer_up(&hidden).await;
    hidden.peer_up(&caller).await;
    (caller, hidden)
}

/// A door whose relay has these limits.
async fn strict_door(limits: RelayLimits) -> Peer {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.role = Role::Door(limits);
    node_with(config, &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_only_a_relay_connects_talk_through_it() {
    let door = door().await;
    let (mut caller, mut hidden) = hidden_pair(&door).await;
    let (here, there) = (caller.net.node_id(), hidden.net.node_id());
    for (peer, far) in [(&mut caller, there), (&mut hidden, here)] {
        let path = Event::Path { node: far, relayed: true };
        peer.told(&path).await;
    }
    let peers = caller.net.peers().await;
    assert!(peers.iter().any(|peer| peer.node == there && peer.relayed));
    caller.net.send(there, Bytes::from_static(b"psst")).unwrap();
    assert_eq!(hidden.message().await.1, b"psst"[..]);
    hidden.net.send(here, Bytes::from_static(b"what?")).unwrap();
    assert_eq!(caller.message().await.1, b"what?"[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_connection_is_replaced_before_its_time() {
    let lifetime = Duration::from_secs(4);
    let limits = RelayLimits {
        circuit_duration_max: lifetime,
        reservation_duration: lifetime,
        ..RelayLimits::default()
    };
    let door = strict_door(limits).await;
    let (mut caller, mut hidden) = hidden_pair(&door).await;
    let (begin, mut number) = (Instant::now(), 0_u32);
    while begin.elapsed() < 3 * lifetime {
        let bytes = Bytes::copy_from_slice(&number.to_le_bytes());
        caller.net.send(hidden.net.node_id(), bytes.clone()).unwrap();
        assert_eq!(hidden.message().await.1, bytes);
        hidden.net.send(caller.net.node_id(), bytes.clone()).unwrap();
        assert_eq!(caller.message().await.1, bytes);
        number += 1;
    }
    calm(&mut caller).await;
    calm(&mut hidden).await;
    // The relay still listens for it, too.
    let mut late = caller_of(&hidden).await;
    late.peer_up(&hidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_comes_back_is_asked_again() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.role = Role::Door(RelayLimits::default());
    let first = node_with(config.clone(), &[]).await;
    config.listen = vec![first.addr().await.iter().take(2).collect()];
    let mut hidden = hidden_by(&first).await;
    first.net.shutdown().await;
    hidden.wait(|event| matches!(event, Event::ListenFailed { .. }).then_some(())).await;
    let _second = Peer::start(config).await;
    hidden.wait(|event| matches!(event, Event::Listening { .. }).then_some(())).await;
    let mut caller = caller_of(&hidden).await;
    caller.peer_up(&hidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_connection_is_replaced_before_it_is_full() {
    let full = 8 << 20;
    let limits = RelayLimits { circuit_bytes_max: full, ..RelayLimits::default() };
    let door = strict_door(limits).await;
    let (mut caller, mut hidden) = hidden_pair(&door).await;
    let (to, mut ticks) = (hidden.net.node_id(), tokio::time::interval(Duration::from_millis(40)));
    let body = Bytes::from(vec![0; 128 << 10]);
    for number in 0..3 * full / body.len() as u64 {
        let head = Bytes::copy_from_slice(&number.to_le_bytes());
        caller.net.frame(to, head.clone(), body.clone()).unwrap();
        let got = hidden.wait(|event| match event {
            Event::Frame { head, .. } => Some(head.clone()),
            _ => None,
        });
        assert_eq!(got.await, head);
        // As fast as a relay over the open sea: the limits are looked at now and then.
        ticks.tick().await;
    }
    calm(&mut caller).await;
    calm(&mut hidden).await;
}
