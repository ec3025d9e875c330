//! What a model file says about its model: shape, norms, positions.
//!
//! [`ModelConfig::check`] is the gate: what passes it has a shape that can be multiplied and
//! indexed without a second thought.

use crate::math::{exp_f64, ln_f64};

/// How long a context may be: a bound for tables of positions, well above any published model.
const CONTEXT_MAX: usize = 1 << 24;
/// The largest of any other dimension: 2^20 is four times the widest vocabulary there is.
const DIMENSION_MAX: usize = 1 << 20;
/// The most layers: eight times the deepest published decoder.
const LAYERS_MAX: usize = 1 << 10;

/// A family of decoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// RMSNorm, rotary positions, grouped-query attention, SwiGLU.
    Llama,
}

/// What a model's file says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub architecture: Architecture,
    /// What the file calls itself; may be empty.
    pub name: String,
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
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// The longest context, in tokens.
    pub context_max: usize,
    /// What RMSNorm adds under the root.
    pub norm_epsilon: f32,
    /// How positions turn queries and keys.
    pub rope: Rope,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Tokens that end an answer.
    pub eos: Vec<u32>,
    /// The token that starts a text, if there is one.
    pub bos: Option<u32>,
    /// Whether plain text gets `bos` in front.
    pub add_bos: bool,
}

/// How positions turn queries and keys: pair `i` by the angle `position * frequencies()[i]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub theta: f32,
    /// How many of a head's numbers are turned, from its first.
    pub dim: usize,
    /// Which two numbers make a pair.
    pub style: RopeStyle,
    /// How the frequencies were stretched for a longer context.
    pub scaling: RopeScaling,
    /// Divisors of the frequencies that the file itself carries, one a pair.
    pub factors: Option<Vec<f32>>,
}

/// Which two of a head's numbers are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// `2i` and `2i + 1`: GGUF, whose Llama query and key rows are permuted for it.
    Interleaved,
    /// `i` and `i + dim / 2`: safetensors.
    Halves,
}

/// How rotary frequencies were stretched for a longer context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All by the same factor.
    Linear {
        /// What frequencies are divided by.
        factor: f32,
    },
    /// Llama 3.1: slow frequencies by the factor, quick ones not, those between in proportion.
    Llama3 {
        /// What slow frequencies are divided by.
        factor: f32,
        /// Turns within the original context below which a frequency is slow.
        low: f32,
        /// Turns within the original context above which a frequency is quick.
        high: f32,
        /// The context that the model was first trained for, in tokens.
        original: usize,
    },
}

impl Rope {
    /// The angle that each pair turns by from one position to the next.
    pub fn frequencies(&self) -> Vec<f64> {
        let pairs = self.dim / 2;
        let frequency = |pair: usize| {
            let exponent = -2.0 * pair as f64 / self.dim as f64;
            let plain = exp_f64(exponent * ln_f64(f64::from(self.theta)));
            let factor = self.factors.as_ref().map_or(1.0, |factors| f64::from(factors[pair]));
            self.scaling.stretch(plain / factor)
        };
        (0..pairs).map(frequency).collect()
    }
}

impl RopeScaling {
    fn stretch(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / f64::from(factor),
            Self::Llama3 { factor, low, high, original } => {
                let (factor, low, high) = (f64::from(factor), f64::from(low), f64::from(high));
                let turns = original as f64 * frequency / std::f64::consts::TAU;
                let quick = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                frequency * (quick + (1.0 - quick) / factor)
            }
        }
    }

    fn check(self) -> Result<(), String> {
        let positive = |name: &str, value: f32| {
            let fine = value.is_finite() && value > 0.0;
            if fine { Ok(()) } else { Err(format!("rope scaling {name} is {value}")) }
        };
        match self {
            Self::None => Ok(()),
            Self::Linear { factor } => positive("factor", factor),
            Self::Llama3 { factor, low, high, original } => {
                positive("factor", factor)?;
                positive("low frequency factor", low)?;
                positive("high frequency factor", high)?;
                within("original context", original, CONTEXT_MAX)?;
                if low < high {
                    return Ok(());
                }
                Err(format!("rope scaling from {low} to {high} turns is no range"))
            }
        }
    }
}

fn within(name: &str, value: usize, max: usize) -> Result<(), String> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("{name} is {value}, expected 1 to {max}"))
}

impl ModelConfig {
    /// Refuses, in words, a shape that no decoder can have.
    pub fn check(&self) -> Result<(), String> {
        within("layers", self.layers, LAYERS_MAX)?;
        within("hidden width", self.hidden, DIMENSION_MAX)?;
        within("query heads", self.heads, DIMENSION_MAX)?;
        within("KV heads", self.kv_heads, self.heads)?;
        within("head width", self.head_dim, DIMENSION_MAX)?;
        within("all heads' width", self.heads * self.head_dim, DIMENSION_MAX)?;
        within("FFN width", self.ffn, DIMENSION_MAX)?;
        within("vocabulary", self.vocab, DIMENSION_MAX)?;
        within("context", self.context_max, CONTEXT_MAX)?;
        within("rope width", self.rope.dim, self.head_dim)?;
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!(
                "{} query heads do not share {} KV heads",
                self.heads, self.kv_heads
            ));
        }
        if !self.rope.dim.is_multiple_of(2) {
            return Err(format!("rope width {} is odd", self.rope.dim));
        }
        if !(self.rope.theta.is_finite() && self.rope.theta > 0.0) {
            return Err(format!("rope base is {}", self.rope.theta));
        }
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon >= 0.0) {
            return Err(format!("norm epsilon is {}", self.norm_epsilon));
        }
        self.check_factors()?;
        self.rope.scaling.check()?;
        self.check_tokens()
    }

    fn check_factors(&self) -> Result<(), String> {
        let Some(factors) = &self.rope.factors else { return Ok(()) };
        if factors.len() != self.rope.dim / 2 {
            let (found, pairs) = (factors.len(), self.rope.dim / 2);
            return Err(format!("{found} rope factors for {pairs} pairs"));
        }
        match factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0)) {
            Some(factor) => Err(format!("a rope factor is {factor}")),
            None => Ok(()),
        }
    }

    fn check_tokens(&self) -> Result<(), String> {
        match self.eos.iter().chain(&self.bos).find(|&&id| id as usize >= self.vocab) {
            Some(id) => Err(format!("token {id} is outside a vocabulary of {}", self.vocab)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: RopeScaling) -> Rope {
        Rope { theta: 10_000.0, dim: 4, style: RopeStyle::Halves, scaling, factors: None }
    }

    fn assert_near(rope: &Rope, expected: [f64; 2]) {
        for (found, expected) in rope.frequencies().into_iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-14, "{found}, not {expected}");
        }
    }

    #[test]
    fn frequencies_fall_from_one_by_the_base() {
        assert_near(&rope(RopeScaling::None), [1.0, 0.01]);
        assert_near(&rope(RopeScaling::Linear { factor: 4.0 }), [0.25, 0.0025]);
        let factors = Some(vec![1.0, 2.0]);
        assert_near(&Rope { factors, ..rope(RopeScaling::None) }, [1.0, 0.005]);
    }

    #[test]
    fn llama_3_stretches_slow_frequencies_only() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 100 };
        // 100 positions at 1 radian are 15.9 turns (quick), at 0.01 they are 0.16 (slow).
        assert_near(&rope(scaling), [1.0, 0.01 / 8.0]);
        // At 0.1 radians they are 1.59: between. (1.5915 - 1) / 3 of the way from slow to quick.
        let quick = (10.0 / std::f64::consts::TAU - 1.0) / 3.0;
        assert!((scaling.stretch(0.1) - 0.1 * (quick + (1.0 - quick) / 8.0)).abs() < 1e-12);
    }
}
