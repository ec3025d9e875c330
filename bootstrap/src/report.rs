//! What happens at the door, for whoever looks after it.

use swarm_net::{Event, Multiaddr, peer_text};
use swarm_proto::NodeId;

/// Prints where the door is: an address a line, or all in one JSON object.
pub(crate) fn opened(node: NodeId, addrs: &[Multiaddr], json: bool) {
    if json {
        let listen: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        println!("{}", serde_json::json!({ "peer": peer_text(node), "listen": listen }));
    } else {
        addrs.iter().for_each(|addr| println!("{addr}"));
    }
}

/// Logs an event.
pub(crate) fn log(event: &Event) {
    match event {
        Event::PeerUp { node } => tracing::info!(node = %peer_text(*node), "came"),
        Event::PeerDown { node } => tracing::info!(node = %peer_text(*node), "went"),
        Event::Refused { addr, reason, .. } => tracing::warn!(%addr, %reason, "turned away"),
        Event::Joined { addr, .. } => tracing::info!(%addr, "joined"),
        Event::JoinFailed { addr, reason, retry_in } => {
            tracing::warn!(%addr, %reason, retry_in_s = retry_in.as_secs_f64(), "cannot join");
        }
        Event::ListenFailed { addr, reason } => {
            tracing::error!(%addr, %reason, "no longer listening");
        }
        _ => {}
    }
}
