//! The weights of a model, wherever they came from.
//!
//! One view over GGUF and safetensors: tensors by what they are for, their shapes checked against
//! the configuration. What a file has and we would not compute is refused by name, for a model
//! that silently leaves a part of itself out answers nonsense.

mod assemble;
mod spec;

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use swarm_proto::{Hash, ModelSpec};

use crate::gguf::{self, Gguf, Metadata};
use crate::{ModelConfig, Tensor, mapped, safetensors};
use assemble::{Assembled, Naming};

/// A decoder layer's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The norm before attention.
    AttentionNorm,
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// What brings the heads back to the residual stream.
    Output,
    /// The norm before the FFN.
    FfnNorm,
    /// The FFN's gate.
    Gate,
    /// The FFN's way up.
    Up,
    /// The FFN's way down.
    Down,
}

impl Part {
    /// Every part, in the order of a forward pass.
    pub const ALL: [Self; 9] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::FfnNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];
}

/// Why a model was not opened. Each variant asks for something else to be done.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// See to the file system: the path, its rights, the disk.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// Fetch the file again.
    #[error("{} is corrupt or cut short: {what}; fetch it again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// Take another model, or another format of this one.
    #[error("{} has {what}, which is not supported; known: {known}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it has, by name.
        what: String,
        /// What it could have.
        known: String,
    },
}

impl WeightsError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    pub(crate) fn of(path: &Path, fault: gguf::Fault) -> Self {
        let path = path.into();
        match fault {
            gguf::Fault::Corrupt(what) => Self::Corrupt { path, what },
            gguf::Fault::Unknown { what, known } => Self::Unsupported { path, what, known },
        }
    }
}

/// Where the tokenizer and the chat template are to be found.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// In a GGUF file's metadata.
    Gguf(PathBuf, Metadata),
    /// In the files of a folder.
    Folder(PathBuf),
}

/// A model's weights and shape. Clones are cheap and share the mapped files.
#[derive(Clone, Debug)]
pub struct Weights {
    assembled: Assembled,
    headers: Vec<Bytes>,
    file_bytes: u64,
    source: Source,
}

impl Weights {
    /// Opens a `.gguf` file, a `.safetensors` file with its `config.json` beside it, or a folder
    /// with `model.safetensors` or `model.safetensors.index.json` in it.
    ///
    /// Reads headers only; weights are read from the disk when they are first used.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let metadata = std::fs::metadata(path).map_err(|error| WeightsError::read(path, error))?;
        let safetensors = path.extension().is_some_and(|end| end == "safetensors");
        if metadata.is_dir() || safetensors {
            return Self::open_safetensors(path);
        }
        let file = mapped::map(path).map_err(|error| WeightsError::read(path, error))?;
        Self::parse_gguf(&file, path)
    }

    /// Opens a GGUF file whose bytes are `file`; `path` is what errors call it.
    pub fn parse_gguf(file: &Bytes, path: &Path) -> Result<Self, WeightsError> {
        let refuse = |fault| WeightsError::of(path, fault);
        let gguf = Gguf::parse(file).map_err(refuse)?;
        let config = gguf::config(&gguf).map_err(refuse)?;
        Ok(Self {
            assembled: Assembled::new(config, gguf.tensors, &Naming::GGUF).map_err(refuse)?,
            headers: vec![gguf.header],
            file_bytes: file.len() as u64,
            source: Source::Gguf(path.into(), gguf.metadata),
        })
    }

    fn open_safetensors(path: &Path) -> Result<Self, WeightsError> {
        let folder = safetensors::Folder::open(path)?;
        let assembled = Assembled::new(folder.config, folder.tensors, &Naming::HUGGING_FACE)
            .map_err(|fault| WeightsError::of(path, fault))?;
        let (headers, file_bytes) = (folder.headers, folder.file_bytes);
        Ok(Self { assembled, headers, file_bytes, source: Source::Folder(folder.path) })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.assembled.config
    }

    /// A row of the residual stream for each token.
    pub fn embedding(&self) -> &Tensor {
        &self.assembled.embedding
    }

    /// The norm before the head.
    pub fn final_norm(&self) -> &Tensor {
        &self.assembled.final_norm
    }

    /// The output head: the embedding, if the model is tied.
    pub fn head(&self) -> &Tensor {
        self.assembled.head.as_ref().unwrap_or(&self.assembled.embedding)
    }

    /// A tensor of a layer.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer(&self, layer: usize, part: Part) -> &Tensor {
        &self.assembled.layers[layer][part as usize]
    }

    /// What these weights are called among peers: a blake3 hash over all headers, the size of the files, and
    /// the first bytes of every tensor. It tells models apart, and a fine-tune from its parent; it is
    /// no proof that every weight is right, which would take reading them all.
    pub fn hash(&self) -> Hash {
        spec::hash(self)
    }

    /// FFN columns are shared out, and summed, in multiples of this: a constant of the model, for
    /// the bits of every result depend on it.
    pub fn ffn_grain(&self) -> usize {
        spec::grain(self)
    }

    /// What the model weighs, for a planner.
    pub fn spec(&self, name: &str) -> ModelSpec {
        spec::spec(self, name)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }
}
