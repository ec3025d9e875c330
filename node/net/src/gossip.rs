//! Gossip: how it is set up, and what is counted of it.

use std::sync::Arc;
use std::time::Duration;

use libp2p::gossipsub;
use libp2p::metrics::Registry;
use prometheus_client::encoding::text::encode;

use crate::dialect::Dialect;
use crate::{Identity, NetError};

/// A gossiped message may be this long: adverts are about 1 KiB, and gossip multiplies.
pub const GOSSIP_BYTES_MAX: usize = 32 << 10;

/// What a gossip message may take on the wire: the text, a signature and names. A message from
/// a peer that is longer is refused by its length.
const GOSSIP_WIRE_BYTES_MAX: usize = GOSSIP_BYTES_MAX + (4 << 10);

/// What gossip came to, now or at any later time. Clones look at the same.
#[derive(Clone, Debug, Default)]
pub struct Gossip(Arc<Registry>);

/// What gossip came to since the node started. Bytes are those of messages with their author,
/// topic and signature; what peers tell each other of messages is not in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Peers in the mesh, to whom everything new is handed on.
    pub mesh_peers: u64,
    /// Messages that were handed to peers, each as often as it was.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Messages that came, each as often as it did.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Those of them that were here already, or were refused.
    pub duplicates: u64,
    /// Messages that were asked for, because a peer outside the mesh had them first.
    pub asked: u64,
}

impl Gossip {
    /// The counts of this moment. libp2p keeps them, and tells them as a page of text only.
    pub fn counts(&self) -> GossipCounts {
        let mut page = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut page, &self.0);
        let mut counts = GossipCounts::default();
        let mut filtered = 0;
        for line in page.lines() {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let count = match name {
                "mesh_peer_counts" => &mut counts.mesh_peers,
                "topic_msg_sent_counts_total" => &mut counts.sent,
                "topic_msg_sent_bytes_total" => &mut counts.sent_bytes,
                "topic_msg_recv_counts_unfiltered_total" => &mut counts.received,
                "topic_msg_recv_bytes_unfiltered_total" => &mut counts.received_bytes,
                "topic_msg_recv_counts_total" => &mut filtered,
                "topic_iwant_msgs_total" => &mut counts.asked,
                _ => continue,
            };
            let value = line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok());
            *count += value.unwrap_or_default();
        }
        counts.duplicates = counts.received.saturating_sub(filtered);
        counts
    }
}

/// The topic that all nodes of a swarm follow.
pub(crate) fn topic(dialect: &Dialect) -> gossipsub::IdentTopic {
    gossipsub::IdentTopic::new(dialect.greeting())
}

/// Gossip of this node, and what is counted of it.
pub(crate) fn set_up(
    identity: &Identity,
    dialect: &Dialect,
) -> Result<(gossipsub::Behaviour, Gossip), NetError> {
    let config = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(dialect.gossip())
        .validation_mode(gossipsub::ValidationMode::Strict)
        .message_id_fn(message_id)
        .max_transmit_size(GOSSIP_WIRE_BYTES_MAX)
        .heartbeat_initial_delay(Duration::from_millis(100))
        // The defaults expect a large swarm; two or three peers must be able to form a mesh.
        .mesh_outbound_min(1)
        // Bounds what a peer that does not keep up can make us hold.
        .connection_handler_queue_len(256)
        .build()
        .map_err(|error| NetError::Setup(error.to_string()))?;
    let signed = gossipsub::MessageAuthenticity::Signed(identity.keypair().clone());
    let mut registry = Registry::default();
    let mut gossip = gossipsub::Behaviour::new(signed, config)
        .map_err(|error| NetError::Setup(error.to_owned()))?
        .with_metrics(&mut registry, gossipsub::MetricsConfig::default());
    gossip.subscribe(&topic(dialect)).map_err(|error| NetError::Setup(error.to_string()))?;
    Ok((gossip, Gossip(Arc::new(registry))))
}

/// Author and sequence number: the same words said twice are two messages.
fn message_id(message: &gossipsub::Message) -> gossipsub::MessageId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&message.source.map(|author| author.to_bytes()).unwrap_or_default());
    hasher.update(&message.sequence_number.unwrap_or_default().to_le_bytes());
    gossipsub::MessageId::new(hasher.finalize().as_bytes())
}
