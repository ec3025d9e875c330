//! What the network tells its user, in two bounded queues: what happens, and frames of data.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use libp2p::Multiaddr;
use swarm_proto::NodeId;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::lane::Lane;
use crate::pipe::Duplex;

/// Events other than frames that may wait to be drained.
const EVENTS_MAX: usize = 1024;

/// Frames that may wait to be drained, from all peers; their bytes are bounded for each peer.
const FRAMES_MAX: usize = 256;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// We can be reached at `addr`, which ends in our id: what others pass as an address to join.
    Listening {
        /// The address.
        addr: Multiaddr,
    },
    /// A node of this swarm is connected. Once, however many connections there are.
    PeerUp {
        /// The node.
        node: NodeId,
    },
    /// The last connection with a node was lost.
    PeerDown {
        /// The node.
        node: NodeId,
    },
    /// A node is now reached through a relay, or directly again. Of one that is reached directly
    /// from the start this is not told.
    Path {
        /// The node.
        node: NodeId,
        /// Whether a relay stands between.
        relayed: bool,
    },
    /// No direct way was found to a node that is reached through a relay.
    NotPunched {
        /// The node.
        node: NodeId,
        /// Why not.
        reason: String,
    },
    /// A control message, in the order in which its sender sent them.
    Message {
        /// The sender, known by its connection.
        from: NodeId,
        /// What it sent.
        bytes: Bytes,
    },
    /// A gossiped message.
    Gossip {
        /// The author, known by its signature.
        author: NodeId,
        /// What it published.
        bytes: Bytes,
    },
    /// A frame of the data plane, in the order in which its sender sent them.
    Frame {
        /// The sender, known by its connection.
        from: NodeId,
        /// What the bytes are.
        head: Bytes,
        /// The bytes.
        body: Bytes,
    },
    /// A peer opened a stream to us.
    Opened {
        /// The peer.
        from: NodeId,
        /// What it says the stream is for.
        purpose: u8,
        /// The stream.
        stream: Duplex,
    },
    /// A round trip was measured.
    Rtt {
        /// The node.
        node: NodeId,
        /// How long it took.
        rtt: Duration,
    },
    /// Frames were lost: all that was queued for a peer, and perhaps some that were written.
    Undeliverable {
        /// The peer.
        to: NodeId,
        /// Where they were queued.
        lane: Lane,
        /// How many, at least.
        frames: usize,
        /// Why.
        reason: String,
    },
    /// A peer was turned away.
    Refused {
        /// Its id, if its key is of the kind we use.
        node: Option<NodeId>,
        /// Where it is.
        addr: Multiaddr,
        /// Why.
        reason: Refusal,
    },
    /// An address that we were told to join does not answer.
    JoinFailed {
        /// The address.
        addr: Multiaddr,
        /// Why.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// An address that we were told to join answered.
    Joined {
        /// The address.
        addr: Multiaddr,
        /// Whether it is a door's.
        door: bool,
    },
    /// Another peer tried to reach us at an address.
    Reachability {
        /// The address.
        addr: Multiaddr,
        /// Whether it got through.
        reachable: bool,
    },
    /// We do not listen any longer at an address; if it is a relay's, it is asked again.
    ListenFailed {
        /// The address.
        addr: Multiaddr,
        /// Why.
        reason: String,
    },
}

/// Why a peer was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It speaks another version of our protocol.
    Version {
        /// Its version.
        theirs: u32,
        /// Our version.
        ours: u32,
    },
    /// It belongs to another swarm.
    Swarm {
        /// That swarm's name.
        theirs: String,
    },
    /// It is no peer of any Hexswarm.
    Stranger {
        /// What it says it speaks.
        protocol: String,
    },
    /// It does not say what it is.
    Silent,
    /// It broke the protocol.
    Garbage(String),
    /// It could not be understood before it had shown its key.
    Handshake(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { theirs, ours } => {
                write!(f, "it speaks version {theirs} of the protocol, we speak version {ours}")
            }
            Self::Swarm { theirs } => write!(f, "it belongs to the swarm {theirs:?}"),
            Self::Stranger { protocol } => write!(f, "it is no Hexswarm peer but {protocol:?}"),
            Self::Silent => f.write_str("it does not say what it is"),
            Self::Garbage(what) => write!(f, "it broke the protocol: {what}"),
            Self::Handshake(what) => write!(f, "handshake failed: {what}"),
        }
    }
}

/// The receiving end of all events. While it is not drained, peers are read more and more slowly.
#[derive(Debug)]
pub struct Events {
    happened: mpsc::Receiver<Event>,
    frames: mpsc::Receiver<Arrival>,
}

/// A frame, and the leave to hold its bytes.
#[derive(Debug)]
struct Arrival {
    frame: Event,
    _bytes: OwnedSemaphorePermit,
}

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct Outlet {
    happened: mpsc::Sender<Event>,
    frames: mpsc::Sender<Arrival>,
}

/// A sending end that does not keep the queue open.
#[derive(Clone, Debug)]
pub(crate) struct WeakOutlet(mpsc::WeakSender<Event>);

impl WeakOutlet {
    /// Waits for room, then tells `event`, unless the network was shut down.
    pub(crate) async fn tell(&self, event: Event) {
        if let Some(happened) = self.0.upgrade() {
            // Nobody listening is as good as shut down.
            let _ = happened.send(event).await;
        }
    }
}

/// Both ends.
pub(crate) fn channel() -> (Outlet, Events) {
    let (happened_in, happened) = mpsc::channel(EVENTS_MAX);
    let (frames_in, frames) = mpsc::channel(FRAMES_MAX);
    (Outlet { happened: happened_in, frames: frames_in }, Events { happened, frames })
}

impl Events {
    /// The next event; none once the network was shut down.
    ///
    /// Frames have a queue of their own, so a frame may overtake the `PeerUp` of its sender.
    /// Nothing is lost if the returned future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            Some(event) = self.happened.recv() => Some(event),
            Some(arrival) = self.frames.recv() => Some(arrival.frame),
            else => None,
        }
    }
}

impl Outlet {
    /// Waits for room, then tells `event`. False if nobody listens any longer.
    pub(crate) async fn tell(&self, event: Event) -> bool {
        self.happened.send(event).await.is_ok()
    }

    /// Tells `event` if there is room; gives it back otherwise. It is lost if nobody listens.
    #[expect(clippy::result_large_err, reason = "the error is the event, to be kept")]
    pub(crate) fn try_tell(&self, event: Event) -> Result<(), Event> {
        match self.happened.try_send(event) {
            Err(TrySendError::Full(event)) => Err(event),
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// The same, for those whose existence is no reason to go on listening.
    pub(crate) fn downgrade(&self) -> WeakOutlet {
        WeakOutlet(self.happened.downgrade())
    }

    /// Waits for room, then tells a frame, which returns `bytes` when it is taken out.
    pub(crate) async fn tell_frame(&self, frame: Event, bytes: OwnedSemaphorePermit) -> bool {
        self.frames.send(Arrival { frame, _bytes: bytes }).await.is_ok()
    }

    /// Waits for room. None if nobody listens any longer.
    pub(crate) fn room(&self) -> impl Future<Output = Option<mpsc::OwnedPermit<Event>>> + use<> {
        let happened = self.happened.clone();
        async { happened.reserve_owned().await.ok() }
    }
}
