//! What there is to plan with: a model, devices on machines, and the ways between them.

use std::collections::BTreeMap;

use swarm_proto::{BLOCK_TOKENS, ModelSpec};

use crate::{
    class::Class,
    ends::Ends,
    fit::Pace,
    rules::{Phase, Rules, Workload},
};

/// More layers than this, and it is no model.
pub(crate) const LAYERS_MAX: u32 = 512;
/// More heads, FFN columns or width than this, and it is no model. Products of three fit 64 bits.
pub(crate) const WIDTH_MAX: u32 = 1 << 20;
/// More bytes than this, and sums of them might overflow.
pub(crate) const BYTES_MAX: f64 = (1u64 << 56) as f64;

/// Of more devices than this no stages of unlike ones are looked at.
pub(crate) const TEAM_DEVICES_MAX: usize = 6;

/// A device, as fast as it is believed to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Its place among the machines.
    pub machine: usize,
    /// What its maker calls it; devices of one name are alike in every figure.
    pub name: String,
    /// Memory for weights, KV cache and scratch.
    pub memory_bytes: u64,
    /// How fast it computes.
    pub pace: Pace,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// A message's delay.
    pub ms: f64,
    /// Bytes a millisecond.
    pub bytes_per_ms: f64,
}

impl Way {
    /// How long so many bytes take.
    pub fn of(&self, bytes: f64) -> f64 {
        self.ms + bytes / self.bytes_per_ms
    }
}

/// The ways between machines.
#[derive(Clone, Debug, PartialEq)]
pub enum Ways {
    /// Each pair as it was measured, by places of machines; a missing pair cannot talk.
    Measured(BTreeMap<(usize, usize), Way>),
    /// By region: that of every machine, and the ways between regions (`from * regions + to`).
    Regions {
        /// The region of each machine.
        of: Vec<usize>,
        /// How many there are.
        regions: usize,
        /// None where there is no way.
        ways: Vec<Option<Way>>,
    },
}

impl Ways {
    /// The way from one machine to another; none if there is none.
    pub fn between(&self, from: usize, to: usize) -> Option<Way> {
        match self {
            Self::Measured(pairs) => pairs.get(&(from, to)).copied(),
            Self::Regions { of, regions, ways } => ways[of[from] * regions + of[to]],
        }
    }
}

/// Which part of its weights a mixture of experts reads for a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// Experts of a layer.
    pub experts: u32,
    /// Experts that a token goes through.
    pub per_token: u32,
    /// The part of the FFN's columns that every token goes through.
    pub shared: f64,
}

impl Mixture {
    /// The part of the FFN's columns that a token is multiplied with.
    pub(crate) fn computed(&self) -> f64 {
        self.shared + (1.0 - self.shared) * self.part()
    }

    /// The part that is read for `rows` tokens, whose experts are taken for independent.
    pub(crate) fn read(&self, rows: f64) -> f64 {
        self.shared + (1.0 - self.shared) * (1.0 - libm::pow(1.0 - self.part(), rows))
    }

    fn part(&self) -> f64 {
        f64::from(self.per_token) / f64::from(self.experts.max(1))
    }
}

/// A model, and how many parameters its parts have: what weights are multiplied with does not depend
/// on how they are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Shape and weight.
    pub spec: ModelSpec,
    /// Its experts, if it has any.
    pub mixture: Option<Mixture>,
    /// Parameters of a KV-head group of a layer.
    pub head_params: f64,
    /// Parameters of an FFN column of a layer.
    pub column_params: f64,
}

impl Model {
    /// Bits that a weight of its layers takes.
    pub fn bits(&self) -> f64 {
        8.0 * self.spec.head_bytes as f64 / self.head_params
    }

    /// A decoder of the Llama family: rows of Q, K and V and columns of O; rows of gate and up and
    /// columns of down.
    pub fn llama(spec: ModelSpec) -> Self {
        let [heads, kv_heads, hidden, width] =
            [spec.heads, spec.kv_heads, spec.hidden, spec.head_dim].map(f64::from);
        let head_params = hidden * width * (2.0 * heads / kv_heads.max(1.0) + 2.0);
        Self { spec, mixture: None, head_params, column_params: 3.0 * hidden }
    }
}

/// Everything a plan depends on.
#[derive(Clone, Debug)]
pub struct Ground {
    pub(crate) model: ModelSpec,
    pub(crate) mixture: Option<Mixture>,
    /// Parameters of a KV-head group and of an FFN column of a layer.
    pub(crate) params: (f64, f64),
    pub(crate) rules: Rules,
    pub(crate) workload: Workload,
    pub(crate) spots: Vec<Spot>,
    /// The way between devices of each machine.
    pub(crate) inside: Vec<Way>,
    pub(crate) ways: Ways,
    pub(crate) classes: Vec<Class>,
    pub(crate) ends: Ends,
    /// What of a request is reckoned with.
    pub(crate) phase: Phase,
    /// Tokens of KV cache that every pipeline has room for; none if that is what its requests need.
    pub(crate) cache_tokens: Option<u32>,
}

impl Ground {
    /// The ground of so many machines (`inside` has one way for each) and their devices, in the
    /// order of machines.
    pub fn new(
        model: Model,
        spots: Vec<Spot>,
        inside: Vec<Way>,
        ways: Ways,
        (rules, workload): (Rules, Workload),
    ) -> Self {
        let params = (model.head_params, model.column_params);
        let Model { spec: model, mixture, .. } = model;
        let (classes, ends, phase) = (Vec::new(), Ends::default(), Phase::Both);
        let ground = Self {
            model,
            mixture,
            params,
            rules,
            workload,
            spots,
            inside,
            ways,
            classes,
            ends,
            phase,
            cache_tokens: None,
        };
        ground.classed()
    }

    /// With devices that are believed to read and to compute so many times as fast as they do.
    pub fn biased(mut self, bandwidth: f64, arithmetic: f64) -> Self {
        for spot in &mut self.spots {
            spot.pace = spot.pace.times(bandwidth, arithmetic);
        }
        self.classed()
    }

    /// With the classes that its devices are of.
    pub(crate) fn classed(self) -> Self {
        let Self { spots, inside, ways, ends, model, .. } = &self;
        // Of few devices any may be a stage together, wherever they are.
        let merge = self.rules.powers_of_two || spots.len() > TEAM_DEVICES_MAX;
        let classes = Class::all(spots, inside, ways, ends, model, merge);
        Self { classes, ..self }
    }

    /// How many devices there are.
    pub fn devices(&self) -> usize {
        self.spots.len()
    }

    /// What the maker of a device calls it.
    pub fn name(&self, spot: usize) -> &str {
        &self.spots[spot].name
    }

    /// Whether the figures are those of a model and of devices, so that no sum overflows and no
    /// search goes on for ever.
    pub(crate) fn sane(&self) -> bool {
        let m = &self.model;
        let real = |x: f64| x.is_finite() && x > 0.0;
        let widths = [m.heads, m.kv_heads, m.head_dim, m.ffn, m.hidden];
        let bytes = m.head_bytes as f64 * f64::from(m.kv_heads)
            + m.column_bytes * f64::from(m.ffn)
            + m.layer_shared_bytes as f64
            + m.kv_bytes as f64 * f64::from(BLOCK_TOKENS) * f64::from(m.kv_heads);
        (1..=LAYERS_MAX).contains(&m.layers)
            && widths.iter().all(|x| (1..=WIDTH_MAX).contains(x))
            && m.heads.is_multiple_of(m.kv_heads)
            && m.column_bytes >= 0.0
            && bytes.is_finite()
            && bytes * f64::from(m.layers) + (m.embedding_bytes as f64 + m.output_bytes as f64)
                < BYTES_MAX
            && self.spots.iter().all(|s| {
                let p = s.pace;
                let rates =
                    [p.bytes_per_ms, p.kv_bytes_per_ms, p.flops_per_ms, p.attention_flops_per_ms];
                rates.into_iter().all(real) && p.layer_ms.is_finite() && p.layer_ms >= 0.0
            })
    }

    /// The way from one machine to another, or within one; none if there is none.
    pub(crate) fn way(&self, from: usize, to: usize) -> Option<Way> {
        if from == to {
            return Some(self.inside[from]);
        }
        self.ways.between(from, to)
    }

    /// The class of a device.
    pub(crate) fn class_of(&self, spot: usize) -> usize {
        self.classes.iter().position(|class| class.spots.contains(&spot)).unwrap_or(0)
    }

    /// The same ground, where pipelines do only one thing.
    pub(crate) fn only(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }
}

/// What one member of a stage holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) layers: u32,
    pub(crate) heads: u32,
    pub(crate) columns: u32,
    /// Holds the embedding.
    pub(crate) embeds: bool,
    /// Holds the output head.
    pub(crate) samples: bool,
}
