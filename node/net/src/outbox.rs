//! The sending half of the lanes: for each peer and lane a bounded queue, and a task that writes it.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dashmap::DashMap;
use swarm_proto::NodeId;
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use crate::error::Fault;
use crate::event::{Event, WeakOutlet};
use crate::lane::{self, Frame, Lane, Socket};
use crate::opener::Opener;
use crate::{Limits, SendError};

/// Queues at once: both lanes of as many peers as anyone can talk to.
const QUEUES_MAX: usize = 2048;

/// A queue that was not used for so long is given up, with its stream.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// All queues of this node.
#[derive(Clone)]
pub(crate) struct Outbox {
    queues: Arc<DashMap<(NodeId, Lane), Queue>>,
    opener: Opener,
    outlet: WeakOutlet,
    limits: Limits,
    runtime: Handle,
}

#[derive(Clone)]
struct Queue {
    frames: mpsc::Sender<Queued>,
    bytes: Arc<Semaphore>,
}

/// A frame, and its share of the queue's bytes.
struct Queued {
    frame: Frame,
    _bytes: OwnedSemaphorePermit,
}

impl Outbox {
    /// No queues yet. The tasks run on the current runtime.
    pub(crate) fn new(opener: Opener, outlet: WeakOutlet, limits: Limits) -> Self {
        let runtime = Handle::current();
        Self { queues: Arc::default(), opener, outlet, limits, runtime }
    }

    /// Queues a frame.
    pub(crate) fn post(&self, to: NodeId, lane: Lane, frame: Frame) -> Result<(), SendError> {
        check(frame.head.len(), lane.head_bytes_max())?;
        check(frame.body.len(), lane.body_bytes_max())?;
        let queue = self.queue(to, lane)?;
        let cost = u32::try_from(frame.len()).map_err(|_| SendError::Full)?;
        let bytes = queue.bytes.try_acquire_many_owned(cost).map_err(|_| SendError::Full)?;
        match queue.frames.try_send(Queued { frame, _bytes: bytes }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(SendError::Full),
            // Its task was just giving up an idle queue; the next one is new.
            Err(TrySendError::Closed(queued)) => {
                self.queues.remove_if(&(to, lane), |_, queue| queue.frames.is_closed());
                let queue = self.queue(to, lane)?;
                queue.frames.try_send(queued).map_err(|_| SendError::Full)
            }
        }
    }

    /// Ends all queues; what is in them is still written as long as there are connections.
    pub(crate) fn close(&self) {
        self.queues.clear();
    }

    fn queue(&self, to: NodeId, lane: Lane) -> Result<Queue, SendError> {
        if let Some(queue) = self.queues.get(&(to, lane)) {
            return Ok(queue.clone());
        }
        if self.opener.is_closed() {
            return Err(SendError::Closed);
        }
        if !self.opener.can_name(to) {
            return Err(SendError::NoSuchPeer);
        }
        if self.queues.len() >= QUEUES_MAX {
            return Err(SendError::Full);
        }
        Ok(self.queues.entry((to, lane)).or_insert_with(|| self.start(to, lane)).clone())
    }

    fn start(&self, to: NodeId, lane: Lane) -> Queue {
        let (sender, frames) = mpsc::channel(lane.queue_max());
        // Room for at least one frame of the greatest length, or it could never be sent.
        let frame_bytes_max = lane.head_bytes_max() + lane.body_bytes_max();
        let bytes = Arc::new(Semaphore::new(self.limits.frame_queue_bytes.max(frame_bytes_max)));
        let queues = Arc::downgrade(&self.queues);
        let carrier = Carrier {
            to,
            lane,
            frames,
            opener: self.opener.clone(),
            outlet: self.outlet.clone(),
            patience: self.limits.progress_timeout,
            scratch: BytesMut::new(),
        };
        self.runtime.spawn(async move {
            let mut carrier = carrier;
            carrier.carry().await;
            if let Some(queues) = queues.upgrade() {
                queues.remove_if(&(to, lane), |_, queue| {
                    queue.frames.is_closed() || queue.frames.strong_count() == 1
                });
            }
            carrier.finish().await;
        });
        Queue { frames: sender, bytes }
    }
}

fn check(bytes: usize, bytes_max: usize) -> Result<(), SendError> {
    if bytes > bytes_max { Err(SendError::TooLong { bytes, bytes_max }) } else { Ok(()) }
}

/// Takes one queue's frames to their peer.
struct Carrier {
    to: NodeId,
    lane: Lane,
    frames: mpsc::Receiver<Queued>,
    opener: Opener,
    outlet: WeakOutlet,
    patience: Duration,
    scratch: BytesMut,
}

/// What became of a stream.
enum End {
    /// Nothing was sent for a while.
    Idle,
    /// Nobody can send any longer.
    Closed,
    /// The stream was lost or left while nothing was on its way, so nothing is known to be lost.
    Quiet,
}

impl Carrier {
    /// Carries until the queue is idle or closed.
    async fn carry(&mut self) {
        loop {
            let Ok(first) = tokio::time::timeout(IDLE_MAX, self.frames.recv()).await else {
                return;
            };
            let Some(first) = first else { return };
            match self.stream(first).await {
                Ok(End::Idle | End::Closed) => return,
                Ok(End::Quiet) => {}
                Err(fault) => self.give_up(&fault).await,
            }
        }
    }

    /// Carries what came in while the queue was being given up.
    async fn finish(&mut self) {
        self.frames.close();
        while let Ok(first) = self.frames.try_recv() {
            if let Err(fault) = self.stream(first).await {
                self.give_up(&fault).await;
            }
        }
    }

    /// Opens a stream and writes frames to it until it ends.
    async fn stream(&mut self, first: Queued) -> Result<End, Fault> {
        let (stream, line) = self.opener.lane(self.to, self.lane).await?;
        let (mut hearing, mut socket) = tokio::io::split(stream.compat());
        let mut queued = first;
        loop {
            lane::write(&mut socket, &queued.frame, &mut self.scratch, self.patience).await?;
            line.carried(queued.frame.len());
            queued = match self.frames.try_recv() {
                Ok(next) => next,
                Err(_) => {
                    lane::flush(&mut socket, self.patience).await?;
                    if line.is_outdated() {
                        return self.end(socket, End::Quiet).await;
                    }
                    match self.wait(&mut hearing).await {
                        Ok(next) => next,
                        Err(End::Quiet) => return Ok(End::Quiet),
                        Err(end) => return self.end(socket, end).await,
                    }
                }
            };
        }
    }

    /// The next frame, unless the stream or the queue ends before.
    async fn wait(&mut self, hearing: &mut ReadHalf<Socket>) -> Result<Queued, End> {
        let mut byte = [0];
        tokio::select! {
            frame = self.frames.recv() => frame.ok_or(End::Closed),
            // Lanes are one-way: whatever is heard, be it the end, means that this one is over.
            _ = hearing.read(&mut byte) => Err(End::Quiet),
            () = tokio::time::sleep(IDLE_MAX) => Err(End::Idle),
        }
    }

    /// Closes the stream, so that what was written is not lost with it.
    async fn end(&self, mut socket: WriteHalf<Socket>, end: End) -> Result<End, Fault> {
        use tokio::io::AsyncWriteExt as _;
        let closed = tokio::time::timeout(self.patience, socket.shutdown()).await;
        closed.map_err(|_| Fault::Stalled(self.patience))??;
        Ok(end)
    }

    /// Drops all that is queued, and says so.
    async fn give_up(&mut self, fault: &Fault) {
        let mut frames = 1;
        while self.frames.try_recv().is_ok() {
            frames += 1;
        }
        let (to, lane, reason) = (self.to, self.lane, fault.to_string());
        self.outlet.tell(Event::Undeliverable { to, lane, frames, reason }).await;
    }
}
