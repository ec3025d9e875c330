//! Which of libp2p's protocols a peer takes part in, and with what limits.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{allow_block_list, autonat, dcutr, gossipsub, identify, kad, mdns, ping, relay};

use crate::config::{Config, Limits, RelayLimits, Role};
use crate::dialect::Dialect;
use crate::gossip::{self, Gossip};
use crate::hosts::Hosts;
use crate::lane::Lane;
use crate::streams::Streams;
use crate::{Identity, NetError};

/// Round trips are measured this often, and a peer that is silent for the time-out is let go.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What a door calls itself; a node calls itself `NODE_AGENT`.
pub(crate) const DOOR_AGENT: &str = concat!("hexswarm-door/", env!("CARGO_PKG_VERSION"));
pub(crate) const NODE_AGENT: &str = concat!("hexswarm-node/", env!("CARGO_PKG_VERSION"));

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // Limits first: what they deny never reaches the others.
    pub(crate) hosts: Hosts,
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) shunned: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) kad: kad::Behaviour<MemoryStore>,
    pub(crate) streams: Streams,
    pub(crate) relay_client: relay::client::Behaviour,
    pub(crate) gossip: Toggle<gossipsub::Behaviour>,
    pub(crate) dcutr: Toggle<dcutr::Behaviour>,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(crate) reach: Toggle<autonat::v2::client::Behaviour>,
    pub(crate) relay: Toggle<relay::Behaviour>,
    pub(crate) prober: Toggle<autonat::v2::server::Behaviour>,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        dialect: &Dialect,
        relay_client: relay::client::Behaviour,
    ) -> Result<(Self, Gossip), NetError> {
        let own = config.identity.peer_id();
        let (node, relay_limits) = match &config.role {
            Role::Node => (true, None),
            Role::Door(limits) => (false, Some(limits)),
        };
        let lanes = Lane::ALL.map(|lane| dialect.lane(lane)).into_iter();
        let accepted = lanes.chain([dialect.pipe()]).filter(|_| node);
        let gossip = node.then(|| gossip::set_up(&config.identity, dialect)).transpose()?;
        let (gossip, counted) = gossip.unzip();
        let behaviour = Self {
            hosts: Hosts::new(&config.limits),
            limits: connection_limits::Behaviour::new(limits(&config.limits)),
            shunned: allow_block_list::Behaviour::default(),
            identify: identify(&config.identity, dialect, node),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
            ),
            kad: kad(own, dialect),
            streams: Streams::new(accepted),
            relay_client,
            gossip: gossip.into(),
            dcutr: node.then(|| dcutr::Behaviour::new(own)).into(),
            mdns: mdns(config)?.into(),
            reach: node.then(autonat::v2::client::Behaviour::default).into(),
            relay: relay_limits.map(|limits| relay::Behaviour::new(own, relay(limits))).into(),
            prober: (!node).then(autonat::v2::server::Behaviour::default).into(),
        };
        Ok((behaviour, counted.unwrap_or_default()))
    }
}

fn limits(limits: &Limits) -> ConnectionLimits {
    let total = limits.connections_max;
    ConnectionLimits::default()
        .with_max_established(Some(total))
        .with_max_established_incoming(Some(total - total / 4))
        .with_max_established_per_peer(Some(limits.connections_per_peer_max))
        .with_max_pending_incoming(Some(limits.handshakes_max))
        .with_max_pending_outgoing(Some(limits.handshakes_max))
}

fn identify(identity: &Identity, dialect: &Dialect, node: bool) -> identify::Behaviour {
    let agent = if node { NODE_AGENT } else { DOOR_AGENT };
    let config = identify::Config::new(dialect.greeting(), identity.keypair().public())
        .with_agent_version(agent.to_owned())
        .with_push_listen_addr_updates(true);
    identify::Behaviour::new(config)
}

fn kad(own: libp2p::PeerId, dialect: &Dialect) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(dialect.kad());
    // Only the routing table is wanted: records that strangers would store here are refused.
    config.set_record_filtering(kad::StoreInserts::FilterBoth);
    config.set_periodic_bootstrap_interval(None);
    config.set_query_timeout(Duration::from_secs(10));
    let store = MemoryStoreConfig {
        max_records: 0,
        max_value_bytes: 0,
        max_providers_per_key: 0,
        max_provided_keys: 0,
    };
    let mut kad = kad::Behaviour::with_config(own, MemoryStore::with_config(own, store), config);
    kad.set_mode(Some(kad::Mode::Server));
    kad
}

fn mdns(config: &Config) -> Result<Option<mdns::tokio::Behaviour>, NetError> {
    let setup = |error: std::io::Error| NetError::Setup(format!("local discovery: {error}"));
    let own = config.identity.peer_id();
    let start = || mdns::tokio::Behaviour::new(mdns::Config::default(), own).map_err(setup);
    config.mdns.then(start).transpose()
}

fn relay(limits: &RelayLimits) -> relay::Config {
    relay::Config {
        max_reservations: limits.reservations_max,
        reservation_duration: limits.reservation_duration,
        max_circuits: limits.circuits_max,
        max_circuits_per_peer: limits.circuits_per_peer_max,
        max_circuit_bytes: limits.circuit_bytes_max,
        max_circuit_duration: limits.circuit_duration_max,
        ..relay::Config::default()
    }
}
