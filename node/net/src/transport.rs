//! How bytes get from machine to machine: TCP and QUIC, or TCP under a swarm's key, and relays.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Protocol;
use libp2p::pnet::PnetConfig;
use libp2p::{Multiaddr, PeerId, Transport as _, dns, noise, quic, relay, tcp, yamux};

use crate::{Identity, NetError, SwarmKey};

/// How long a connection may take, handshakes included. It is also how long a silent stranger
/// holds one of the few places for handshakes.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// QUIC says nothing when a peer dies, so both sides show signs of life, and miss them soon.
const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(1);
const QUIC_IDLE_MAX_MS: u32 = 4_000;

/// Streams on one connection: two lanes each way, libp2p's own, and the plain ones.
const STREAMS_MAX: usize = 256;

type Connected = (PeerId, StreamMuxerBox);

/// The transport, and the behaviour that its relayed part belongs to.
pub(crate) fn build(
    identity: &Identity,
    key: Option<SwarmKey>,
) -> Result<(Boxed<Connected>, relay::client::Behaviour), NetError> {
    let (relay_transport, relay_behaviour) = relay::client::new(identity.peer_id());
    let relayed = relay_transport
        .upgrade(Version::V1Lazy)
        .authenticate(noise(identity)?)
        .multiplex(multiplexer())
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let transport = OrTransport::new(relayed, named(identity, key)?)
        .map(|either, _| either.into_inner())
        .boxed();
    Ok((transport, relay_behaviour))
}

fn public(identity: &Identity) -> Result<Boxed<Connected>, NetError> {
    let tcp = tcp()
        .upgrade(Version::V1Lazy)
        .authenticate(noise(identity)?)
        .multiplex(multiplexer())
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let mut config = quic::Config::new(identity.keypair());
    config.handshake_timeout = HANDSHAKE_TIMEOUT;
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_idle_timeout = QUIC_IDLE_MAX_MS;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(OrTransport::new(tcp, quic).map(|either, _| either.into_inner()).boxed())
}

fn private(identity: &Identity, key: SwarmKey) -> Result<Boxed<Connected>, NetError> {
    let shared = PnetConfig::new(key.shared());
    Ok(tcp()
        .and_then(move |socket, _| shared.handshake(socket))
        .upgrade(Version::V1Lazy)
        .authenticate(noise(identity)?)
        .multiplex(multiplexer())
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// The direct transports; by name too, on a machine that can look names up.
fn named(identity: &Identity, key: Option<SwarmKey>) -> Result<Boxed<Connected>, NetError> {
    dns::tokio::Transport::system(direct(identity, key)?).map(|named| named.boxed()).or_else(
        |error| {
            tracing::warn!(%error, "no name service: only numeric addresses can be joined");
            direct(identity, key)
        },
    )
}

fn direct(identity: &Identity, key: Option<SwarmKey>) -> Result<Boxed<Connected>, NetError> {
    match key {
        Some(key) => private(identity, key),
        None => public(identity),
    }
}

fn tcp() -> tcp::tokio::Transport {
    tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
}

fn noise(identity: &Identity) -> Result<noise::Config, NetError> {
    noise::Config::new(identity.keypair()).map_err(|error| NetError::Setup(error.to_string()))
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_MAX);
    config
}

/// Whether another program has the port of `addr`.
///
/// libp2p shares its TCP ports, so that it can call from the port it listens on. Without this check
/// two nodes of one user would both get the port, and each half of the calls. The error of a UDP
/// port in use comes without its kind.
pub(crate) fn is_taken(addr: &Multiaddr) -> bool {
    let mut parts = addr.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(host)) => host.into(),
        Some(Protocol::Ip6(host)) => host.into(),
        _ => return false,
    };
    let bound = match parts.next() {
        Some(Protocol::Tcp(port)) if port != 0 => {
            TcpListener::bind(SocketAddr::new(host, port)).map(drop)
        }
        Some(Protocol::Udp(port)) if port != 0 => {
            UdpSocket::bind(SocketAddr::new(host, port)).map(drop)
        }
        _ => return false,
    };
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}
