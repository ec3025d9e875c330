//! Peers that mean well: they find each other, and what one sends is what the other gets.

mod support;

use std::time::Duration;

use bytes::Bytes;
use support::{Peer, calm, door, mesh, node, node_with, pair};
use swarm_net::{
    BODY_BYTES_MAX, Config, Event, HEAD_BYTES_MAX, Identity, Lane, MESSAGE_BYTES_MAX, NetError,
    SendError, SwarmKey,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_meet_through_a_door_and_the_door_is_no_node() {
    let mut door = door().await;
    let mut nodes = mesh(3, &door).await;
    for node in &mut nodes {
        let peers = node.net.peers().await;
        assert_eq!(peers.iter().filter(|peer| !peer.door).count(), 2);
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
async fn messages_arrive_in_order() {
    let (one, mut other) = pair().await;
    let count = 300_u32;
    for number in 0..count {
        one.net.send(other.net.node_id(), number.to_le_bytes().to_vec().into()).unwrap();
    }
    for number in 0..count {
        let (from, bytes) = other.message().await;
        assert_eq!(from, one.net.node_id());
        assert_eq!(bytes[..], number.to_le_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_peer_that_is_only_known_calls_it() {
    let door = door().await;
    let mut quiet = Config::new(Identity::ephemeral(), "test");
    quiet.limits.mesh_max = 0;
    let one = node_with(quiet.clone(), &[&door]).await;
    quiet.identity = Identity::ephemeral();
    let mut other = node_with(quiet, &[&door]).await;
    let to = other.net.node_id();
    // The door may not have heard of the other yet: then the message comes back.
    let net = one.net.clone();
    let sender = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            let _ = net.send(to, Bytes::from_static(b"hello"));
        }
    });
    let (from, bytes) = other.message().await;
    assert_eq!((from, &bytes[..]), (one.net.node_id(), &b"hello"[..]));
    sender.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_any_length_arrive_whole_and_in_order() {
    let (one, mut other) = pair().await;
    let lengths = [(0, 0), (1, 0), (0, 1), (40, 16 << 10), (HEAD_BYTES_MAX, 1 << 20), (9, 8 << 20)];
    let frame = |(head, body): (usize, usize)| {
        let byte = |at: usize| (at.wrapping_mul(31) ^ head ^ body) as u8;
        (Bytes::from_iter((0..head).map(byte)), Bytes::from_iter((0..body).map(byte)))
    };
    for lengths in lengths {
        let (head, body) = frame(lengths);
        one.net.frame(other.net.node_id(), head, body).unwrap();
    }
    for lengths in lengths {
        let (head, body) = frame(lengths);
        let got = other.wait(|event| match event {
            Event::Frame { head, body, .. } => Some((head.clone(), body.clone())),
            _ => None,
        });
        assert!(got.await == (head, body), "{lengths:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_or_has_no_peer_is_refused_at_once() {
    let (one, other) = pair().await;
    let to = other.net.node_id();
    let zeros = |bytes: usize| Bytes::from(vec![0; bytes]);
    let too_long = |result: Result<(), SendError>| {
        assert!(matches!(result, Err(SendError::TooLong { .. })), "{result:?}");
    };
    too_long(one.net.send(to, zeros(MESSAGE_BYTES_MAX + 1)));
    too_long(one.net.frame(to, zeros(HEAD_BYTES_MAX + 1), Bytes::new()));
    too_long(one.net.frame(to, Bytes::new(), zeros(BODY_BYTES_MAX + 1)));
    too_long(one.net.publish(zeros(swarm_net::GOSSIP_BYTES_MAX + 1)));
    let itself = one.net.send(one.net.node_id(), Bytes::new());
    assert_eq!(itself, Err(SendError::NoSuchPeer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_said_to_nobody_is_heard_by_whoever_comes() {
    let mut one = node(&[]).await;
    let words = Bytes::from(vec![7; swarm_net::GOSSIP_BYTES_MAX]);
    one.net.publish(words.clone()).unwrap();
    let mut other = node(&[&one]).await;
    let heard = other.wait(|event| match event {
        Event::Gossip { author, bytes } => Some((*author, bytes.clone())),
        _ => None,
    });
    assert_eq!(heard.await, (one.net.node_id(), words));
    calm(&mut one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_stream_carries_bytes_both_ways() {
    let (one, mut other) = pair().await;
    let mut near = one.net.open(other.net.node_id(), 7).await.unwrap();
    let mut far = loop {
        if let Event::Opened { from, purpose, stream } = other.next().await {
            assert_eq!((from, purpose), (one.net.node_id(), 7));
            break stream;
        }
    };
    near.write_all(b"ping").await.unwrap();
    near.flush().await.unwrap();
    let mut bytes = [0; 4];
    far.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    far.write_all(b"pong").await.unwrap();
    far.shutdown().await.unwrap();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"pong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stalls_fills_a_bounded_queue_and_is_given_up() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.limits.frame_queue_bytes = 4 << 20;
    config.limits.progress_timeout = Duration::from_millis(500);
    let mut one = node_with(config, &[]).await;
    // Its events are never drained from here on.
    let mut other = node(&[&one]).await;
    other.peer_up(&one).await;
    one.peer_up(&other).await;
    let to = other.net.node_id();
    let body = Bytes::from(vec![0; 1 << 20]);
    // Their sum is far above what both queues and the wire hold.
    let taken = (0..1000).take_while(|_| one.net.frame(to, Bytes::new(), body.clone()).is_ok());
    assert!(taken.count() < 100, "the queue has no end");
    let refused = one.net.frame(to, Bytes::new(), body.clone());
    assert!(matches!(refused, Err(SendError::Full) | Ok(())), "{refused:?}");
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let lane = loop {
        tokio::select! {
            event = one.next() => if let Event::Undeliverable { to: peer, lane, .. } = event {
                assert_eq!(peer, to);
                break lane;
            },
            _ = ticks.tick() => drop(one.net.frame(to, Bytes::new(), body.clone())),
        }
    };
    assert_eq!(lane, Lane::Data);
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
    config.role = swarm_net::Role::Door(swarm_net::RelayLimits::default());
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
async fn nodes_that_only_a_relay_connects_talk_through_it() {
    let door = door().await;
    let mut behind = Config::new(Identity::ephemeral(), "test");
    let circuit = format!("{}/p2p-circuit", door.addr().await);
    behind.listen = vec![circuit.parse().unwrap()];
    let mut hidden = Peer::start(behind).await;
    let addr = hidden.wait(|event| match event {
        Event::Listening { addr } => Some(addr.clone()),
        _ => None,
    });
    let addr = addr.await;
    let mut mute = Config::new(Identity::ephemeral(), "test");
    mute.join = vec![addr];
    let mut caller = Peer::start(mute).await;
    caller.peer_up(&hidden).await;
    let peers = caller.net.peers().await;
    assert!(peers.iter().any(|peer| peer.node == hidden.net.node_id() && peer.relayed));
    caller.net.send(hidden.net.node_id(), Bytes::from_static(b"psst")).unwrap();
    assert_eq!(hidden.message().await.1, b"psst"[..]);
    hidden.net.send(caller.net.node_id(), Bytes::from_static(b"what?")).unwrap();
    assert_eq!(caller.message().await.1, b"what?"[..]);
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
