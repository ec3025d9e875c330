//! What a node keeps on disk: its key, and its ballot. One process at a time.
//!
//! A ballot that is lost, cut short or changed could let the node vote twice in a term, so the file
//! carries its own hash, and a node that has a key must have a ballot: the first one is written
//! before the key is.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use swarm_proto::{Ballot, codec};

/// Bytes of the hash that a ballot's file begins with.
const HASH_BYTES: usize = blake3::OUT_LEN;

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
    #[error("{what} {path}: {error}. With --state DIR the node keeps its files elsewhere")]
    Disk {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The ballot is not what was written. Voting on without it could elect two leaders.
    #[error(
        "{path} {reason}. It says how this node voted, and without it the node could vote twice in a \
         term: start it as a new one, with another --state folder"
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

    /// The ballot of the last run; of a node without a key, which never ran, a blank one.
    pub fn ballot(&self) -> Result<Ballot, StateError> {
        let path = self.ballot_file();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.first_ballot(),
            other => other.map_err(disk("reading", &path))?,
        };
        opened(&bytes).map_err(|reason| StateError::Damaged { path, reason })
    }

    fn first_ballot(&self) -> Result<Ballot, StateError> {
        if self.key_file().exists() {
            let (path, reason) = (self.ballot_file(), "is missing".to_owned());
            return Err(StateError::Damaged { path, reason });
        }
        let blank = Ballot::default();
        self.write_ballot(&blank)?;
        Ok(blank)
    }

    /// Writes a ballot so that it is there after a power cut: whole, or the one before.
    pub fn write_ballot(&self, ballot: &Ballot) -> Result<(), StateError> {
        let path = self.ballot_file();
        let sealed = codec::seal(ballot).map_err(|error| StateError::Disk {
            what: "writing",
            path: path.clone(),
            error: io::Error::other(error),
        })?;
        let hash = blake3::hash(&sealed);
        let part = path.with_extension("part");
        let written = File::create(&part)
            .and_then(|mut file| {
                file.write_all(hash.as_bytes())?;
                file.write_all(&sealed)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, &path))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        written.map_err(disk("writing", &path))
    }
}

/// The ballot of a file's bytes, or what is wrong with them.
fn opened(bytes: &[u8]) -> Result<Ballot, String> {
    let (hash, sealed) = bytes.split_at_checked(HASH_BYTES).ok_or("is cut short")?;
    if blake3::hash(sealed).as_bytes() != hash {
        return Err("is not as it was written".to_owned());
    }
    codec::open(sealed).map_err(|error| format!("is of another version ({error})"))
}

fn disk<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StateError + 'a {
    move |error| StateError::Disk { what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Term;

    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        (folder, state)
    }

    #[test]
    fn a_ballot_is_there_after_a_restart() {
        let (folder, state) = state();
        assert_eq!(state.ballot().unwrap(), Ballot::default());
        let ballot = Ballot { term: Term(7), ..Ballot::default() };
        state.write_ballot(&ballot).unwrap();
        drop(state);
        assert_eq!(State::open(folder.path()).unwrap().ballot().unwrap(), ballot);
    }

    #[test]
    fn a_folder_serves_one_node_at_a_time() {
        let (folder, _state) = state();
        assert!(matches!(State::open(folder.path()), Err(StateError::Held(_))));
    }

    #[test]
    fn a_ballot_with_any_byte_changed_or_missing_is_damaged() {
        let (_folder, state) = state();
        state.write_ballot(&Ballot { term: Term(7), ..Ballot::default() }).unwrap();
        let whole = fs::read(state.ballot_file()).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            for bytes in [&changed, &whole[..at]] {
                fs::write(state.ballot_file(), bytes).unwrap();
                assert!(matches!(state.ballot(), Err(StateError::Damaged { .. })), "byte {at}");
            }
        }
    }

    #[test]
    fn a_node_that_ran_before_does_not_begin_with_a_blank_ballot() {
        let (_folder, state) = state();
        fs::write(state.key_file(), b"a key").unwrap();
        let error = state.ballot().unwrap_err().to_string();
        assert!(error.contains("is missing"), "{error}");
    }
}
