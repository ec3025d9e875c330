//! Safetensors: a folder with `config.json` and one file of weights, or several and their index.
//!
//! The container is read by the `safetensors` crate, which checks that offsets lie in the file and
//! do not overlap. Names and shapes are Hugging Face's.

mod config;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use ::safetensors::SafeTensors;
use ::safetensors::tensor::{Dtype, TensorView};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::gguf::Fault;
use crate::{Format, ModelConfig, Tensor, WeightsError, mapped};

/// The largest JSON file read whole: a tokenizer of a quarter million tokens takes half of it.
const JSON_BYTES_MAX: u64 = 1 << 26;
/// The most files of one model; the largest published one has 191.
const FILES_MAX: usize = 1 << 10;
/// The formats that safetensors files can hold here.
const FORMATS: &str = "F32, F16, BF16";
/// The bytes before a header that say how long it is.
const LENGTH_BYTES: usize = 8;

/// A model folder, taken apart.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) config: ModelConfig,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    pub(crate) headers: Vec<Bytes>,
    pub(crate) file_bytes: u64,
}

/// Which file holds which tensor.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Folder {
    /// Opens a folder, or the folder that one file of weights is in.
    pub(crate) fn open(path: &Path) -> Result<Self, WeightsError> {
        let (folder, files) = if path.is_dir() {
            (path.to_owned(), files(path)?)
        } else {
            // A bare file name has the empty parent, which joins to the file's neighbours.
            let parent = path.parent().unwrap_or(Path::new(""));
            (parent.to_owned(), vec![path.to_owned()])
        };
        let (mut tensors, mut headers, mut file_bytes) = (BTreeMap::new(), Vec::new(), 0);
        for path in files {
            let file = mapped::map(&path).map_err(|error| WeightsError::read(&path, error))?;
            let header = read_file(&file, &mut tensors).map_err(|f| WeightsError::of(&path, f))?;
            headers.push(header);
            file_bytes += file.len() as u64;
        }
        let head = tensors.contains_key("lm_head.weight");
        let config = config::read(&folder, head)?;
        Ok(Self { path: folder, config, tensors, headers, file_bytes })
    }
}

/// The files of weights in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let single = folder.join("model.safetensors");
    let index_path = folder.join("model.safetensors.index.json");
    if !index_path.exists() {
        return Ok(vec![single]);
    }
    let index: Index = read_json(&index_path)?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let corrupt = |what| WeightsError::of(&index_path, Fault::Corrupt(what));
    if names.is_empty() || names.len() > FILES_MAX {
        let count = names.len();
        return Err(corrupt(format!("it names {count} files, expected 1 to {FILES_MAX}")));
    }
    // An index is a stranger's word: it may name neighbours, not paths.
    match names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        Some(name) => Err(corrupt(format!("`{name}` is not a plain file name"))),
        None => Ok(names.iter().map(|name| folder.join(name)).collect()),
    }
}

/// Adds a file's tensors to `tensors`; gives its header.
fn read_file(file: &Bytes, tensors: &mut BTreeMap<String, Tensor>) -> Result<Bytes, Fault> {
    let corrupt = |error| Fault::Corrupt(format!("{error}"));
    let (header_bytes, _) = SafeTensors::read_metadata(file).map_err(corrupt)?;
    let views = SafeTensors::deserialize(file).map_err(corrupt)?;
    for (name, view) in views.iter() {
        let tensor = tensor(file, name, &view)?;
        if tensors.insert(name.to_owned(), tensor).is_some() {
            return Err(Fault::Corrupt(format!("tensor `{name}` is in an earlier file too")));
        }
    }
    Ok(file.slice(..header_bytes + LENGTH_BYTES))
}

fn tensor(file: &Bytes, name: &str, view: &TensorView<'_>) -> Result<Tensor, Fault> {
    let format = match view.dtype() {
        Dtype::F32 => Format::F32,
        Dtype::F16 => Format::F16,
        Dtype::BF16 => Format::BF16,
        other => {
            let what = format!("tensor `{name}` in format {other:?}");
            return Err(Fault::Unknown { what, known: FORMATS.into() });
        }
    };
    let (rows, cols) = match *view.shape() {
        [cols] => (1, cols),
        [rows, cols] => (rows, cols),
        ref shape => {
            let what =
                format!("tensor `{name}` has the shape {shape:?}, expected one or two numbers");
            return Err(Fault::Corrupt(what));
        }
    };
    Tensor::new(file.slice_ref(view.data()), format, rows, cols)
        .ok_or_else(|| Fault::Corrupt(format!("tensor `{name}` is empty")))
}

/// Reads a JSON file of a model folder.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, WeightsError> {
    let text = read_bounded(path).map_err(|error| WeightsError::read(path, error))?;
    serde_json::from_slice(&text)
        .map_err(|error| WeightsError::of(path, Fault::Corrupt(format!("{error}"))))
}

/// A small file's bytes.
pub(crate) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.len() > JSON_BYTES_MAX {
        let what = format!("{} bytes, at most {JSON_BYTES_MAX} are read", metadata.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    std::fs::read(path)
}
