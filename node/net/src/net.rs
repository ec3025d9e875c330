//! The handle that everyone in the node holds to talk to the swarm.

use bytes::Bytes;
use libp2p::Multiaddr;
use swarm_proto::NodeId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::crowd::PeerInfo;
use crate::gossip::{GOSSIP_BYTES_MAX, Gossip};
use crate::lane::{Frame, Lane};
use crate::opener::Opener;
use crate::outbox::Outbox;
use crate::pipe::Duplex;
use crate::task::Command;
use crate::{OpenError, SendError, identity};

/// A way to talk to the swarm. Clones are the same network; when the last is dropped, it ends.
#[derive(Clone)]
pub struct Net {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    opener: Opener,
    outbox: Outbox,
    gossip: Gossip,
}

impl Net {
    pub(crate) fn new(node: NodeId, opener: Opener, outbox: Outbox, gossip: Gossip) -> Self {
        Self { node, commands: opener.commands.clone(), opener, outbox, gossip }
    }

    /// Who we are.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Queues a control message of at most [`MESSAGE_BYTES_MAX`](crate::MESSAGE_BYTES_MAX) bytes.
    ///
    /// The peer is called if it is not connected. Messages to one peer arrive in order, or from
    /// some point on not at all: then there is an `Undeliverable` event, unless the connection was
    /// lost when all seemed to be written. Only an answer proves that a message arrived.
    pub fn send(&self, to: NodeId, message: Bytes) -> Result<(), SendError> {
        self.outbox.post(to, Lane::Control, Frame { head: message, body: Bytes::new() })
    }

    /// Queues a frame of the data plane, with at most
    /// [`HEAD_BYTES_MAX`](crate::HEAD_BYTES_MAX) and [`BODY_BYTES_MAX`](crate::BODY_BYTES_MAX)
    /// bytes. It promises what [`send`](Self::send) promises; frames and messages may overtake
    /// each other.
    pub fn frame(&self, to: NodeId, head: Bytes, body: Bytes) -> Result<(), SendError> {
        self.outbox.post(to, Lane::Data, Frame { head, body })
    }

    /// Gossips at most [`GOSSIP_BYTES_MAX`] bytes to all nodes, now or when there are any.
    ///
    /// If many wait for the first listener, the oldest are dropped.
    pub fn publish(&self, bytes: Bytes) -> Result<(), SendError> {
        if bytes.len() > GOSSIP_BYTES_MAX {
            return Err(SendError::TooLong { bytes: bytes.len(), bytes_max: GOSSIP_BYTES_MAX });
        }
        self.command(Command::Publish(bytes))
    }

    /// What gossip comes to.
    pub fn gossip(&self) -> Gossip {
        self.gossip.clone()
    }

    /// Stays connected with `peers`, as far as they can be found and reached, and with whoever else is
    /// found if `others`. It takes the place of the last wish; before the first, all are called.
    pub fn wish(&self, peers: &[NodeId], others: bool) -> Result<(), SendError> {
        let peers = peers.iter().filter_map(|node| identity::peer_id(*node)).collect();
        self.command(Command::Wish { peers, others })
    }

    /// Closes all connections with a node. It may come back, and a search for others may call it.
    pub fn part(&self, node: NodeId) -> Result<(), SendError> {
        let peer = identity::peer_id(node).ok_or(SendError::NoSuchPeer)?;
        self.command(Command::Part(peer))
    }

    /// Joins the swarm at `addr` too: calls it until it answers, and again when it is lost.
    pub fn join(&self, addr: Multiaddr) -> Result<(), SendError> {
        self.command(Command::Join(addr))
    }

    /// Opens a stream of plain bytes. The peer hears of it by `Event::Opened`.
    pub async fn open(&self, to: NodeId, purpose: u8) -> Result<Duplex, OpenError> {
        let (stream, line) = self.opener.pipe(to).await?;
        let announced = Duplex::announce(stream, line, purpose).await;
        announced.map_err(|error| OpenError::Unreachable(error.to_string()))
    }

    /// Turns a connected peer away, because it sends what no honest peer sends: it is cut off, and
    /// cannot come back for a while. An `Event::Refused` says so.
    pub fn refuse(&self, node: NodeId, reason: impl Into<String>) -> Result<(), SendError> {
        let peer = identity::peer_id(node).ok_or(SendError::NoSuchPeer)?;
        self.command(Command::Refuse { peer, reason: reason.into() })
    }

    /// The nodes and doors that are connected. None after the end.
    pub async fn peers(&self) -> Vec<PeerInfo> {
        self.ask(Command::Peers).await.unwrap_or_default()
    }

    /// The addresses at which we can be reached, each with our id at its end. None after the end.
    pub async fn addrs(&self) -> Vec<Multiaddr> {
        self.ask(Command::Addrs).await.unwrap_or_default()
    }

    /// Leaves the swarm: all connections are closed when this returns.
    pub async fn shutdown(self) {
        self.outbox.close();
        self.ask(Command::Shutdown).await;
    }

    fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Full,
            TrySendError::Closed(_) => SendError::Closed,
        })
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
