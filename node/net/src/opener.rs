//! Asks the swarm's task for streams.

use std::time::Duration;

use libp2p::swarm::Stream;
use libp2p::{PeerId, StreamProtocol};
use swarm_proto::NodeId;
use tokio::sync::{mpsc, oneshot};

use crate::OpenError;
use crate::dialect::Dialect;
use crate::error::Fault;
use crate::identity;
use crate::lane::Lane;
use crate::line::Line;
use crate::streams::Reply;
use crate::task::Command;

/// How long a stream may take to open: finding the peer, a call by each way, and the handshakes.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// A way to reach the swarm's task.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) own: PeerId,
    pub(crate) dialect: Dialect,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Opener {
    /// Whether the network was shut down.
    pub(crate) fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Whether some other peer can have this id.
    pub(crate) fn can_name(&self, node: NodeId) -> bool {
        identity::peer_id(node).is_some_and(|peer| peer != self.own)
    }

    /// A stream for a lane.
    pub(crate) async fn lane(&self, to: NodeId, lane: Lane) -> Result<(Stream, Line), Fault> {
        self.open(to, self.dialect.lane(lane)).await.map_err(|error| match error {
            OpenError::Closed => Fault::Closed,
            error => Fault::Io(std::io::Error::other(error)),
        })
    }

    /// A plain stream.
    pub(crate) async fn pipe(&self, to: NodeId) -> Result<(Stream, Line), OpenError> {
        self.open(to, self.dialect.pipe()).await
    }

    async fn open(
        &self,
        to: NodeId,
        protocol: StreamProtocol,
    ) -> Result<(Stream, Line), OpenError> {
        let peer = identity::peer_id(to).filter(|peer| *peer != self.own);
        let Some(peer) = peer else {
            return Err(OpenError::Unreachable("no other peer can have this id".to_owned()));
        };
        let (reply, answer): (Reply, _) = oneshot::channel();
        let command = Command::Open { peer, protocol, reply };
        self.commands.send(command).await.map_err(|_| OpenError::Closed)?;
        match tokio::time::timeout(OPEN_TIMEOUT, answer).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) => Err(OpenError::Unreachable("the connection was lost".to_owned())),
            Err(_) => Err(OpenError::Unreachable("no answer in time".to_owned())),
        }
    }
}
