//! Tensors by what they are for.

use std::collections::BTreeMap;

use super::Part;
use crate::gguf::Fault;
use crate::{ModelConfig, Tensor};

/// What a kind of file calls its tensors.
pub(super) struct Naming {
    embedding: &'static str,
    final_norm: &'static str,
    head: &'static str,
    layer: &'static str,
    /// By [`Part`].
    parts: [&'static str; 9],
    /// Tensors that the configuration already holds, or that follow from it.
    known: &'static [&'static str],
}

impl Naming {
    pub(super) const GGUF: Self = Self {
        embedding: "token_embd.weight",
        final_norm: "output_norm.weight",
        head: "output.weight",
        layer: "blk.",
        parts: [
            "attn_norm.weight",
            "attn_q.weight",
            "attn_k.weight",
            "attn_v.weight",
            "attn_output.weight",
            "ffn_norm.weight",
            "ffn_gate.weight",
            "ffn_up.weight",
            "ffn_down.weight",
        ],
        known: &["rope_freqs.weight"],
    };

    pub(super) const HUGGING_FACE: Self = Self {
        embedding: "model.embed_tokens.weight",
        final_norm: "model.norm.weight",
        head: "lm_head.weight",
        layer: "model.layers.",
        parts: [
            "input_layernorm.weight",
            "self_attn.q_proj.weight",
            "self_attn.k_proj.weight",
            "self_attn.v_proj.weight",
            "self_attn.o_proj.weight",
            "post_attention_layernorm.weight",
            "mlp.gate_proj.weight",
            "mlp.up_proj.weight",
            "mlp.down_proj.weight",
        ],
        known: &["rotary_emb.inv_freq"],
    };
}

/// A model's tensors, all there and all of the right shape.
#[derive(Clone, Debug)]
pub(super) struct Assembled {
    pub(super) config: ModelConfig,
    pub(super) embedding: Tensor,
    pub(super) final_norm: Tensor,
    /// `None` if tied.
    pub(super) head: Option<Tensor>,
    /// By layer and [`Part`].
    pub(super) layers: Vec<[Tensor; 9]>,
}

impl Assembled {
    pub(super) fn new(
        config: ModelConfig,
        mut tensors: BTreeMap<String, Tensor>,
        naming: &Naming,
    ) -> Result<Self, Fault> {
        config.check().map_err(Fault::Corrupt)?;
        let (vocab, hidden) = (config.vocab, config.hidden);
        let mut take = |name: &str, rows, cols| take(&mut tensors, name, rows, cols);
        let embedding = take(naming.embedding, vocab, hidden)?;
        let final_norm = take(naming.final_norm, 1, hidden)?;
        let head = match config.tied {
            true => None,
            false => Some(take(naming.head, vocab, hidden)?),
        };
        let mut layers = Vec::new();
        for layer in 0..config.layers {
            let mut parts = Vec::with_capacity(Part::ALL.len());
            for part in Part::ALL {
                let name = format!("{}{layer}.{}", naming.layer, naming.parts[part as usize]);
                let (rows, cols) = shape(&config, part);
                parts.push(take(&name, rows, cols)?);
            }
            layers.extend(<[Tensor; 9]>::try_from(parts).ok());
        }
        refuse_rest(&tensors, naming)?;
        Ok(Self { config, embedding, final_norm, head, layers })
    }
}

fn shape(config: &ModelConfig, part: Part) -> (usize, usize) {
    let ModelConfig { hidden, ffn, heads, kv_heads, head_dim, .. } = *config;
    match part {
        Part::AttentionNorm | Part::FfnNorm => (1, hidden),
        Part::Query => (heads * head_dim, hidden),
        Part::Key | Part::Value => (kv_heads * head_dim, hidden),
        Part::Output => (hidden, heads * head_dim),
        Part::Gate | Part::Up => (ffn, hidden),
        Part::Down => (hidden, ffn),
    }
}

fn take(
    tensors: &mut BTreeMap<String, Tensor>,
    name: &str,
    rows: usize,
    cols: usize,
) -> Result<Tensor, Fault> {
    let tensor = tensors
        .remove(name)
        .ok_or_else(|| Fault::Corrupt(format!("tensor `{name}` is missing")))?;
    if (tensor.rows(), tensor.cols()) == (rows, cols) {
        return Ok(tensor);
    }
    let (found_rows, found_cols) = (tensor.rows(), tensor.cols());
    Err(Fault::Corrupt(format!(
        "tensor `{name}` is {found_rows} x {found_cols}, expected {rows} x {cols}"
    )))
}

/// A tensor that nobody took would be left out of the computation.
fn refuse_rest(tensors: &BTreeMap<String, Tensor>, naming: &Naming) -> Result<(), Fault> {
    let known = |name: &str| naming.known.iter().any(|known| name.ends_with(known));
    match tensors.keys().find(|name| !known(name)) {
        Some(name) => Err(Fault::Unknown {
            what: format!("the tensor `{name}`"),
            known: format!("{}*.{{{}}}", naming.layer, naming.parts.join(", ")),
        }),
        None => Ok(()),
    }
}
