//! What `config.json` says about a model's shape.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::read_json;
use crate::gguf::Fault;
use crate::{Architecture, ModelConfig, Rope, RopeScaling, RopeStyle, WeightsError};

/// The base of rotary frequencies where the file does not say.
const THETA_DEFAULT: f32 = 10_000.0;

/// The fields that shape a Llama decoder.
#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "_name_or_path")]
    name: String,
    num_hidden_layers: usize,
    hidden_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    rope_theta: Option<f32>,
    rope_scaling: Option<Scaling>,
    /// Where newer files keep the two fields above.
    rope_parameters: Option<Scaling>,
    #[serde(default)]
    tie_word_embeddings: bool,
    bos_token_id: Option<u32>,
    eos_token_id: Option<Tokens>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    hidden_act: Option<String>,
    quantization_config: Option<Value>,
}

#[derive(Clone, Deserialize)]
struct Scaling {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f32>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<usize>,
}

/// One token or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tokens {
    One(u32),
    Several(Vec<u32>),
}

/// What of `generation_config.json` is wanted: chat models name more ends there.
#[derive(Deserialize)]
struct Generation {
    eos_token_id: Option<Tokens>,
}

/// What of `tokenizer_config.json` is wanted.
#[derive(Deserialize)]
struct Tokenization {
    #[serde(default)]
    add_bos_token: bool,
}

/// Reads the configuration in `folder`; `head` says whether there is an output head of its own.
pub(super) fn read(folder: &Path, head: bool) -> Result<ModelConfig, WeightsError> {
    let path = folder.join("config.json");
    // Looked at first: other families lack fields that this one must have.
    let raw: Value = read_json(&path)?;
    check_architecture(&raw).map_err(|fault| WeightsError::of(&path, fault))?;
    let config: Config = serde_json::from_value(raw)
        .map_err(|error| WeightsError::of(&path, Fault::Corrupt(format!("{error}"))))?;
    let generation = optional::<Generation>(&folder.join("generation_config.json"))?;
    let tokenization = optional::<Tokenization>(&folder.join("tokenizer_config.json"))?;
    let mut eos = Vec::new();
    for tokens in [config.eos_token_id.as_ref(), generation.and_then(|g| g.eos_token_id).as_ref()] {
        eos.extend(tokens.map(Tokens::all).unwrap_or_default());
    }
    let mut seen = Vec::new();
    eos.retain(|id| {
        !seen.contains(id) && {
            seen.push(*id);
            true
        }
    });
    let add_bos = tokenization.is_some_and(|tokenization| tokenization.add_bos_token);
    convert(config, head, eos, add_bos).map_err(|fault| WeightsError::of(&path, fault))
}

fn optional<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, WeightsError> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

impl Tokens {
    fn all(&self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![*id],
            Self::Several(ids) => ids.clone(),
        }
    }
}

fn check_architecture(raw: &Value) -> Result<(), Fault> {
    let found = raw["architectures"][0].as_str().unwrap_or("none named");
    if found == "LlamaForCausalLM" {
        return Ok(());
    }
    let what = format!("the architecture `{found}`");
    Err(Fault::Unknown { what, known: "LlamaForCausalLM".into() })
}

fn convert(config: Config, head: bool, eos: Vec<u32>, add_bos: bool) -> Result<ModelConfig, Fault> {
    refuse_unknown(&config)?;
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    let even = hidden.checked_div(heads).filter(|_| hidden.is_multiple_of(heads));
    let head_dim = config.head_dim.or(even).ok_or_else(|| {
        Fault::Corrupt(format!("a width of {hidden} is not shared out by {heads} heads"))
    })?;
    Ok(ModelConfig {
        architecture: Architecture::Llama,
        layers: config.num_hidden_layers,
        hidden,
        heads,
        kv_heads: config.num_key_value_heads.unwrap_or(heads),
        head_dim,
        ffn: config.intermediate_size,
        vocab: config.vocab_size,
        context_max: config.max_position_embeddings,
        norm_epsilon: config.rms_norm_eps,
        rope: rope(&config, head_dim)?,
        // Some tied models carry their head all the same; it is the embedding again.
        tied: config.tie_word_embeddings && !head,
        eos,
        bos: config.bos_token_id,
        add_bos,
        name: config.name,
    })
}

fn refuse_unknown(config: &Config) -> Result<(), Fault> {
    let unknown =
        |what: &str, known: &str| Fault::Unknown { what: what.into(), known: known.into() };
    if config.attention_bias || config.mlp_bias {
        return Err(unknown("biases", "matrices without biases"));
    }
    if config.quantization_config.is_some() {
        return Err(unknown("a `quantization_config`", super::FORMATS));
    }
    match config.hidden_act.as_deref() {
        None | Some("silu") => Ok(()),
        Some(other) => Err(unknown(&format!("the activation `{other}`"), "silu")),
    }
}

fn rope(config: &Config, dim: usize) -> Result<Rope, Fault> {
    let scaling = config.rope_parameters.as_ref().or(config.rope_scaling.as_ref());
    let theta = scaling.and_then(|scaling| scaling.rope_theta).or(config.rope_theta);
    Ok(Rope {
        theta: theta.unwrap_or(THETA_DEFAULT),
        dim,
        style: RopeStyle::Halves,
        scaling: scaling.map_or(Ok(RopeScaling::None), Scaling::read)?,
        factors: None,
    })
}

impl Scaling {
    fn read(&self) -> Result<RopeScaling, Fault> {
        fn given<T>(name: &str, value: Option<T>) -> Result<T, Fault> {
            value.ok_or_else(|| Fault::Corrupt(format!("rope scaling has no `{name}`")))
        }
        match self.rope_type.as_deref() {
            None | Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear { factor: given("factor", self.factor)? }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: given("factor", self.factor)?,
                low: given("low_freq_factor", self.low_freq_factor)?,
                high: given("high_freq_factor", self.high_freq_factor)?,
                original: given(
                    "original_max_position_embeddings",
                    self.original_max_position_embeddings,
                )?,
            }),
            Some(other) => Err(Fault::Unknown {
                what: format!("the rope scaling `{other}`"),
                known: "default, linear, llama3".into(),
            }),
        }
    }
}
