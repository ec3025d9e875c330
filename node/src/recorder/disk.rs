//! The thread that writes a log, and the file it writes to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::Receiver,
    },
};

use swarm_core::record::{End, Frames, OPENING, Why};

/// Why nothing can be recorded there.
#[derive(Debug, thiserror::Error)]
#[error("nothing can be recorded to {path}: {reason}. Name another file with --record")]
pub struct RecordError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

impl RecordError {
    pub(super) fn new(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A new file for a log, its owner's alone, since prompts will be in it. A log that was there is
/// kept beside it, as `FILE.old`: it may be of a node that somebody wants to know the end of.
pub fn create(path: &Path) -> Result<File, RecordError> {
    let fault = |error: io::Error| RecordError::new(path, error);
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault(error)),
        Ok(file) => {
            let mut opening = Vec::new();
            file.take(OPENING.len() as u64).read_to_end(&mut opening).map_err(fault)?;
            // Whatever form the log has.
            if !OPENING[..12].starts_with(&opening[..opening.len().min(12)]) {
                return Err(RecordError::new(path, "it is there, and no log of a node"));
            }
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            // What never became a log does not take the place of one that did.
            let moved = match opening.len() < OPENING.len() {
                true => fs::remove_file(path),
                false => fs::rename(path, old),
            };
            moved.map_err(fault)?;
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(fault)
}

/// What a log is written to.
pub(super) trait Sink: Send {
    /// Writes after what is there, wholly or with an error.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Forgets all but the first bytes.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(drop)
    }
}

/// Whole frames on their way to the disk, and how many inputs are in them.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) inputs: u64,
}

/// The disk's side of a log.
pub(super) struct Disk {
    sink: Box<dyn Sink>,
    waiting_bytes: Arc<AtomicUsize>,
    why: Arc<OnceLock<Why>>,
    whole_bytes: u64,
    inputs_lost: u64,
}

impl Disk {
    pub(super) fn new(
        sink: Box<dyn Sink>,
        waiting_bytes: Arc<AtomicUsize>,
        why: Arc<OnceLock<Why>>,
    ) -> Self {
        Self { sink, waiting_bytes, why, whole_bytes: 0, inputs_lost: 0 }
    }

    /// Inputs that were handed over and are not on the disk.
    pub(super) fn inputs_lost(&self) -> u64 {
        self.inputs_lost
    }

    /// Writes all pieces, and why there are no more.
    pub(super) fn write(mut self, pieces: Receiver<Piece>) -> Self {
        let mut broken = false;
        for Piece { bytes, inputs } in pieces {
            self.waiting_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
            if !broken && let Err(error) = self.sink.append(&bytes) {
                tracing::warn!(%error, "no longer recorded; the node goes on");
                broken = true;
                let _ = self.why.set(Why::Disk);
            }
            match broken {
                true => self.inputs_lost += inputs,
                false => self.whole_bytes += bytes.len() as u64,
            }
        }
        let why = self.why.get().copied().unwrap_or(Why::Stopped);
        self.mark(&End { why, inputs_missed: self.inputs_lost });
        self
    }

    /// Writes the last frame after the last whole one, in place of what is there.
    pub(super) fn mark(&mut self, end: &End) {
        let mut frames = Frames::default();
        let marked = frames.end(end).map_err(io::Error::other);
        let marked = marked
            .and_then(|()| self.sink.cut(self.whole_bytes))
            .and_then(|()| self.sink.append(&frames.take()));
        if let Err(error) = marked {
            tracing::warn!(%error, "the log has no end");
            // Half of a frame would look like a node that was killed.
            let _ = self.sink.cut(self.whole_bytes);
        }
    }
}
