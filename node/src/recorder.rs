//! Writes down what the core is handed, so that `hexswarm-sim replay` can do it again.
//!
//! The driver hands over frames and never waits: a thread of its own writes them. If it cannot keep
//! up, if the disk is full or the log long enough, the log ends, for a core that missed one input is
//! another core; the node goes on.

mod disk;

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
    time::Duration,
};

use swarm_core::{
    Effect, Input, Keys,
    record::{End, Frames, Head, Outcome, Why},
};
use swarm_proto::{NodeId, Signature, Time};

use disk::{Disk, Piece, Sink};
pub use disk::{RecordError, create};

/// Frames that may wait for the disk, and their bytes.
const WAITING_MAX: usize = 1 << 16;
const WAITING_BYTES_MAX: usize = 64 << 20;
/// How long a node that stops waits for the disk to take the rest.
const STOP_MAX: Duration = Duration::from_secs(5);

/// A log that is being written. Dropping it ends the log.
pub struct Recorder {
    frames: Frames,
    signatures: Receiver<Signature>,
    pieces: Option<SyncSender<Piece>>,
    waiting_bytes: Arc<AtomicUsize>,
    why: Arc<OnceLock<Why>>,
    bytes_left: u64,
    handling: bool,
    inputs_missed: u64,
    done: Receiver<Disk>,
}

/// Keys whose signatures are noted.
struct NotedKeys {
    keys: Box<dyn Keys>,
    made: Sender<Signature>,
}

impl Keys for NotedKeys {
    fn id(&self) -> NodeId {
        self.keys.id()
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        let signature = self.keys.sign(bytes);
        // Without a recorder there is nobody to note it, nor anything to note it for.
        let _ = self.made.send(signature);
        signature
    }

    fn verify(&self, author: NodeId, bytes: &[u8], signature: &Signature) -> bool {
        self.keys.verify(author, bytes, signature)
    }
}

impl Recorder {
    /// Begins a log of a core that is made of `head` and the keys that come back.
    pub fn start(
        path: &Path,
        bytes_max: u64,
        head: &Head,
        keys: Box<dyn Keys>,
    ) -> Result<(Self, Box<dyn Keys>), RecordError> {
        let sink = create(path)?;
        let frames = Frames::opening(head).map_err(|error| RecordError::new(path, error))?;
        Self::begin(Box::new(sink), bytes_max, frames, keys)
            .map_err(|error| RecordError::new(path, error))
    }

    fn begin(
        sink: Box<dyn Sink>,
        bytes_max: u64,
        frames: Frames,
        keys: Box<dyn Keys>,
    ) -> std::io::Result<(Self, Box<dyn Keys>)> {
        let (pieces, written) = mpsc::sync_channel(WAITING_MAX);
        let (done_in, done) = mpsc::sync_channel(1);
        let (made, signatures) = mpsc::channel();
        let (waiting_bytes, why) = (Arc::default(), Arc::default());
        let disk = Disk::new(sink, Arc::clone(&waiting_bytes), Arc::clone(&why));
        let write = move || drop(done_in.send(disk.write(written)));
        thread::Builder::new().name("recorder".to_owned()).spawn(write)?;
        let mut recorder = Self {
            frames,
            signatures,
            pieces: Some(pieces),
            waiting_bytes,
            why,
            bytes_left: bytes_max,
            handling: false,
            inputs_missed: 0,
            done,
        };
        recorder.hand_over(0);
        Ok((recorder, Box::new(NotedKeys { keys, made })))
    }

    /// The core is about to be handed this.
    pub fn input(&mut self, at: Time, input: &Input) {
        self.handling = true;
        if self.has_ended() {
            self.inputs_missed += 1;
        } else if self.frames.input(at, input).is_err() {
            self.inputs_missed += 1;
            self.end(Why::Input);
        } else {
            self.hand_over(1);
        }
    }

    /// These effects came of it.
    pub fn outcome(&mut self, effects: &[Effect]) {
        self.handling = false;
        // Taken in any case: they are not to pile up.
        let signatures = self.signatures.try_iter().collect();
        if self.has_ended() {
            return;
        }
        match self.frames.outcome(&Outcome::of(effects, signatures)) {
            Ok(()) => self.hand_over(0),
            Err(_) => self.end(Why::Input),
        }
    }

    fn has_ended(&mut self) -> bool {
        // The disk may have said so first.
        if self.why.get().is_some() {
            self.pieces = None;
        }
        self.pieces.is_none()
    }

    fn hand_over(&mut self, inputs: u64) {
        let bytes = self.frames.take();
        let count = bytes.len();
        if count as u64 > self.bytes_left {
            self.inputs_missed += inputs;
            return self.end(Why::Long);
        }
        let waiting = self.waiting_bytes.fetch_add(count, Ordering::Relaxed) + count;
        let pieces = self.pieces.as_ref().filter(|_| waiting <= WAITING_BYTES_MAX);
        if pieces.is_none_or(|pieces| pieces.try_send(Piece { bytes, inputs }).is_err()) {
            self.inputs_missed += inputs;
            return self.end(Why::Slow);
        }
        self.bytes_left -= count as u64;
    }

    fn end(&mut self, why: Why) {
        if self.why.set(why).is_ok() {
            tracing::warn!(%why, "no longer recorded; the node goes on, and the log is good so far");
        }
        self.pieces = None;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.why.set(if self.handling { Why::Unhandled } else { Why::Stopped });
        self.pieces = None;
        let Ok(mut disk) = self.done.recv_timeout(STOP_MAX) else {
            return tracing::warn!("the disk does not take the end of the log");
        };
        let why = self.why.get().copied().unwrap_or(Why::Stopped);
        let inputs_missed = self.inputs_missed + disk.inputs_lost();
        if inputs_missed > 0 {
            tracing::warn!(%why, inputs_missed, "the log does not have all that happened");
            disk.mark(&End { why, inputs_missed });
        }
    }
}

#[cfg(test)]
mod tests;
