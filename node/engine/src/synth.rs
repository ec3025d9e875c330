//! Made-up models: random weights of any Llama shape, with a small vocabulary of their own.
//!
//! They speak nonsense, yet deterministic nonsense: the same shape, format and seed give the same
//! file anywhere. Numbers are scaled so that the residual stream and the logits stay near one.

mod folder;
mod gguf;
mod vocabulary;

use std::io;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Format, Part};

pub use folder::synth_folder;
pub use gguf::synth;

/// What RMSNorm adds under the root in made-up models.
const NORM_EPSILON: f32 = 1e-5;

/// The shape of a made-up model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Decoder layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Query heads of a layer.
    pub heads: usize,
    /// KV heads of a layer.
    pub kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// FFN columns of a layer.
    pub ffn: usize,
    /// Tokens in the vocabulary, at least [`Shape::VOCAB_MIN`].
    pub vocab: usize,
    /// The longest context, in tokens.
    pub context_max: usize,
    /// The base of rotary frequencies.
    pub theta: f32,
    /// Whether the output head is the embedding.
    pub tied: bool,
}

impl Shape {
    /// The smallest vocabulary: a token for every byte, and the control tokens.
    pub const VOCAB_MIN: usize = vocabulary::MIN;

    /// A model of a few thousand weights, for tests.
    pub fn tiny() -> Self {
        Self {
            layers: 2,
            hidden: 64,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            ffn: 96,
            vocab: 300,
            context_max: 256,
            theta: 10_000.0,
            tied: true,
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.vocab >= Self::VOCAB_MIN {
            return Ok(());
        }
        let what = format!("a vocabulary of {}, at least {} needed", self.vocab, Self::VOCAB_MIN);
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    }

    fn part(&self, part: Part) -> (usize, usize) {
        let Self { hidden, ffn, heads, kv_heads, head_dim, .. } = *self;
        match part {
            Part::AttentionNorm | Part::FfnNorm => (1, hidden),
            Part::Query => (heads * head_dim, hidden),
            Part::Key | Part::Value => (kv_heads * head_dim, hidden),
            Part::Output => (hidden, heads * head_dim),
            Part::Gate | Part::Up => (ffn, hidden),
            Part::Down => (hidden, ffn),
        }
    }

    /// Every tensor of a model of this shape, in the order of its file.
    fn tensors(&self) -> Vec<Made> {
        let vocab = (self.vocab, self.hidden);
        let mut tensors = vec![Made::new(Role::Embedding, vocab)];
        for layer in 0..self.layers {
            let made = |part| Made::new(Role::Layer(layer, part), self.part(part));
            tensors.extend(Part::ALL.map(made));
        }
        tensors.push(Made::new(Role::FinalNorm, (1, self.hidden)));
        if !self.tied {
            tensors.push(Made::new(Role::Head, vocab));
        }
        tensors
    }
}

/// What a tensor is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Embedding,
    FinalNorm,
    Head,
    Layer(usize, Part),
}

/// A tensor to be made up.
#[derive(Clone, Copy)]
struct Made {
    role: Role,
    rows: usize,
    cols: usize,
}

impl Made {
    fn new(role: Role, (rows, cols): (usize, usize)) -> Self {
        Self { role, rows, cols }
    }

    fn is_norm(self) -> bool {
        matches!(self.role, Role::FinalNorm | Role::Layer(_, Part::AttentionNorm | Part::FfnNorm))
    }

    /// The format that it is written in: norms plainly, and matrices whose rows the blocks of
    /// `wanted` do not fill in the next one that fits, as quantising tools do.
    fn format(self, wanted: Format) -> Format {
        if self.is_norm() {
            return Format::F32;
        }
        let fits = |format: &Format| format.row_bytes(self.cols).is_some();
        [wanted, Format::Q8_0].into_iter().find(fits).unwrap_or(Format::F16)
    }

    /// The numbers of a row. Each row has its own dice, so rows can be made in any order.
    fn row(self, seed: u64, row: usize) -> Vec<f32> {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(self.number() << 32 | row as u64);
        // Uniform on -1 to 1 in steps that an f32 holds exactly.
        let numbers =
            (0..self.cols).map(|_| (dice.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0);
        if self.is_norm() {
            return numbers.map(|number| 1.0 + 0.1 * number).collect();
        }
        // Variance one over the width: a product keeps the size of what goes in.
        let scale = (3.0 / self.cols as f32).sqrt();
        numbers.map(|number| scale * number).collect()
    }

    fn number(self) -> u64 {
        match self.role {
            Role::Embedding => 0,
            Role::FinalNorm => 1,
            Role::Head => 2,
            Role::Layer(layer, part) => 3 + (layer * Part::ALL.len() + part as usize) as u64,
        }
    }
}

/// Writes a file under another name and moves it to `path` when it is whole.
fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<std::fs::File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = io::BufWriter::new(std::fs::File::create(&partial)?);
    let written = write(&mut file).and_then(|()| io::Write::flush(&mut file));
    match written.and_then(|()| std::fs::rename(&partial, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error is the one to tell; the partial file may not even be there.
            let _ = std::fs::remove_file(&partial);
            Err(error)
        }
    }
}
