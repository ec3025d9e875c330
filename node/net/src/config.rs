//! What a node of the network is told before it starts.

use std::time::Duration;

use libp2p::Multiaddr;

use crate::{Identity, PROTOCOL_VERSION, SwarmKey};

/// How to take part in a swarm.
#[derive(Clone)]
pub struct Config {
    /// The key that signs for this node.
    pub identity: Identity,
    /// The swarm's name. Peers of other swarms are told apart by it and refused.
    pub swarm: String,
    /// The version of the protocol to speak. Another than [`PROTOCOL_VERSION`] is of use only to
    /// see what peers of two versions say to each other.
    pub version: u32,
    /// Where to listen. An address that ends in `/p2p-circuit` asks the relay it names to listen
    /// for us.
    pub listen: Vec<Multiaddr>,
    /// Doors or nodes to stay connected with; all others are found through them.
    pub join: Vec<Multiaddr>,
    /// Whether to find, and be found by, peers on the same local network.
    pub mdns: bool,
    /// The key of a private swarm. QUIC is off then.
    pub key: Option<SwarmKey>,
    /// Node or door.
    pub role: Role,
    /// Whether a node that cannot be reached asks its doors to relay for it.
    pub relay: bool,
    /// Addresses at which others reach us, where they differ from those we listen on.
    pub external: Vec<Multiaddr>,
    /// How much of anything there may be.
    pub limits: Limits,
}

/// What a peer is in the swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Computes, and talks to all others.
    Node,
    /// Introduces nodes to each other, and relays between those that cannot meet.
    Door(RelayLimits),
}

/// How much of anything there may be: each is a bound on what strangers can make us hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Three quarters of them may be incoming, so that a crowd at the door
    /// cannot keep us from calling others.
    pub connections_max: u32,
    /// Connections with one peer at once: one each way, and the same through relay and hole punch,
    /// with one of the relayed ones just being replaced.
    pub connections_per_peer_max: u32,
    /// Incoming connections from one host at once, be it one peer or many.
    pub connections_per_host_max: u32,
    /// Handshakes under way at once, each way.
    pub handshakes_max: u32,
    /// Of the incoming ones, those from one host.
    pub handshakes_per_host_max: u32,
    /// Peers to connect with unasked, as long as nobody says whom to be connected with. Up to this size
    /// a swarm is a full mesh.
    pub mesh_max: usize,
    /// Bytes of frames that may wait to be written to one peer, and as many that were read from
    /// it and wait for [`Events`](crate::Events) to be drained.
    pub frame_queue_bytes: usize,
    /// How long a stream may stand still with something to write, or amid a frame to read.
    pub progress_timeout: Duration,
}

/// What a door relays at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Peers that may be reached through the relay at once.
    pub reservations_max: usize,
    /// How long one may be reached so. Nodes renew it in time.
    pub reservation_duration: Duration,
    /// Relayed connections at once.
    pub circuits_max: usize,
    /// Relayed connections of one peer at once.
    pub circuits_per_peer_max: usize,
    /// Bytes that one relayed connection may carry; 0 for any number. Nodes open the next one
    /// when half of them are used up.
    pub circuit_bytes_max: u64,
    /// How long one relayed connection may last. Nodes open the next one after half of it.
    pub circuit_duration_max: Duration,
}

impl Config {
    /// A node of `swarm` that listens nowhere and knows nobody.
    pub fn new(identity: Identity, swarm: impl Into<String>) -> Self {
        Self {
            identity,
            swarm: swarm.into(),
            version: PROTOCOL_VERSION,
            listen: Vec::new(),
            join: Vec::new(),
            mdns: false,
            key: None,
            role: Role::Node,
            relay: true,
            external: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            connections_per_peer_max: 8,
            connections_per_host_max: 64,
            handshakes_max: 64,
            handshakes_per_host_max: 16,
            mesh_max: 64,
            frame_queue_bytes: 64 << 20,
            progress_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for RelayLimits {
    /// Enough for a swarm of some dozen nodes none of which can reach another. They renew their
    /// connections, so what each of these may carry only bounds one that nobody tends any more.
    fn default() -> Self {
        Self {
            reservations_max: 256,
            reservation_duration: Duration::from_secs(60 * 60),
            circuits_max: 1024,
            circuits_per_peer_max: 64,
            circuit_bytes_max: 1 << 30,
            circuit_duration_max: Duration::from_secs(30 * 60),
        }
    }
}
