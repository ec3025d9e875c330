//! Peers find each other, stay together, and notice who is gone.

use bytes::Bytes;
use swarm_net::{Config, Event, Identity, Lane, NetError, RelayLimits, Role, SendError, SwarmKey};

use crate::support::{PATIENCE, Peer, calm, door, mesh, node, node_with, pair};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_nodes_meet_through_a_door_and_the_door_is_no_node() {
    let mut door = door().await;
    let mut nodes = mesh(6, &door).await;
    for node in &mut nodes {
        let peers = node.net.peers().await;
        assert_eq!(peers.iter().filter(|peer| !peer.door).count(), 5);
        assert_eq!(peers.iter().filter(|peer| peer.door).count(), 1);
    }
    let door_id = door.net.node_id();
    for node in &mut nodes {
        assert!(!node.seen.iter().any(|event| matches!(
            event, Event::PeerUp { node } if *node == door_id
        )));
    }
    calm(&mut door).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_leaves_is_missed_and_what_was_for_it_comes_back() {
    let (mut one, other) = pair().await;
    let gone = other.net.node_id();
    other.net.shutdown().await;
    one.wait(|event| matches!(event, Event::PeerDown { node } if *node == gone).then_some(()))
        .await;
    one.net.send(gone, Bytes::from_static(b"are you there?")).unwrap();
    one.wait(|event| {
        matches!(event, Event::Undeliverable { to, lane: Lane::Control, .. } if *to == gone)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_door_that_comes_back_is_joined_again() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.role = Role::Door(RelayLimits::default());
    let first = node_with(config.clone(), &[]).await;
    let addr = first.addr().await;
    let mut one = node(&[&first]).await;
    one.wait(|event| matches!(event, Event::Joined { door: true, .. }).then_some(())).await;
    first.net.shutdown().await;
    one.wait(|event| matches!(event, Event::JoinFailed { .. }).then_some(())).await;
    config.listen = vec![addr.iter().take(2).collect()];
    let _second = Peer::start(config).await;
    one.wait(|event| matches!(event, Event::Joined { door: true, .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_swarm_is_closed_to_those_without_its_key() {
    let private = |key| {
        let mut config = Config::new(Identity::ephemeral(), "test");
        config.key = key;
        config
    };
    let key = Some(SwarmKey::new([1; 32]));
    let mut one = node_with(private(key), &[]).await;
    let mut friend = node_with(private(key), &[&one]).await;
    friend.peer_up(&one).await;
    one.peer_up(&friend).await;
    for wrong in [None, Some(SwarmKey::new([2; 32]))] {
        let mut stranger = node_with(private(wrong), &[&one]).await;
        stranger.wait(|event| matches!(event, Event::JoinFailed { .. }).then_some(())).await;
        let friends = one.net.peers().await;
        assert!(friends.iter().all(|peer| peer.node == friend.net.node_id()));
    }
    friend.net.send(one.net.node_id(), Bytes::from_static(b"still here")).unwrap();
    assert_eq!(one.message().await.1, b"still here"[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_alone_is_enough() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.listen = vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()];
    let mut one = Peer::start(config.clone()).await;
    config.identity = Identity::ephemeral();
    config.join = vec![one.addr().await];
    let other = Peer::start(config).await;
    one.peer_up(&other).await;
    other.net.send(one.net.node_id(), Bytes::from_static(b"by quic")).unwrap();
    assert_eq!(one.message().await.1, b"by quic"[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named() {
    let one = node(&[]).await;
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.listen = vec![one.addr().await.iter().take(2).collect()];
    let error = swarm_net::start(config.clone()).await.err().unwrap();
    assert!(matches!(error, NetError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&config.listen[0].to_string()), "{error}");

    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    config.listen = vec![format!("/ip4/127.0.0.1/udp/{port}/quic-v1").parse().unwrap()];
    let error = swarm_net::start(config).await.err().unwrap();
    assert!(matches!(error, NetError::InUse { .. }), "{error}");
}

/// As when its process is killed: nothing is said, but the system closes its connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_killed_is_missed() {
    let mut one = node(&[]).await;
    let addr = one.addr().await;
    let (up, upped) = std::sync::mpsc::channel();
    let other = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut config = Config::new(Identity::ephemeral(), "test");
        config.join = vec![addr];
        let peer = runtime.block_on(Peer::start(config));
        up.send(peer.net.node_id()).unwrap();
        (runtime, peer)
    });
    let (runtime, peer) = other.await.unwrap();
    let id = upped.recv_timeout(PATIENCE).unwrap();
    one.wait(|event| matches!(event, Event::PeerUp { node } if *node == id).then_some(())).await;
    runtime.shutdown_background();
    one.wait(|event| matches!(event, Event::PeerDown { node } if *node == id).then_some(())).await;
    drop(peer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_end_nothing_happens_and_nothing_is_taken() {
    let (mut one, mut other) = pair().await;
    let to = other.net.node_id();
    one.net.send(to, Bytes::from_static(b"last words")).unwrap();
    assert_eq!(other.message().await.1, b"last words"[..]);
    one.net.clone().shutdown().await;
    let end = async { while one.events.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the events end");
    assert_eq!(one.net.send(to, Bytes::new()), Err(SendError::Closed));
    assert_eq!(one.net.publish(Bytes::new()), Err(SendError::Closed));
    assert!(one.net.open(to, 1).await.is_err());
    assert!(one.net.peers().await.is_empty());
}
