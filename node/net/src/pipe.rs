//! A stream of plain bytes between two peers, for those who bring their own framing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::swarm::Stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use crate::lane::Socket;
use crate::line::Line;

/// How long the first byte may take, which says what a stream is for.
const PURPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes both ways, in order. Flush what must not wait; shut down to end one direction.
///
/// A stream that is dropped before it was shut down is reset: what was written may be lost.
#[derive(Debug)]
pub struct Duplex {
    socket: Socket,
    line: Line,
    /// Leave to be one of the peer's open streams.
    _slot: Option<OwnedSemaphorePermit>,
}

impl Duplex {
    /// Says what a stream that we opened is for.
    pub(crate) async fn announce(stream: Stream, line: Line, purpose: u8) -> io::Result<Self> {
        let mut socket = stream.compat();
        socket.write_all(&[purpose]).await?;
        socket.flush().await?;
        Ok(Self { socket, line, _slot: None })
    }

    /// Hears what a stream that a peer opened is for.
    pub(crate) async fn hear(
        stream: Stream,
        line: Line,
        slot: OwnedSemaphorePermit,
    ) -> io::Result<(u8, Self)> {
        let mut socket = stream.compat();
        let purpose = tokio::time::timeout(PURPOSE_TIMEOUT, socket.read_u8()).await??;
        Ok((purpose, Self { socket, line, _slot: Some(slot) }))
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        self.line.carried(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.line.carried(bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
