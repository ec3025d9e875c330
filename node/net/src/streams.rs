//! Byte streams beside libp2p's own protocols: the behaviour that opens and takes them.
//!
//! libp2p-stream does the same, with three differences that matter here: it drops a stream that
//! comes while another waits to be taken, it draws the connection by lot even if one is direct and
//! one relayed, and it keeps an entry for every connection that ever was. Here the swarm's task
//! names the connection, and nothing is kept.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use crate::OpenError;
use crate::line::Line;

/// Where the answer to a request for a stream goes: the stream, and the connection it is on.
pub(crate) type Reply = oneshot::Sender<Result<(Stream, Line), OpenError>>;

/// A stream that a peer opened.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) protocol: StreamProtocol,
    pub(crate) stream: Stream,
}

/// A stream to be opened.
#[derive(Debug)]
pub(crate) struct Request {
    protocol: StreamProtocol,
    line: Line,
    reply: Reply,
}

/// Opens and takes streams of the protocols it was made with.
pub(crate) struct Streams {
    accepted: Arc<[StreamProtocol]>,
    actions: VecDeque<ToSwarm<Arrived, Request>>,
}

impl Streams {
    pub(crate) fn new(accepted: impl IntoIterator<Item = StreamProtocol>) -> Self {
        Self { accepted: accepted.into_iter().collect(), actions: VecDeque::new() }
    }

    /// Opens a stream on one connection. If the connection is lost meanwhile, `reply` is dropped.
    pub(crate) fn open(
        &mut self,
        peer_id: PeerId,
        (connection, line): (ConnectionId, Line),
        protocol: StreamProtocol,
        reply: Reply,
    ) {
        let handler = NotifyHandler::One(connection);
        let event = Request { protocol, line, reply };
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id, handler, event });
    }

    fn handler(&self) -> Handler {
        let accepted = Offer(self.accepted.clone());
        Handler { accepted, requests: VecDeque::new(), arrived: VecDeque::new() }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Arrived;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        (protocol, stream): THandlerOutEvent<Self>,
    ) {
        let arrived = Arrived { peer, connection, protocol, stream };
        self.actions.push_back(ToSwarm::GenerateEvent(arrived));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Arrived, THandlerInEvent<Self>>> {
        // No waker is kept: actions come only from the task that polls this.
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// One connection's part.
pub(crate) struct Handler {
    accepted: Offer,
    requests: VecDeque<Request>,
    arrived: VecDeque<(StreamProtocol, Stream)>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = (StreamProtocol, Stream);
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = (Line, Reply);

    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        SubstreamProtocol::new(self.accepted.clone(), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Offer, (Line, Reply), Self::ToBehaviour>> {
        if let Some(arrived) = self.arrived.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(arrived));
        }
        let Some(Request { protocol, line, reply }) = self.requests.pop_front() else {
            return Poll::Pending;
        };
        let protocol = SubstreamProtocol::new(Offer(Arc::new([protocol])), (line, reply));
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer, (), (Line, Reply)>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: arrived,
                ..
            }) => self.arrived.push_back(arrived),
            // A caller that gave up has dropped its end; then the stream is dropped, and reset.
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info: (line, reply),
            }) => drop(reply.send(Ok((stream, line)))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: (_, reply), error }) => {
                drop(reply.send(Err(OpenError::Refused(error.to_string()))));
            }
            _ => {}
        }
    }
}

/// The protocols one side would speak; the stream is the other's as soon as they agree.
#[derive(Clone, Debug)]
pub(crate) struct Offer(Arc<[StreamProtocol]>);

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = Vec<StreamProtocol>;

    fn protocol_info(&self) -> Vec<StreamProtocol> {
        self.0.to_vec()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
