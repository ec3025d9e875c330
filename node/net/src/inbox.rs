//! The receiving half of the lanes: for each peer and lane at most one stream that is read.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use libp2p::swarm::Stream;
use swarm_proto::NodeId;
use tokio::io::BufReader;
use tokio::sync::Semaphore;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use crate::Limits;
use crate::error::Fault;
use crate::event::{Event, Outlet};
use crate::lane::{self, Lane};
use crate::line::Line;

/// Small frames come several to a read.
const BUFFER_BYTES: usize = 16 << 10;

/// Reads one lane from one peer.
pub(crate) struct Inbox {
    pub(crate) from: NodeId,
    pub(crate) lane: Lane,
    pub(crate) line: Line,
    pub(crate) outlet: Outlet,
    pub(crate) patience: Duration,
    /// What may be read and not yet drained. It comes back as frames are taken out.
    pub(crate) bytes: Arc<Semaphore>,
}

/// The bytes that may be read from one peer in one lane, and wait to be drained.
pub(crate) fn budget(lane: Lane, limits: &Limits) -> Arc<Semaphore> {
    // Room for at least one frame of the greatest length, or it could never be read.
    let frame_bytes_max = lane.head_bytes_max() + lane.body_bytes_max();
    Arc::new(Semaphore::new(limits.frame_queue_bytes.max(frame_bytes_max)))
}

impl Inbox {
    /// Reads until the stream ends. A fault says how.
    pub(crate) async fn read(&self, stream: Stream) -> Result<(), Fault> {
        let mut socket = BufReader::with_capacity(BUFFER_BYTES, stream.compat());
        let mut buffer = BytesMut::new();
        loop {
            let lengths = lane::read_lengths(&mut socket, self.lane, self.patience).await?;
            let Some((head, body)) = lengths else { return Ok(()) };
            // Within the limits of the lane, which are far below 4 GiB.
            let cost = u32::try_from(head + body).map_err(std::io::Error::other)?;
            // Until there is room nothing is read, and the sender's queue fills in turn.
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(cost).await;
            let bytes = bytes.map_err(std::io::Error::other)?;
            let frame = lane::read(&mut socket, (head, body), &mut buffer, self.patience).await?;
            self.line.carried(frame.len());
            let (from, lane::Frame { head, body }) = (self.from, frame);
            let heard = match self.lane {
                Lane::Control => self.outlet.tell(Event::Message { from, bytes: head }).await,
                Lane::Data => {
                    self.outlet.tell_frame(Event::Frame { from, head, body }, bytes).await
                }
            };
            if !heard {
                return Err(Fault::Closed);
            }
        }
    }
}
