//! The file of options, whose unknown keys are errors that name the nearest known one.

use std::{fs, io, path::Path, path::PathBuf};

use super::{DeviceError, NodeOptions};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file's text is wrong somewhere.
    #[error("{path}: {fault}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        fault: Box<ConfigError>,
    },
    /// A key that means nothing.
    #[error("unknown key `{key}`{hint}")]
    Key {
        /// The key.
        key: String,
        /// The nearest known one, in words.
        hint: String,
    },
    /// Not TOML, or a value of the wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A value that cannot be.
    #[error("{key}: {reason}")]
    Value {
        /// Of which key.
        key: &'static str,
        /// Why not.
        reason: String,
    },
    /// A device that cannot be.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

pub(super) fn read(path: &Path) -> Result<NodeOptions, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
    parse(&text)
        .map_err(|fault| ConfigError::File { path: path.to_owned(), fault: Box::new(fault) })
}

pub(super) fn parse(text: &str) -> Result<NodeOptions, ConfigError> {
    let table: toml::Table = text.parse()?;
    let known = toml::Table::try_from(example()).expect("options are a table");
    if let Some(key) = table.keys().find(|key| !known.contains_key(*key)) {
        let near = known.keys().max_by_key(|k| (strsim::jaro(k, key) * 1e6) as u64);
        let hint = near.map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
        return Err(ConfigError::Key { key: key.clone(), hint });
    }
    Ok(toml::from_str(text)?)
}

/// Options with every key present, from which the known keys are read off.
fn example() -> NodeOptions {
    NodeOptions {
        swarm: Some(String::new()),
        wait_for: Some(0),
        api: Some(([127, 0, 0, 1], 0).into()),
        model: Some(String::new()),
        compute: Some(super::Compute::Auto),
        context: Some(0),
        state: Some(PathBuf::new()),
        key: Some(PathBuf::new()),
        plan: Some(PathBuf::new()),
        record: Some(PathBuf::new()),
        record_max: Some(String::new()),
        ..NodeOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_says_nothing() {
        assert!(parse("").unwrap().model.is_none());
    }

    #[test]
    fn what_flags_take_the_file_takes() {
        let options = parse("wait_for = 2\nrecord = 'node.log'\nrecord_max = '1MB'").unwrap();
        assert_eq!(options.wait_for, Some(2));
        let settings = options.settle().unwrap();
        assert_eq!(settings.record, Some(PathBuf::from("node.log")));
        assert_eq!(settings.record_bytes_max, 1_000_000);
        let error = parse("record_max = 'much'").unwrap().settle().unwrap_err().to_string();
        assert!(error.starts_with("record_max: `much`"), "{error}");
    }

    #[test]
    fn a_typo_names_the_nearest_key() {
        let error = parse("modle = 'x'").unwrap_err().to_string();
        assert!(error.contains("`modle`; did you mean `model`?"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_an_error() {
        assert!(matches!(parse("listen = 3"), Err(ConfigError::Syntax(_))));
    }
}
