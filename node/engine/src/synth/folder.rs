//! Writes a made-up model as a folder of safetensors.
//!
//! It is the same model as [`synth`](super::synth) makes of the same shape and seed, but for what
//! the formats round, and for the order of query and key rows, which the two kinds of file keep
//! differently.

use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::vocabulary::{BOS, CONTROL, EOS, TEMPLATE, Vocabulary};
use super::{Made, NORM_EPSILON, Role, Shape, write_whole};
use crate::{Format, Part};

/// Writes a model of `shape` with random weights into `folder`, shared out over `files` files.
///
/// `format` is F32, F16 or BF16: safetensors has no other that is read here.
pub fn synth_folder(
    shape: &Shape,
    format: Format,
    seed: u64,
    files: usize,
    folder: &Path,
) -> io::Result<()> {
    shape.check()?;
    if format.block_len() != 1 || files == 0 {
        let what = format!("{files} safetensors files in format {format}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    fs::create_dir_all(folder)?;
    let tensors = shape.tensors();
    let mut index = Map::new();
    for (number, part) in tensors.chunks(tensors.len().div_ceil(files)).enumerate() {
        let file = match files {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{files:05}.safetensors", number + 1),
        };
        index.extend(part.iter().map(|made| (name(made.role), file.as_str().into())));
        write_file(shape, part, format, seed, &folder.join(file))?;
    }
    if files > 1 {
        let index = json!({ "metadata": {}, "weight_map": index });
        write_json(&folder.join("model.safetensors.index.json"), &index)?;
    }
    write_json(&folder.join("config.json"), &config(shape))?;
    write_json(&folder.join("tokenizer.json"), &tokenizer(&Vocabulary::new(shape.vocab)))?;
    let settings = json!({ "chat_template": TEMPLATE, "eos_token": CONTROL[EOS as usize] });
    write_json(&folder.join("tokenizer_config.json"), &settings)
}

fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    write_whole(path, |file| file.write_all(value.to_string().as_bytes()))
}

fn write_file(
    shape: &Shape,
    tensors: &[Made],
    format: Format,
    seed: u64,
    path: &Path,
) -> io::Result<()> {
    let mut header = Map::new();
    let mut end = 0;
    for made in tensors {
        let bytes = made.rows * made.cols * format.block_bytes();
        let dimensions = if made.is_norm() { vec![made.cols] } else { vec![made.rows, made.cols] };
        let entry = json!({
            "dtype": format.name(),
            "shape": dimensions,
            "data_offsets": [end, end + bytes],
        });
        header.insert(name(made.role), entry);
        end += bytes;
    }
    let header = Value::from(header).to_string();
    // Spaces after the header keep the numbers aligned.
    let header = format!("{header:<width$}", width = header.len().next_multiple_of(8));
    write_whole(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for made in tensors {
            write_rows(shape, *made, format, seed, file)?;
        }
        Ok(())
    })
}

fn write_rows(
    shape: &Shape,
    made: Made,
    format: Format,
    seed: u64,
    file: &mut impl Write,
) -> io::Result<()> {
    let turned = matches!(made.role, Role::Layer(_, Part::Query | Part::Key));
    let mut bytes = Vec::new();
    for row in 0..made.rows {
        let source = if turned { interleaved(row, shape.head_dim) } else { row };
        bytes.clear();
        format.quantize(&made.row(seed, source), &mut bytes);
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Where GGUF keeps the query or key row that safetensors keep at `row`: pairs that turn together
/// are neighbours there, and half a head apart here.
fn interleaved(row: usize, head_dim: usize) -> usize {
    let (head, within) = (row / head_dim, row % head_dim);
    let half: Range<usize> = 0..head_dim / 2;
    let place = if half.contains(&within) { 2 * within } else { 2 * (within - half.end) + 1 };
    head * head_dim + place
}

fn name(role: Role) -> String {
    let (layer, part) = match role {
        Role::Embedding => return "model.embed_tokens.weight".into(),
        Role::FinalNorm => return "model.norm.weight".into(),
        Role::Head => return "lm_head.weight".into(),
        Role::Layer(layer, part) => (layer, part),
    };
    let part = match part {
        Part::AttentionNorm => "input_layernorm",
        Part::Query => "self_attn.q_proj",
        Part::Key => "self_attn.k_proj",
        Part::Value => "self_attn.v_proj",
        Part::Output => "self_attn.o_proj",
        Part::FfnNorm => "post_attention_layernorm",
        Part::Gate => "mlp.gate_proj",
        Part::Up => "mlp.up_proj",
        Part::Down => "mlp.down_proj",
    };
    format!("model.layers.{layer}.{part}.weight")
}

fn config(shape: &Shape) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.ffn,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.context_max,
        "rms_norm_eps": NORM_EPSILON,
        "rope_theta": shape.theta,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "hidden_act": "silu",
    })
}

fn tokenizer(vocabulary: &Vocabulary) -> Value {
    let ids = vocabulary.tokens.iter().zip(0_u32..);
    let ids: Map<String, Value> = ids.map(|(token, id)| (token.clone(), id.into())).collect();
    let merges = vocabulary.merges.iter();
    let merges: Vec<[String; 2]> =
        merges.map(|(left, right)| [left.to_string(), right.to_string()]).collect();
    let control = CONTROL.iter().zip(0_u32..).map(|(text, id)| {
        json!({
            "id": id, "content": text, "special": true, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false,
        })
    });
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true,
    });
    let digits = json!({ "type": "Digits", "individual_digits": true });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": control.collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [digits, byte_level.clone()] },
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": ids, "merges": merges,
        },
    })
}
