//! Peers that mean harm or know no better: each is turned away, and nobody else notices.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::{PATIENCE, Peer, node, node_with, pair};
use bytes::Bytes;
use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder};
use libp2p::{identify, noise, ping, tcp, yamux};
use swarm_net::{Config, Event, Identity, PROTOCOL_VERSION, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A libp2p peer that says whatever it likes.
#[derive(NetworkBehaviour)]
pub(crate) struct Liar {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    stream: libp2p_stream::Behaviour,
}

/// What a peer of that swarm, and of our version, says first.
pub(crate) fn greeting(swarm: &str) -> String {
    format!("hexswarm/{PROTOCOL_VERSION}/{swarm}")
}

/// A liar with this greeting, which has called `addr`.
pub(crate) async fn liar(greeting: &str, addr: &Multiaddr) -> Swarm<Liar> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Liar {
            identify: identify::Behaviour::new(identify::Config::new(
                greeting.to_owned(),
                key.public(),
            )),
            ping: ping::Behaviour::default(),
            stream: libp2p_stream::Behaviour::new(),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    swarm.dial(addr.clone()).unwrap();
    loop {
        if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
            return swarm;
        }
    }
}

/// Opens a stream of `protocol` and writes `bytes` to it; true if the other side then resets it.
async fn say(swarm: Swarm<Liar>, to: PeerId, protocol: &str, bytes: Vec<u8>) {
    let mut control = swarm.behaviour().stream.new_control();
    let swarm = tokio::spawn(swarm.for_each(|_| async {}));
    let protocol = StreamProtocol::try_from_owned(protocol.to_owned()).unwrap();
    let mut stream = control.open_stream(to, protocol).await.unwrap();
    // The other side may hang up at any point.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the stream was left open");
    swarm.abort();
}

/// Where `peer` listens, and who it is to libp2p.
pub(crate) async fn place(peer: &Peer) -> (Multiaddr, PeerId) {
    let addr = peer.addr().await;
    let Some(libp2p::multiaddr::Protocol::P2p(id)) = addr.iter().last() else {
        panic!("{addr} has no id");
    };
    (addr, id)
}

/// The next refusal.
pub(crate) async fn refusal(peer: &mut Peer) -> Refusal {
    peer.wait(|event| match event {
        Event::Refused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await
}

/// Both still talk to each other.
pub(crate) async fn unharmed(one: &Peer, other: &mut Peer) {
    one.net.send(other.net.node_id(), Bytes::from_static(b"all well?")).unwrap();
    assert_eq!(other.message().await.1, b"all well?"[..]);
    let lost =
        |event: &Event| matches!(event, Event::PeerDown { node } if *node == one.net.node_id());
    assert!(!other.seen.iter().any(lost));
}

/// A raw connection to where `peer` listens.
pub(crate) async fn raw(peer: &Peer) -> TcpStream {
    raw_from(Ipv4Addr::LOCALHOST, peer).await
}

/// The same, from another address of this machine.
pub(crate) async fn raw_from(from: Ipv4Addr, peer: &Peer) -> TcpStream {
    let addr = peer.addr().await;
    let mut parts = addr.iter();
    let (
        Some(libp2p::multiaddr::Protocol::Ip4(host)),
        Some(libp2p::multiaddr::Protocol::Tcp(port)),
    ) = (parts.next(), parts.next())
    else {
        panic!("{addr} is not a TCP address");
    };
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect((host, port).into()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_wire_is_hung_up_on() {
    let (one, mut other) = pair().await;
    let mut wire = raw(&other).await;
    let garbage: Vec<u8> = (0..10_000_u32).map(|at| (at.wrapping_mul(197) >> 3) as u8).collect();
    // The other side may hang up before it has it all.
    let _ = wire.write_all(&garbage).await;
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, wire.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection was left open");
    let reason = refusal(&mut other).await;
    assert!(matches!(reason, Refusal::Handshake(_)), "{reason}");
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_that_no_peer_may_announce_end_the_acquaintance() {
    let (one, mut other) = pair().await;
    let (addr, id) = place(&other).await;
    let lengths = |head: u32, body: u32| [head.to_le_bytes(), body.to_le_bytes()].concat();
    for (lane, bytes) in [
        ("control", lengths(u32::MAX, 0)),
        ("control", lengths(0, 1)),
        ("data", lengths(0, u32::MAX)),
        ("data", vec![0xa5; 4096]),
    ] {
        let liar = liar(&greeting("test"), &addr).await;
        say(liar, id, &format!("/{}/{lane}", greeting("test")), bytes).await;
        let reason = refusal(&mut other).await;
        assert!(matches!(&reason, Refusal::Garbage(what) if what.contains("allowed")), "{reason}");
    }
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_never_comes_is_not_waited_for() {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.limits.progress_timeout = Duration::from_millis(200);
    let mut other = node_with(config, &[]).await;
    let mut one = node(&[&other]).await;
    one.peer_up(&other).await;
    let (addr, id) = place(&other).await;
    let announced = [8_u32.to_le_bytes(), (30_u32 << 20).to_le_bytes()].concat();
    let liar = liar(&greeting("test"), &addr).await;
    say(liar, id, &format!("/{}/data", greeting("test")), announced).await;
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_and_another_swarm_are_told_apart() {
    let (one, mut other) = pair().await;
    let (addr, _) = place(&other).await;
    for (said, expected) in [
        ("hexswarm/0/test", Refusal::Version { theirs: 0, ours: PROTOCOL_VERSION }),
        (greeting("rest").as_str(), Refusal::Swarm { theirs: "rest".to_owned() }),
        ("ipfs/0.1.0", Refusal::Stranger { protocol: "ipfs/0.1.0".to_owned() }),
    ] {
        let mut liar = liar(said, &addr).await;
        // It learns our greeting before it is let go.
        let (mut ours, mut gone) = (String::new(), false);
        let told = async {
            while !gone {
                match liar.select_next_some().await {
                    SwarmEvent::Behaviour(LiarEvent::Identify(identify::Event::Received {
                        info,
                        ..
                    })) => ours = info.protocol_version,
                    SwarmEvent::ConnectionClosed { .. } => gone = true,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("it is let go");
        assert_eq!(ours, greeting("test"));
        assert_eq!(refusal(&mut other).await, expected);
    }
    unharmed(&one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_its_user_refuses_is_cut_off_and_does_not_come_back() {
    let (one, mut other) = pair().await;
    let mut rogue = node(&[&other]).await;
    rogue.peer_up(&other).await;
    other.peer_up(&rogue).await;
    other.net.refuse(rogue.net.node_id(), "it says nonsense").unwrap();
    let reason = refusal(&mut other).await;
    assert_eq!(reason, Refusal::Garbage("it says nonsense".to_owned()));
    let id = rogue.net.node_id();
    let down = |event: &Event| matches!(event, Event::PeerDown { node } if *node == id);
    assert!(other.seen.iter().any(down));
    // What it still has to say may seem to be written, until it is cut off.
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let turned_away = async {
        loop {
            tokio::select! {
                event = rogue.next() => if let Event::Undeliverable { .. } = event { return },
                _ = ticks.tick() => {
                    let _ = rogue.net.send(other.net.node_id(), Bytes::from_static(b"nonsense"));
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, turned_away).await.expect("it is kept out");
    let heard = |event: &Event| matches!(event, Event::Message { from, .. } if *from == id);
    assert!(!other.seen.iter().any(heard));
    assert!(other.net.peers().await.iter().all(|peer| peer.node != id));
    unharmed(&one, &mut other).await;
}
