//! How many connections one host may have to us: a crowd behind one address must not take the
//! places of everyone else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::Limits;

/// Bits of an IPv6 address that name a network. Its owner can use any of the rest.
const IPV6_NETWORK: u128 = u128::MAX << 64;

/// Refuses connections beyond the limits for one host. Relayed ones have no host that we know,
/// and their number is the relay's business.
pub(crate) struct Hosts {
    connections_max: usize,
    handshakes_max: usize,
    incoming: HashMap<ConnectionId, Place>,
}

/// One incoming connection.
struct Place {
    host: IpAddr,
    /// Whether its peer has not shown its key yet.
    handshake: bool,
}

/// A host has too many connections.
#[derive(Debug, thiserror::Error)]
#[error("connection limit exceeded: at most {max} {what} from one host are allowed")]
pub(crate) struct Crowded {
    max: usize,
    what: &'static str,
}

impl Hosts {
    pub(crate) fn new(limits: &Limits) -> Self {
        let places = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            connections_max: places(limits.connections_per_host_max),
            handshakes_max: places(limits.handshakes_per_host_max),
            incoming: HashMap::new(),
        }
    }

    /// A place for another connection from `host`.
    fn admit(&mut self, id: ConnectionId, host: IpAddr) -> Result<(), Crowded> {
        let theirs = || self.incoming.values().filter(|place| place.host == host);
        if theirs().count() >= self.connections_max {
            return Err(Crowded { max: self.connections_max, what: "connections" });
        }
        if theirs().filter(|place| place.handshake).count() >= self.handshakes_max {
            return Err(Crowded { max: self.handshakes_max, what: "handshakes" });
        }
        self.incoming.insert(id, Place { host, handshake: true });
        Ok(())
    }
}

/// Whose connection it is; none if it comes through a relay.
fn host(addr: &Multiaddr) -> Option<IpAddr> {
    match addr.iter().next()? {
        Protocol::Ip4(host) => Some(host.into()),
        Protocol::Ip6(host) => {
            let mapped = host.to_ipv4_mapped().map(IpAddr::from);
            Some(mapped.unwrap_or(IpAddr::V6((u128::from(host) & IPV6_NETWORK).into())))
        }
        _ => None,
    }
}

impl NetworkBehaviour for Hosts {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let relayed = local.iter().any(|part| part == Protocol::P2pCircuit);
        match host(remote).filter(|_| !relayed) {
            Some(host) => self.admit(id, host).map_err(ConnectionDenied::new),
            None => Ok(()),
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                if let Some(place) = self.incoming.get_mut(&event.connection_id) {
                    place.handshake = false;
                }
            }
            FromSwarm::ConnectionClosed(event) => drop(self.incoming.remove(&event.connection_id)),
            FromSwarm::ListenFailure(event) => drop(self.incoming.remove(&event.connection_id)),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        never: THandlerOutEvent<Self>,
    ) {
        match never {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        host(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn one_host_fills_its_own_places_only() {
        let limits =
            Limits { connections_per_host_max: 3, handshakes_per_host_max: 2, ..Limits::default() };
        let mut hosts = Hosts::new(&limits);
        let mut ids = (0..).map(ConnectionId::new_unchecked);
        let mut admit = |hosts: &mut Hosts, text| hosts.admit(ids.next().unwrap(), at(text));
        let (crowd, other) = ("/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1");
        assert!(admit(&mut hosts, crowd).is_ok() && admit(&mut hosts, crowd).is_ok());
        assert_eq!(admit(&mut hosts, crowd).unwrap_err().what, "handshakes");
        hosts.incoming.values_mut().for_each(|place| place.handshake = false);
        assert!(admit(&mut hosts, crowd).is_ok());
        assert_eq!(admit(&mut hosts, crowd).unwrap_err().what, "connections");
        assert!(admit(&mut hosts, other).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_host() {
        assert_eq!(at("/ip6/2001:db8::1/tcp/1"), at("/ip6/2001:db8::2:1/udp/9/quic-v1"));
        assert_ne!(at("/ip6/2001:db8::1/tcp/1"), at("/ip6/2001:db8:0:1::1/tcp/1"));
        assert_eq!(at("/ip6/::ffff:192.0.2.1/tcp/1"), at("/ip4/192.0.2.1/tcp/2"));
        assert_eq!(host(&"/p2p-circuit".parse().unwrap()), None);
    }
}
