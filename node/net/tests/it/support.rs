//! Peers to test with, on this machine, at ports that the system chooses.

use std::time::Duration;

use bytes::Bytes;
use swarm_net::{Config, Event, Events, Identity, Multiaddr, Net, RelayLimits, Role, start};
use swarm_proto::NodeId;

/// Nothing here should take seconds; on a machine with much else to do it may.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A peer and what happened to it.
pub(crate) struct Peer {
    pub(crate) net: Net,
    pub(crate) events: Events,
    /// What was waited for, and all before it.
    pub(crate) seen: Vec<Event>,
}

impl Peer {
    pub(crate) async fn start(config: Config) -> Self {
        let (net, events) = start(config).await.expect("the network starts");
        Self { net, events, seen: Vec::new() }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(PATIENCE, self.events.next()).await;
        next.unwrap_or_else(|_| panic!("nothing happens; seen: {:?}", self.seen)).expect("not over")
    }

    /// Waits for the first event of which `find` makes something.
    pub(crate) async fn wait<T>(&mut self, find: impl Fn(&Event) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(deadline, self.events.next()).await;
            let event = next
                .unwrap_or_else(|_| panic!("waited in vain; seen: {:?}", self.seen))
                .expect("the network is not over");
            let found = find(&event);
            if !matches!(event, Event::Rtt { .. } | Event::Frame { .. }) {
                self.seen.push(event);
            }
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits until `other` is connected.
    pub(crate) async fn peer_up(&mut self, other: &Self) {
        let id = other.net.node_id();
        let up = |event: &Event| matches!(event, Event::PeerUp { node } if *node == id);
        if !self.seen.iter().any(up) {
            self.wait(|event| up(event).then_some(())).await;
        }
    }

    /// Waits until it was told this, if it was not before.
    pub(crate) async fn told(&mut self, wanted: &Event) {
        let wanted = format!("{wanted:?}");
        if !self.seen.iter().any(|event| format!("{event:?}") == wanted) {
            self.wait(|event| (format!("{event:?}") == wanted).then_some(())).await;
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> (NodeId, Bytes) {
        self.wait(|event| match event {
            Event::Message { from, bytes } => Some((*from, bytes.clone())),
            _ => None,
        })
        .await
    }

    /// Where it listens.
    pub(crate) async fn addr(&self) -> Multiaddr {
        self.net.addrs().await.remove(0)
    }
}

/// A node with these settings that listens, and joins these peers.
pub(crate) async fn node_with(mut config: Config, join: &[&Peer]) -> Peer {
    if config.listen.is_empty() {
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")];
    }
    for peer in join {
        config.join.push(peer.addr().await);
    }
    Peer::start(config).await
}

/// A node that joins these peers.
pub(crate) async fn node(join: &[&Peer]) -> Peer {
    node_with(Config::new(Identity::ephemeral(), "test"), join).await
}

/// A door.
pub(crate) async fn door() -> Peer {
    let mut config = Config::new(Identity::ephemeral(), "test");
    config.role = Role::Door(RelayLimits::default());
    node_with(config, &[]).await
}

/// Two nodes that are connected.
pub(crate) async fn pair() -> (Peer, Peer) {
    let mut one = node(&[]).await;
    let mut other = node(&[&one]).await;
    other.peer_up(&one).await;
    one.peer_up(&other).await;
    (one, other)
}

/// Nodes that met each other through `door`.
pub(crate) async fn mesh(count: usize, door: &Peer) -> Vec<Peer> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(node(&[door]).await);
    }
    for at in 0..count {
        let mut one = nodes.remove(at);
        for other in &nodes {
            one.peer_up(other).await;
        }
        nodes.insert(at, one);
    }
    nodes
}

/// Nothing bad happened so far.
pub(crate) async fn calm(peer: &mut Peer) {
    let _ = peer.net.peers().await;
    let bad = |event: &&Event| {
        matches!(
            event,
            Event::Refused { .. } | Event::Undeliverable { .. } | Event::PeerDown { .. }
        )
    };
    assert!(!peer.seen.iter().any(|event| bad(&event)), "{:?}", peer.seen);
}
