//! What a node keeps on disk: its key, and its ballot. One process at a time.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use swarm_proto::{Ballot, codec};

/// A node's folder, held for as long as this value lives.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    _held: File,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has it.
    #[error(
        "{0} belongs to a node that is running: stop it, or give this one a folder of its own with \
         --state DIR"
    )]
    Held(PathBuf),
    /// The disk did not do as asked.
    #[error("{what} {path}: {error}")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The ballot is not one. Voting on without it could elect two leaders.
    #[error(
        "{path} is damaged ({reason}). It says how this node voted; if it is lost, start the node as \
         a new one with another --state folder"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl State {
    /// Takes hold of a folder, made if it is not there.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder).map_err(disk("creating", folder))?;
        let lock = folder.join("lock");
        let held = File::create(&lock).map_err(disk("creating", &lock))?;
        match held.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _held: held }),
            Err(fs::TryLockError::WouldBlock) => Err(StateError::Held(folder.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(disk("locking", &lock)(error)),
        }
    }

    /// Where the node's key is.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// Where the node's ballot is.
    pub fn ballot_file(&self) -> PathBuf {
        self.folder.join("ballot")
    }

    /// The ballot of the last run, or a blank one.
    pub fn ballot(&self) -> Result<Ballot, StateError> {
        let path = self.ballot_file();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ballot::default()),
            other => other.map_err(disk("reading", &path))?,
        };
        codec::open(&bytes).map_err(|e| StateError::Damaged { path, reason: e.to_string() })
    }
}

/// Writes a ballot so that it is there after a power cut: whole, or the one before.
pub fn write_ballot(path: &Path, ballot: &Ballot) -> Result<(), StateError> {
    let bytes = codec::seal(ballot).expect("a ballot is a few hundred bytes");
    let part = path.with_extension("part");
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.map_err(disk("writing", path))
}

fn disk<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StateError + 'a {
    move |error| StateError::Disk { what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Term;

    use super::*;

    #[test]
    fn a_ballot_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        assert_eq!(state.ballot().unwrap(), Ballot::default());
        let ballot = Ballot { term: Term(7), ..Ballot::default() };
        write_ballot(&state.ballot_file(), &ballot).unwrap();
        drop(state);
        assert_eq!(State::open(folder.path()).unwrap().ballot().unwrap(), ballot);
    }

    #[test]
    fn a_folder_serves_one_node_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _state = State::open(folder.path()).unwrap();
        assert!(matches!(State::open(folder.path()), Err(StateError::Held(_))));
    }

    #[test]
    fn a_damaged_ballot_is_not_taken_for_a_blank_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        fs::write(state.ballot_file(), b"\x01garbage").unwrap();
        assert!(matches!(state.ballot(), Err(StateError::Damaged { .. })));
    }
}
