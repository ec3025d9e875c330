//! What can go wrong, by what the caller can do about it.

use libp2p::Multiaddr;

use crate::lane::Lane;

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Choose another name.
    #[error(
        "{name:?} cannot name a swarm: expected 1 to {max} of the characters a-z, 0-9, '-', '_' \
         and '.'"
    )]
    Name {
        /// The name that was given.
        name: String,
        /// How long a name may be.
        max: usize,
    },
    /// Choose another address.
    #[error(
        "{addr} is in use by another program; stop it, or listen elsewhere (port 0 takes any free \
         one)"
    )]
    InUse {
        /// Where we were to listen.
        addr: Multiaddr,
    },
    /// Correct the address.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// Where we were to listen.
        addr: Multiaddr,
        /// What the transport said.
        reason: String,
    },
    /// The machine lacks something.
    #[error("cannot set up the network: {0}")]
    Setup(String),
}

/// Why something was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The peer is slower than we are: wait, or send elsewhere.
    #[error("the queue is full")]
    Full,
    /// A fault of the caller.
    #[error("{bytes} bytes are too many: at most {bytes_max}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// A fault of the caller: no key has this id, or it is our own.
    #[error("no other peer can have this id")]
    NoSuchPeer,
    /// The network was shut down.
    #[error("the network was shut down")]
    Closed,
}

/// Why no stream could be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No address of the peer is known, or none answers. Try again later.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The peer is there but does not take such a stream.
    #[error("refused: {0}")]
    Refused(String),
    /// The network was shut down.
    #[error("the network was shut down")]
    Closed,
}

/// Why a stream of frames ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Lost with its connection, or closed by the other side.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The other side does not keep up, or is gone without a word.
    #[error("no progress for {} s", .0.as_secs_f32())]
    Stalled(std::time::Duration),
    /// The other side does not speak our protocol.
    #[error(
        "{lane} frame of {head} + {body} bytes announced, at most {} + {} are allowed",
        lane.head_bytes_max(),
        lane.body_bytes_max()
    )]
    Garbage {
        /// Where.
        lane: Lane,
        /// The head's announced length.
        head: u32,
        /// The body's announced length.
        body: u32,
    },
    /// We are shutting down.
    #[error("shut down")]
    Closed,
}
