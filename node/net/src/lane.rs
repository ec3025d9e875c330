//! What a frame is, and the two lanes that frames travel in.
//!
//! A frame is two little-endian `u32` lengths, a head and a body. Control messages are frames
//! without a body. Each ordered pair of peers has at most one stream a lane, so that frames of a
//! lane keep their order, and a large body on one lane never delays a message on the other.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use libp2p::swarm::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::compat::Compat;

use crate::error::Fault;

/// A control message may be this long: the protocol's largest is a plan of a few hundred stages.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// A frame's head may be this long.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// A frame's body may be this long: 2,048 tokens of an 8,192-wide model in 16 bits.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// Control messages that may wait for one peer.
const MESSAGES_MAX: usize = 512;

/// Frames that may wait for one peer.
const FRAMES_MAX: usize = 1024;

/// A frame up to this length is copied and written at once: below yamux's own frame of 16 KiB a
/// second write costs more than the copy.
const COPIED_BYTES_MAX: usize = 16 << 10;

/// Bytes to write before the progress time-out starts anew.
const STRIDE_BYTES: usize = 64 << 10;

const LENGTHS_BYTES: usize = 8;

/// One of the ways to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Small messages about everything.
    Control,
    /// Frames with the bytes of activations.
    Data,
}

impl Lane {
    pub(crate) const ALL: [Self; 2] = [Self::Control, Self::Data];

    pub(crate) const fn head_bytes_max(self) -> usize {
        match self {
            Self::Control => MESSAGE_BYTES_MAX,
            Self::Data => HEAD_BYTES_MAX,
        }
    }

    pub(crate) const fn body_bytes_max(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Data => BODY_BYTES_MAX,
        }
    }

    pub(crate) const fn queue_max(self) -> usize {
        match self {
            Self::Control => MESSAGES_MAX,
            Self::Data => FRAMES_MAX,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Data => "data",
        })
    }
}

/// What travels in a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) head: Bytes,
    pub(crate) body: Bytes,
}

impl Frame {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

/// A libp2p stream in tokio's traits.
pub(crate) type Socket = Compat<Stream>;

/// Writes `frame`, all of it or not. The bytes may still be on this machine: see `flush`.
pub(crate) async fn write(
    socket: &mut (impl AsyncWrite + Unpin),
    frame: &Frame,
    scratch: &mut BytesMut,
    patience: Duration,
) -> Result<(), Fault> {
    scratch.clear();
    // Both lengths were checked against their limits, far below 4 GiB, when the frame was queued.
    scratch.put_u32_le(frame.head.len() as u32);
    scratch.put_u32_le(frame.body.len() as u32);
    scratch.put_slice(&frame.head);
    let copied = frame.len() <= COPIED_BYTES_MAX;
    if copied {
        scratch.put_slice(&frame.body);
    }
    write_steadily(socket, scratch, patience).await?;
    if copied { Ok(()) } else { write_steadily(socket, &frame.body, patience).await }
}

/// Writes `bytes`, as long as a part of them is taken now and then.
async fn write_steadily(
    socket: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> Result<(), Fault> {
    for stride in bytes.chunks(STRIDE_BYTES) {
        steadily(socket.write_all(stride), patience).await?;
    }
    Ok(())
}

/// Hands over to the transport what was written.
pub(crate) async fn flush(
    socket: &mut (impl AsyncWrite + Unpin),
    patience: Duration,
) -> Result<(), Fault> {
    steadily(socket.flush(), patience).await
}

async fn steadily<T>(
    work: impl Future<Output = io::Result<T>>,
    patience: Duration,
) -> Result<T, Fault> {
    Ok(timeout(patience, work).await.map_err(|_| Fault::Stalled(patience))??)
}

/// The lengths of the next frame, checked; none at the end of the stream. May wait for ever.
pub(crate) async fn read_lengths(
    socket: &mut (impl AsyncRead + Unpin),
    lane: Lane,
    patience: Duration,
) -> Result<Option<(usize, usize)>, Fault> {
    let mut lengths = [0; LENGTHS_BYTES];
    if socket.read(&mut lengths[..1]).await? == 0 {
        return Ok(None);
    }
    steadily(socket.read_exact(&mut lengths[1..]), patience).await?;
    let [a, b, c, d, e, f, g, h] = lengths;
    let (head, body) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let garbage = Fault::Garbage { lane, head, body };
    match (usize::try_from(head), usize::try_from(body)) {
        (Ok(head), Ok(body)) if head <= lane.head_bytes_max() && body <= lane.body_bytes_max() => {
            Ok(Some((head, body)))
        }
        _ => Err(garbage),
    }
}

/// The frame of these lengths. `buffer` is used again once earlier frames from it were dropped.
pub(crate) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    (head, body): (usize, usize),
    buffer: &mut BytesMut,
    patience: Duration,
) -> Result<Frame, Fault> {
    buffer.reserve(head + body);
    while buffer.len() < head + body {
        let missing = head + body - buffer.len();
        if steadily(socket.read_buf(&mut (&mut *buffer).limit(missing)), patience).await? == 0 {
            return Err(Fault::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    let head = buffer.split_to(head).freeze();
    let body = buffer.split_to(body).freeze();
    Ok(Frame { head, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn frame(head: usize, body: usize) -> Frame {
        Frame { head: Bytes::from(vec![1; head]), body: Bytes::from(vec![2; body]) }
    }

    #[tokio::test]
    async fn frames_arrive_as_they_were_sent() {
        let (mut near, mut far) = tokio::io::duplex(1000);
        let frames =
            [frame(0, 0), frame(9, 0), frame(0, 9), frame(70, COPIED_BYTES_MAX), frame(5, 1 << 20)];
        let sent = frames.clone();
        let writer = tokio::spawn(async move {
            let mut scratch = BytesMut::new();
            for frame in &sent {
                write(&mut near, frame, &mut scratch, PATIENCE).await.unwrap();
            }
        });
        let mut buffer = BytesMut::new();
        for frame in &frames {
            let lengths = read_lengths(&mut far, Lane::Data, PATIENCE).await.unwrap().unwrap();
            assert_eq!(read(&mut far, lengths, &mut buffer, PATIENCE).await.unwrap(), *frame);
        }
        writer.await.unwrap();
        assert!(read_lengths(&mut far, Lane::Data, PATIENCE).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn lengths_beyond_the_limit_are_refused_before_the_bytes() {
        let beyond = |max: usize| u32::try_from(max + 1).unwrap();
        let cases = [
            (Lane::Control, beyond(MESSAGE_BYTES_MAX), 0),
            (Lane::Control, 1, 1),
            (Lane::Data, beyond(HEAD_BYTES_MAX), 0),
            (Lane::Data, 0, beyond(BODY_BYTES_MAX)),
            (Lane::Data, u32::MAX, u32::MAX),
        ];
        for (lane, head, body) in cases {
            let bytes = [head.to_le_bytes(), body.to_le_bytes()].concat();
            let fault = read_lengths(&mut &bytes[..], lane, PATIENCE).await.unwrap_err();
            assert!(matches!(fault, Fault::Garbage { .. }), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_frame_cut_short_is_a_fault() {
        let mut bytes: &[u8] = &[1, 2, 3];
        let fault = read(&mut bytes, (2, 2), &mut BytesMut::new(), PATIENCE).await.unwrap_err();
        assert!(matches!(fault, Fault::Io(_)), "{fault}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stalls_is_given_up() {
        let (mut near, _far) = tokio::io::duplex(1000);
        let fault =
            write(&mut near, &frame(0, 2000), &mut BytesMut::new(), PATIENCE).await.unwrap_err();
        assert!(matches!(fault, Fault::Stalled(_)), "{fault}");
    }
}
