//! Writes a made-up model as a GGUF file.

use std::io::{self, Write};
use std::path::Path;

use super::vocabulary::{BOS, EOS, TEMPLATE, Vocabulary};
use super::{Made, NORM_EPSILON, Role, Shape, write_whole};
use crate::{Format, Part};

/// What tensors are aligned to.
const ALIGNMENT: usize = 32;
/// Numbers of value types in the file.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const LIST: u32 = 9;

/// Writes a model of `shape` with random weights to `path`. The same arguments give the same
/// bytes anywhere. Matrices whose rows `format` cannot hold are written in one that can.
pub fn synth(shape: &Shape, format: Format, seed: u64, path: &Path) -> io::Result<()> {
    shape.check()?;
    let tensors = shape.tensors();
    let header = header(shape, format, seed, &tensors)?;
    write_whole(path, |file| {
        file.write_all(&header)?;
        for made in tensors {
            write_tensor(made, format, seed, file)?;
        }
        Ok(())
    })
}

fn write_tensor(made: Made, wanted: Format, seed: u64, file: &mut impl Write) -> io::Result<()> {
    let format = made.format(wanted);
    let (mut row_bytes, mut written) = (Vec::new(), 0);
    for row in 0..made.rows {
        row_bytes.clear();
        format.quantize(&made.row(seed, row), &mut row_bytes);
        file.write_all(&row_bytes)?;
        written += row_bytes.len();
    }
    file.write_all(&vec![0; written.next_multiple_of(ALIGNMENT) - written])
}

fn header(shape: &Shape, wanted: Format, seed: u64, tensors: &[Made]) -> io::Result<Vec<u8>> {
    let entries = metadata(shape, wanted, seed);
    let mut header = Header(b"GGUF".to_vec());
    header.u32(3);
    header.u64(tensors.len());
    header.u64(entries.count);
    header.0.extend(entries.bytes.0);
    let mut offset = 0;
    for made in tensors {
        let format = made.format(wanted);
        header.text(&name(made.role));
        header.u32(if made.is_norm() { 1 } else { 2 });
        header.u64(made.cols);
        if !made.is_norm() {
            header.u64(made.rows);
        }
        header.u32(format.ggml());
        header.u64(offset);
        let bytes = format.row_bytes(made.cols).and_then(|row| row.checked_mul(made.rows));
        offset = bytes
            .and_then(|bytes| bytes.checked_add(offset)?.checked_next_multiple_of(ALIGNMENT))
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "a model beyond counting")
            })?;
    }
    header.0.resize(header.0.len().next_multiple_of(ALIGNMENT), 0);
    Ok(header.0)
}

fn name(role: Role) -> String {
    let (layer, part) = match role {
        Role::Embedding => return "token_embd.weight".into(),
        Role::FinalNorm => return "output_norm.weight".into(),
        Role::Head => return "output.weight".into(),
        Role::Layer(layer, part) => (layer, part),
    };
    let part = match part {
        Part::AttentionNorm => "attn_norm",
        Part::Query => "attn_q",
        Part::Key => "attn_k",
        Part::Value => "attn_v",
        Part::Output => "attn_output",
        Part::FfnNorm => "ffn_norm",
        Part::Gate => "ffn_gate",
        Part::Up => "ffn_up",
        Part::Down => "ffn_down",
    };
    format!("blk.{layer}.{part}.weight")
}

fn metadata(shape: &Shape, format: Format, seed: u64) -> Entries {
    let mut entries = Entries::default();
    entries.text("general.architecture", "llama");
    entries.text("general.name", &format!("synthetic {format} {seed}"));
    let dimensions = [
        ("block_count", shape.layers),
        ("context_length", shape.context_max),
        ("embedding_length", shape.hidden),
        ("feed_forward_length", shape.ffn),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.kv_heads),
        ("attention.key_length", shape.head_dim),
        ("attention.value_length", shape.head_dim),
        ("rope.dimension_count", shape.head_dim),
        ("vocab_size", shape.vocab),
    ];
    for (key, value) in dimensions {
        entries.number(&format!("llama.{key}"), value as u32);
    }
    entries.real("llama.rope.freq_base", shape.theta);
    entries.real("llama.attention.layer_norm_rms_epsilon", NORM_EPSILON);
    add_tokenizer(&mut entries, &Vocabulary::new(shape.vocab));
    entries
}

fn add_tokenizer(entries: &mut Entries, vocabulary: &Vocabulary) {
    let merges = vocabulary.merges.iter().map(|(left, right)| format!("{left} {right}"));
    let types =
        (0..vocabulary.tokens.len()).map(|id| if Vocabulary::is_control(id) { 3 } else { 1 });
    entries.text("tokenizer.ggml.model", "gpt2");
    entries.text("tokenizer.ggml.pre", "smollm");
    entries.texts("tokenizer.ggml.tokens", &vocabulary.tokens);
    entries.texts("tokenizer.ggml.merges", &merges.collect::<Vec<_>>());
    entries.numbers("tokenizer.ggml.token_type", &types.collect::<Vec<i32>>());
    entries.number("tokenizer.ggml.bos_token_id", BOS);
    entries.number("tokenizer.ggml.eos_token_id", EOS);
    entries.truth("tokenizer.ggml.add_bos_token", false);
    entries.text("tokenizer.chat_template", TEMPLATE);
}

/// Bytes of a header, little-endian.
#[derive(Default)]
struct Header(Vec<u8>);

impl Header {
    fn u32(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn u64(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u64(text.len());
        self.0.extend(text.as_bytes());
    }
}

/// Named values, counted.
#[derive(Default)]
struct Entries {
    bytes: Header,
    count: usize,
}

impl Entries {
    fn key(&mut self, key: &str, kind: u32) -> &mut Header {
        self.count += 1;
        self.bytes.text(key);
        self.bytes.u32(kind);
        &mut self.bytes
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, U32).u32(value);
    }

    fn real(&mut self, key: &str, value: f32) {
        self.key(key, F32).u32(value.to_bits());
    }

    fn truth(&mut self, key: &str, value: bool) {
        self.key(key, BOOL).0.push(value.into());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, TEXT).text(value);
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        let header = self.key(key, LIST);
        header.u32(TEXT);
        header.u64(values.len());
        values.iter().for_each(|value| header.text(value));
    }

    fn numbers(&mut self, key: &str, values: &[i32]) {
        let header = self.key(key, LIST);
        header.u32(I32);
        header.u64(values.len());
        header.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}
