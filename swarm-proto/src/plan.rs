//! Who holds which layers: the one shape of a plan, everywhere.

use bincode::{Decode, Encode};

use crate::{
    ColumnRange, Hash, HeadRange, LayerRange, ModelSpec, NodeId, PlanId, checked::decode_checked,
};

/// Devices that a plan gives a part, at most: the message that greets a peer has room for so many
/// beside all else that it says, whatever the figures.
pub const PLAN_MEMBERS_MAX: usize = 384;

/// A numbered plan by an elected leader.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Plan {
    /// Its place in the order of plans.
    pub id: PlanId,
    /// Who made it.
    pub leader: NodeId,
    /// Which model it serves.
    pub model: Hash,
    /// Replicas of the model.
    pub pipelines: Vec<Pipeline>,
}

/// One replica: stages in the order that activations pass them.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Pipeline {
    /// First layers first; a plan that was decoded has at least one.
    pub stages: Vec<Stage>,
    /// What its author expects of it.
    pub predicted: Predicted,
}

/// What a pipeline is expected to do, in whole numbers, so that everybody reads the same. All 0 if
/// nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Predicted {
    /// Time to the first token of an answer.
    pub ttft_us: u64,
    /// Time per output token.
    pub tpot_us: u64,
    /// Requests in a thousand seconds when there are always more.
    pub requests_per_ks: u64,
    /// Sessions under way when there are always more.
    pub sessions: u32,
}

/// Consecutive layers, shared out among one or more devices.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Stage {
    /// Which layers.
    pub layers: LayerRange,
    /// Who computes them together. The first leads: it takes activations in and hands them on,
    /// and in the last stage it holds the output head and samples.
    pub members: Vec<Member>,
    /// How long a decode step is expected to take; 0 if nobody knows.
    pub step_us: u64,
}

/// One device's share of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// Whose device.
    pub node: NodeId,
    /// Its number there.
    pub device: u8,
    /// Its KV-head groups.
    pub kv_heads: HeadRange,
    /// Its FFN columns.
    pub ffn_columns: ColumnRange,
}

/// Why a plan cannot be right for a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// Another model's plan.
    #[error(
        "the plan is for another model than this node serves; --model must be the same for all"
    )]
    Model,
    /// No pipeline, an empty stage, or layers that do not follow on.
    #[error("pipeline {pipeline} does not cover layers 0 to {layers} in order")]
    Layers {
        /// Which pipeline.
        pipeline: usize,
        /// Layers of the model.
        layers: u32,
    },
    /// Heads or columns that overlap, leave a gap, or split a weight block.
    #[error(
        "stage {stage} of pipeline {pipeline} does not share out its heads and columns exactly"
    )]
    Shares {
        /// Which pipeline.
        pipeline: usize,
        /// Which of its stages.
        stage: usize,
    },
    /// More than a message has room for.
    #[error("{members} devices have a part, but a plan has room for {PLAN_MEMBERS_MAX}")]
    Members {
        /// How many.
        members: usize,
    },
    /// A device named twice.
    #[error("device {device} of {node:?} is named twice")]
    Twice {
        /// Whose device.
        node: NodeId,
        /// Its number there.
        device: u8,
    },
}

impl Plan {
    /// Refuses a plan that does not hold every layer, head and column of `model` exactly once a
    /// pipeline, or that uses a device twice. A plan is a claim until this has passed.
    pub fn check(&self, model: &ModelSpec) -> Result<(), PlanFault> {
        if self.model != model.hash {
            return Err(PlanFault::Model);
        }
        if self.pipelines.is_empty() {
            return Err(PlanFault::Layers { pipeline: 0, layers: model.layers });
        }
        for (p, pipeline) in self.pipelines.iter().enumerate() {
            if !covers(pipeline.stages.iter().map(|s| s.layers.range()), model.layers) {
                return Err(PlanFault::Layers { pipeline: p, layers: model.layers });
            }
            for (s, stage) in pipeline.stages.iter().enumerate() {
                let heads =
                    covers(stage.members.iter().map(|m| m.kv_heads.range()), model.kv_heads);
                let columns =
                    covers(stage.members.iter().map(|m| m.ffn_columns.range()), model.ffn);
                let grain = model.ffn_grain.max(1);
                let whole = stage.members.iter().all(|m| m.ffn_columns.first() % grain == 0);
                if !(heads && columns && whole) {
                    return Err(PlanFault::Shares { pipeline: p, stage: s });
                }
            }
        }
        let members = self.members().count();
        if members > PLAN_MEMBERS_MAX {
            return Err(PlanFault::Members { members });
        }
        let mut devices: Vec<_> = self.members().map(|m| (m.node, m.device)).collect();
        devices.sort_unstable();
        match devices.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PlanFault::Twice { node: pair[0].0, device: pair[0].1 }),
            None => Ok(()),
        }
    }

    /// Whether another plan gives everybody the same to do, whatever is expected of it.
    pub fn same_work(&self, other: &Self) -> bool {
        let same = |a: &Stage, b: &Stage| a.layers == b.layers && a.members == b.members;
        self.pipelines.len() == other.pipelines.len()
            && self.pipelines.iter().zip(&other.pipelines).all(|(a, b)| {
                a.stages.len() == b.stages.len()
                    && a.stages.iter().zip(&b.stages).all(|(a, b)| same(a, b))
            })
    }

    /// Every member of every stage.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.pipelines.iter().flat_map(Pipeline::members)
    }
}

impl Pipeline {
    /// Every member of every stage.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.stages.iter().flat_map(|stage| &stage.members)
    }

    /// Refuses a pipeline of no stages. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.stages.is_empty() { Err("a pipeline of no stages") } else { Ok(()) }
    }
}

impl Stage {
    /// Refuses a stage of no members. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.members.is_empty() { Err("a stage of no members") } else { Ok(()) }
    }

    /// The member that leads the stage. Stages that were decoded or belong to a checked plan have
    /// one.
    pub fn leader(&self) -> &Member {
        &self.members[0]
    }
}

decode_checked!(Pipeline { stages, predicted });
decode_checked!(Stage { layers, members, step_us });

/// Whether `runs` follow on from 0 to `end` without gap or overlap.
fn covers(runs: impl Iterator<Item = std::ops::Range<usize>>, end: u32) -> bool {
    let mut next = 0;
    for run in runs {
        if run.start != next {
            return false;
        }
        next = run.end;
    }
    next == end as usize
}
