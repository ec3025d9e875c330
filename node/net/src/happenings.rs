//! What the swarm's task makes of each thing that libp2p reports.

use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::{ConnectionId, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, allow_block_list, autonat, gossipsub, identify, kad, mdns, ping};

use crate::arrivals::Reading;
use crate::behaviour::{Behaviour, BehaviourEvent, DOOR_AGENT};
use crate::book::Way;
use crate::calls::deepest;
use crate::config::Role;
use crate::crowd::{Kind, Link};
use crate::dialect::quote;
use crate::event::{Event, Refusal};
use crate::identity::node_id;
use crate::line::Line;
use crate::task::{BACKLOG_MAX, Task};

/// Addresses that are believed of what one peer says.
const ADDRS_MAX: usize = 16;

/// What can be said again is not said while so many events wait.
const CROWDED: usize = BACKLOG_MAX / 2;

type Happening = SwarmEvent<<Behaviour as libp2p::swarm::NetworkBehaviour>::ToSwarm>;

impl Task {
    pub(crate) fn happened(&mut self, happening: Happening) {
        match happening {
            SwarmEvent::Behaviour(event) => self.heard(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
                self.disconnected(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.call_failed(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                self.handshake_failed(send_back_addr, &error);
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listening(listener_id, address);
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                let relay = self.circuits.closed(listener_id, Instant::now());
                let reason = match reason {
                    Err(error) => Some(deepest(&error)),
                    Ok(()) => relay.as_ref().map(|_| "the relay is gone".to_owned()),
                };
                let addr = relay.or_else(|| addresses.into_iter().next());
                if let (Some(addr), Some(reason)) = (addr, reason) {
                    self.tell(Event::ListenFailed { addr, reason });
                }
            }
            _ => {}
        }
    }

    fn heard(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.identified(peer_id, &info);
            }
            BehaviourEvent::Ping(event) => self.pinged(&event),
            BehaviourEvent::Kad(event) => self.routed(event),
            BehaviourEvent::Streams(arrived) => self.stream_arrived(arrived),
            BehaviourEvent::Gossip(event) => self.gossiped(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, addr) in found {
                    self.learn(peer, &addr);
                }
            }
            BehaviourEvent::Reach(event) => self.probed(event),
            BehaviourEvent::RelayClient(event) => self.relay_said(&event),
            BehaviourEvent::Dcutr(event) => self.punched(&event),
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let now = Instant::now();
        self.calls.remove(&id);
        self.joins.answered(id, peer);
        self.book.connected(peer);
        let addr = endpoint.get_remote_address().clone();
        let Some(node) = node_id(&peer) else {
            let reason = Refusal::Stranger { protocol: "a key that is not ed25519".to_owned() };
            self.tell_refusal(Event::Refused { node: None, addr, reason });
            self.swarm.close_connection(id);
            return;
        };
        let way = if endpoint.is_relayed() { Way::Relay } else { Way::of(&addr) };
        let (line, ours) = (Line::new(way), endpoint.is_dialer());
        let by_lesser = ours == (*self.swarm.local_peer_id() < peer);
        let renewed = None;
        let link = Link { id, addr, line: line.clone(), since: now, ours, by_lesser, renewed };
        self.crowd.connected(peer, node, link);
        self.settle(peer);
        // One more connection with a peer that is known to be one of us.
        match self.crowd.get_mut(peer).map(|known| known.kind) {
            Some(Kind::Node) => self.tell_joined(peer, false),
            Some(Kind::Door) => self.tell_joined(peer, true),
            _ => {}
        }
        for (protocol, reply) in self.waiting.remove(&peer).unwrap_or_default() {
            self.swarm.behaviour_mut().streams.open(peer, (id, line.clone()), protocol, reply);
        }
    }

    fn disconnected(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(gone) = self.crowd.lost(peer, id) else { return self.settle(peer) };
        let now = Instant::now();
        gone.readings.values().for_each(Reading::stop);
        self.book.lost(peer, now);
        self.joins.lost(peer, now);
        if gone.kind == Kind::Node {
            self.tell(Event::PeerDown { node: gone.node });
        }
    }

    fn identified(&mut self, peer: PeerId, info: &identify::Info) {
        if let Some(reason) = self.dialect.refusal(&info.protocol_version) {
            return self.refuse(peer, reason);
        }
        let door = info.agent_version.starts_with(door_name());
        let Some(known) = self.crowd.get_mut(peer) else { return };
        known.agent = quote(&info.agent_version);
        let first = known.kind == Kind::Unknown;
        for addr in info.listen_addrs.iter().take(ADDRS_MAX) {
            self.learn(peer, addr);
        }
        if first {
            if door { self.door_up(peer) } else { self.node_up(peer) }
        }
    }

    fn door_up(&mut self, peer: PeerId) {
        if let Some(known) = self.crowd.get_mut(peer) {
            known.kind = Kind::Door;
        }
        self.use_relays();
        self.tell_joined(peer, true);
    }

    /// Notes that `peer` is a node of this swarm.
    pub(crate) fn node_up(&mut self, peer: PeerId) {
        let Some(known) = self.crowd.get_mut(peer) else { return };
        if known.kind == Kind::Unknown {
            known.kind = Kind::Node;
            let node = known.node;
            self.tell(Event::PeerUp { node });
            self.settle(peer);
            self.tell_joined(peer, false);
        }
    }

    fn tell_joined(&mut self, peer: PeerId, door: bool) {
        for addr in self.joins.joined(peer) {
            self.search_soon();
            self.tell(Event::Joined { addr, door });
        }
    }

    /// Notes where `peer` may be.
    fn learn(&mut self, peer: PeerId, addr: &Multiaddr) {
        let own = peer == *self.swarm.local_peer_id();
        let private_quic = self.config.key.is_some() && Way::of(addr) == Way::Quic;
        if own || private_quic || !self.book.learn(peer, addr, Instant::now()) {
            return;
        }
        // Whom the others are told of is called at once, by the best way that is known, and through
        // its relay if it has one: a peer that has one cannot be called from everywhere.
        let known = self.book.addrs(peer);
        let best = known.iter().map(Way::of).min();
        let way = Way::of(addr);
        if self.crowd.has(peer) && (best == Some(way) || way == Way::Relay) {
            self.swarm.behaviour_mut().kad.add_address(&peer, addr.clone());
        }
    }

    fn pinged(&mut self, event: &ping::Event) {
        match event.result {
            Ok(rtt) => {
                let crowded = self.backlog.len() >= CROWDED;
                let Some(known) = self.crowd.get_mut(event.peer) else { return };
                known.rtt = Some(rtt);
                let (node, best) = (known.node, known.best().map(|link| link.id));
                if known.kind == Kind::Node && best == Some(event.connection) && !crowded {
                    self.tell(Event::Rtt { node, rtt });
                }
            }
            // A machine that vanished closes nothing: only its silence tells.
            Err(ping::Failure::Timeout) => drop(self.swarm.close_connection(event.connection)),
            Err(_) => {}
        }
    }

    fn routed(&mut self, event: kad::Event) {
        match event {
            kad::Event::RoutingUpdated { peer, addresses, .. } => {
                for addr in addresses.iter() {
                    self.learn(peer, addr);
                }
            }
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                if let kad::QueryResult::GetClosestPeers(result) = result {
                    let found = match result {
                        Ok(found) => found.peers,
                        Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                    };
                    for peer in found {
                        for addr in peer.addrs.iter().take(ADDRS_MAX) {
                            self.learn(peer.peer_id, addr);
                        }
                    }
                }
                if step.last
                    && let Some(peer) = self.lookups.remove(&id)
                {
                    self.looked_up(peer);
                }
            }
            _ => {}
        }
    }

    fn gossiped(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { message, .. } => {
                let author = message.source.and_then(|author| node_id(&author));
                // Gossip may be lost: better here than that nobody is heard at all.
                if let (Some(author), true) = (author, self.backlog.len() < CROWDED) {
                    self.tell(Event::Gossip { author, bytes: message.data.into() });
                }
            }
            gossipsub::Event::Subscribed { .. } => self.gossip(),
            _ => {}
        }
    }

    /// Another peer tried one of our addresses.
    fn probed(&mut self, event: autonat::v2::client::Event) {
        // That a relay cannot be called by itself says nothing of us.
        if Way::of(&event.tested_addr) == Way::Relay {
            return;
        }
        let reachable = event.result.is_ok();
        self.hidden |= !reachable;
        self.use_relays();
        self.tell(Event::Reachability { addr: event.tested_addr, reachable });
    }

    fn listening(&mut self, listener: ListenerId, addr: Multiaddr) {
        self.circuits.granted(listener);
        // A door's business is to be reached, and its relay tells others where.
        if matches!(self.config.role, Role::Door(_)) {
            self.swarm.add_external_address(addr.clone());
        }
        let own = *self.swarm.local_peer_id();
        let addr = addr.with_p2p(own).unwrap_or_else(|addr| addr);
        self.tell(Event::Listening { addr });
    }

    fn handshake_failed(&mut self, addr: Multiaddr, error: &ListenError) {
        let reason = match error {
            ListenError::Denied { cause }
                if cause.downcast_ref::<allow_block_list::Blocked>().is_some() =>
            {
                return;
            }
            ListenError::Denied { cause } => deepest(cause),
            other => deepest(other),
        };
        let reason = Refusal::Handshake(reason);
        self.tell_refusal(Event::Refused { node: None, addr, reason });
    }
}

/// What every door's agent begins with, whatever its version.
fn door_name() -> &'static str {
    DOOR_AGENT.split('/').next().unwrap_or(DOOR_AGENT)
}
