//! The folder of a demo's keys, ballots and logs: gone when the demo ends, and if that was killed,
//! when the next one begins.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use tempfile::TempDir;

/// How the folders' names begin.
const PREFIX: &str = "hexswarm-demo-";
/// A file in each that its demo holds locked for as long as it lives.
const LOCK: &str = "lock";

/// A folder, removed when dropped.
#[derive(Debug)]
pub(super) struct Room {
    folder: TempDir,
    _lock: File,
}

impl Room {
    /// A new one in the system's folder for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what demos left that were killed. One without a lock file is just being made.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let lock = File::options().write(true).open(entry.path().join(LOCK));
        if ours && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            // Another user's, or swept by another demo this very moment: not ours to mind.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_demo_left_goes_with_the_next_one() {
        let parent = tempfile::tempdir().unwrap();
        let running = Room::below(parent.path()).unwrap();
        let killed = parent.path().join(format!("{PREFIX}killed"));
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(LOCK), "").unwrap();
        let next = Room::below(parent.path()).unwrap();
        assert!(!killed.exists());
        assert!(running.path().exists() && next.path().exists());
        drop((running, next));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
