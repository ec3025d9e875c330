//! What GGUF metadata says about a model's shape.

use super::metadata::required;
use super::{Fault, Gguf, Metadata};
use crate::{Architecture, ModelConfig, Rope, RopeScaling, RopeStyle, Tensor};

/// The names of the families that are known, as GGUF writes them.
const ARCHITECTURES: &str = "llama";
/// The base of rotary frequencies where the file does not say.
const THETA_DEFAULT: f32 = 10_000.0;
/// Metadata that would change what a Llama decoder computes, with the values at which it does not.
const NEUTRAL: [(&str, usize); 2] =
    [("llama.expert_count", 0), ("llama.attention.sliding_window", 0)];

/// The shape of the model in `file`.
pub(crate) fn config(file: &Gguf) -> Result<ModelConfig, Fault> {
    let metadata = &file.metadata;
    let architecture = architecture(metadata)?;
    refuse_unknown(metadata)?;
    let number = |key: &str| required(key, metadata.number(key));
    let (hidden, heads) =
        (number("llama.embedding_length")?, number("llama.attention.head_count")?);
    let kv_heads = metadata.number("llama.attention.head_count_kv")?.unwrap_or(heads);
    let head_dim = head_dim(metadata, hidden, heads)?;
    let epsilon = "llama.attention.layer_norm_rms_epsilon";
    let vocab = file.tensors.get("token_embd.weight").map(Tensor::rows);
    Ok(ModelConfig {
        architecture,
        name: metadata.text("general.name")?.unwrap_or_default().into(),
        layers: number("llama.block_count")?,
        hidden,
        heads,
        kv_heads,
        head_dim,
        ffn: number("llama.feed_forward_length")?,
        vocab: vocab
            .ok_or_else(|| Fault::Corrupt("tensor `token_embd.weight` is missing".into()))?,
        context_max: number("llama.context_length")?,
        norm_epsilon: required(epsilon, metadata.real(epsilon))?,
        rope: rope(file, head_dim)?,
        tied: !file.tensors.contains_key("output.weight"),
        eos: eos(metadata)?,
        bos: metadata.token("tokenizer.ggml.bos_token_id")?,
        add_bos: add_bos(metadata)?,
    })
}

fn architecture(metadata: &Metadata) -> Result<Architecture, Fault> {
    match required("general.architecture", metadata.text("general.architecture"))? {
        "llama" => Ok(Architecture::Llama),
        other => Err(Fault::Unknown {
            what: format!("the architecture `{other}`"),
            known: ARCHITECTURES.into(),
        }),
    }
}

fn refuse_unknown(metadata: &Metadata) -> Result<(), Fault> {
    if metadata.number("split.count")?.is_some_and(|parts| parts > 1) {
        let what = "only a part of a model (`split.count`)".into();
        return Err(Fault::Unknown { what, known: "models in one file".into() });
    }
    for (key, neutral) in NEUTRAL {
        let value = metadata.number(key)?.unwrap_or(neutral);
        if value != neutral {
            let what = format!("`{key}` = {value}");
            return Err(Fault::Unknown { what, known: format!("{neutral}") });
        }
    }
    Ok(())
}

fn head_dim(metadata: &Metadata, hidden: usize, heads: usize) -> Result<usize, Fault> {
    let key_length = metadata.number("llama.attention.key_length")?;
    let even = hidden.checked_div(heads).filter(|_| hidden.is_multiple_of(heads));
    let head_dim = key_length.or(even).ok_or_else(|| {
        Fault::Corrupt(format!("a width of {hidden} is not shared out by {heads} heads"))
    })?;
    match metadata.number("llama.attention.value_length")? {
        Some(value_length) if value_length != head_dim => Err(Fault::Unknown {
            what: format!("keys of {head_dim} and values of {value_length} numbers"),
            known: "keys and values of one width".into(),
        }),
        _ => Ok(head_dim),
    }
}

fn rope(file: &Gguf, head_dim: usize) -> Result<Rope, Fault> {
    let metadata = &file.metadata;
    let theta = metadata.real("llama.rope.freq_base")?.unwrap_or(THETA_DEFAULT);
    let dim = metadata.number("llama.rope.dimension_count")?.unwrap_or(head_dim);
    let factors = file.tensors.get("rope_freqs.weight").map(read_factors).transpose()?;
    Ok(Rope { theta, dim, style: RopeStyle::Interleaved, scaling: scaling(metadata)?, factors })
}

fn scaling(metadata: &Metadata) -> Result<RopeScaling, Fault> {
    // Old files have a scale and no type.
    let kind = metadata.text("llama.rope.scaling.type")?;
    let factor = match metadata.real("llama.rope.scaling.factor")? {
        None => metadata.real("llama.rope.scale_linear")?,
        factor => factor,
    };
    match (kind, factor) {
        (Some("none"), _) | (None, None | Some(1.0)) => Ok(RopeScaling::None),
        (Some("linear") | None, Some(factor)) => Ok(RopeScaling::Linear { factor }),
        (Some("linear"), None) => {
            Err(Fault::Corrupt("`llama.rope.scaling.factor` is missing from its metadata".into()))
        }
        (Some(other), _) => Err(Fault::Unknown {
            what: format!("the rope scaling `{other}`"),
            known: "none, linear, and factors in the tensor rope_freqs.weight".into(),
        }),
    }
}

fn read_factors(tensor: &Tensor) -> Result<Vec<f32>, Fault> {
    if tensor.rows() != 1 || tensor.cols() > super::NAME_BYTES_MAX * 16 {
        let (rows, cols) = (tensor.rows(), tensor.cols());
        return Err(Fault::Corrupt(format!("tensor `rope_freqs.weight` is {rows} x {cols}")));
    }
    let mut factors = vec![0.0; tensor.cols()];
    tensor.read_row(0, &mut factors);
    Ok(factors)
}

fn eos(metadata: &Metadata) -> Result<Vec<u32>, Fault> {
    let mut eos = Vec::new();
    for name in ["eos", "eot", "eom"] {
        let id = metadata.token(&format!("tokenizer.ggml.{name}_token_id"))?;
        eos.extend(id.filter(|id| !eos.contains(id)));
    }
    Ok(eos)
}

/// Whether plain text starts with `bos`: SentencePiece models do unless they say otherwise.
fn add_bos(metadata: &Metadata) -> Result<bool, Fault> {
    let sentence_piece = metadata.text("tokenizer.ggml.model")? == Some("llama");
    Ok(metadata.truth("tokenizer.ggml.add_bos_token")?.unwrap_or(sentence_piece))
}
