//! Crowds at the door of a node: they fill the places that are theirs, and nobody else's.

use std::net::Ipv4Addr;

use futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{SwarmBuilder, noise, ping, tcp, yamux};
use swarm_net::{Config, Identity, Refusal};
use tokio::io::AsyncReadExt as _;

use crate::hostile::{greeting, liar, place, raw, raw_from, refusal, unharmed};
use crate::support::{PATIENCE, node, node_with, pair};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_beyond_the_limit_push_nobody_out() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.limits.connections_max = 16;
    config.limits.handshakes_max = 8;
    let mut other = node_with(config.clone(), &[]).await;
    let mut one = node(&[&other]).await;
    one.peer_up(&other).await;
    let mut idle = Vec::new();
    for _ in 0..2 * config.limits.connections_max {
        idle.push(raw(&other).await);
    }
    let reason = refusal(&mut other).await;
    assert!(matches!(&reason, Refusal::Handshake(what) if what.contains("limit")), "{reason}");
    unharmed(&one, &mut other).await;
    // Once the silent ones have timed out there is room again.
    let mut late = node(&[&other]).await;
    late.peer_up(&other).await;
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_real_peers_beyond_the_limit_is_turned_away() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.limits.connections_max = 4;
    let mut other = node_with(config, &[]).await;
    let mut one = node(&[&other]).await;
    one.peer_up(&other).await;
    let (addr, _) = place(&other).await;
    let mut liars = Vec::new();
    for _ in 0..4 {
        let liar = tokio::time::timeout(PATIENCE, liar(&greeting("test"), &addr)).await.unwrap();
        liars.push(tokio::spawn(liar.for_each(|_| async {})));
    }
    let reason = refusal(&mut other).await;
    assert!(matches!(&reason, Refusal::Handshake(what) if what.contains("limit")), "{reason}");
    unharmed(&one, &mut other).await;
    liars.iter().for_each(|liar| liar.abort());
}

/// All from another address of this machine, and all silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_crowd_behind_one_address_keeps_nobody_else_out() {
    let mut other = node(&[]).await;
    let mut one = node(&[&other]).await;
    one.peer_up(&other).await;
    other.peer_up(&one).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(raw_from(Ipv4Addr::new(127, 0, 0, 2), &other).await);
    }
    let reason = refusal(&mut other).await;
    assert!(matches!(&reason, Refusal::Handshake(what) if what.contains("one host")), "{reason}");
    // They are still there, and so is a place.
    let mut late = node(&[&other]).await;
    late.peer_up(&other).await;
    unharmed(&one, &mut other).await;
    for mut silent in crowd {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "a silent connection was left open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_shows_its_key_and_says_no_more_is_let_go() {
    let (one, mut other) = pair().await;
    let (addr, _) = place(&other).await;
    let mut mute = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| ping::Behaviour::default())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    mute.dial(addr).unwrap();
    let gone = async {
        while !matches!(mute.select_next_some().await, SwarmEvent::ConnectionClosed { .. }) {}
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("it is let go");
    assert_eq!(refusal(&mut other).await, Refusal::Silent);
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_has_few_connections() {
    let (one, mut other) = pair().await;
    let (addr, id) = place(&other).await;
    let most = Config::new(Identity::ephemeral(), "test").limits.connections_per_peer_max;
    let mut greedy = liar(&greeting("test"), &addr).await;
    // Few enough to shake hands all at once, which is bounded by host.
    for _ in 0..most + 2 {
        let call = DialOpts::peer_id(id).condition(PeerCondition::Always);
        greedy.dial(call.addresses(vec![addr.clone()]).build()).unwrap();
    }
    let greedy = tokio::spawn(greedy.for_each(|_| async {}));
    let reason = refusal(&mut other).await;
    assert!(matches!(&reason, Refusal::Handshake(what) if what.contains("per peer")), "{reason}");
    unharmed(&one, &mut other).await;
    greedy.abort();
}
