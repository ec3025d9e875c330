//! What one peer sends is what the other gets, in order, and never more than it can take.

use std::time::Duration;

use bytes::Bytes;
use swarm_net::{
    BODY_BYTES_MAX, Config, Event, HEAD_BYTES_MAX, Identity, Lane, MESSAGE_BYTES_MAX, SendError,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{PATIENCE, calm, door, node, node_with, pair};

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
async fn gossip_is_counted_where_it_is_sent_and_where_it_comes() {
    let (one, mut other) = pair().await;
    one.net.publish(Bytes::from_static(b"news")).unwrap();
    other.wait(|event| matches!(event, Event::Gossip { .. }).then_some(())).await;
    let (sent, received) = (one.net.gossip().counts(), other.net.gossip().counts());
    assert_eq!((sent.sent, received.received, received.duplicates), (1, 1, 0));
    assert!(sent.sent_bytes > 4);
    assert_eq!(received.received_bytes, sent.sent_bytes);
    // The mesh is counted at each heartbeat.
    let gossip = one.net.gossip();
    let meshed = async {
        while gossip.counts().mesh_peers != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, meshed).await.unwrap();
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
