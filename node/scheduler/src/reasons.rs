//! Why a stage has its degree and its layers: what other degrees would make of it.

use crate::{
    ground::Ground,
    kind::{Kind, Regime},
    proposal::{Proposal, ProposedPipeline, ProposedStage},
};

/// What so many devices of a machine would be as a stage in a certain place of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Devices.
    pub degree: usize,
    /// A decode step of one layer, for the batch of the pipeline.
    pub layer_ms: f64,
    /// What their memory has room for.
    pub layers_max: u32,
}

/// The choices that there were for a stage, by rising degree.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What was chosen; none if the stage is of unlike devices or uneven parts.
    pub chosen: Option<Choice>,
    /// What was not.
    pub others: Vec<Choice>,
}

/// A reason for each stage of each pipeline.
pub fn reasons(ground: &Ground, proposal: &Proposal) -> Vec<Vec<Reason>> {
    let of = |pipeline: &ProposedPipeline| {
        (0..pipeline.stages.len()).map(|stage| reason(ground, pipeline, stage)).collect()
    };
    proposal.pipelines.iter().map(of).collect()
}

fn reason(ground: &Ground, pipeline: &ProposedPipeline, stage: usize) -> Reason {
    let of = &pipeline.stages[stage];
    let place = place(stage, pipeline.stages.len());
    let (alike, others) = choices(ground, pipeline, of)
        .into_iter()
        .map(|kind| {
            let (degree, layer_ms) = (kind.degree, kind.decode_ms);
            Choice { degree, layer_ms, layers_max: kind.caps[place] }
        })
        .partition::<Vec<_>, _>(|choice| choice.degree == of.members.len());
    Reason { chosen: alike.into_iter().next().filter(|_| is_even(ground, of)), others }
}

/// The stages that devices like the first of a stage can be.
pub(crate) fn choices(
    ground: &Ground,
    pipeline: &ProposedPipeline,
    stage: &ProposedStage,
) -> Vec<Kind> {
    let resident = ground.resident(pipeline.batch, pipeline.stages.len());
    let class = ground.class_of(stage.members[0].spot);
    Kind::all(ground, class, Regime { batch: pipeline.batch, resident })
}

/// Where in [`Kind::caps`] the room of a stage is: in the middle, or with the embedding or the head.
pub(crate) fn place(stage: usize, stages: usize) -> usize {
    usize::from(stage == 0) + 2 * usize::from(stage + 1 == stages)
}

/// Whether a stage is of devices of one class with parts that differ by what rounding leaves.
fn is_even(ground: &Ground, stage: &ProposedStage) -> bool {
    let class = ground.class_of(stage.members[0].spot);
    let heads = stage.members.iter().map(|member| member.kv_heads.1 - member.kv_heads.0);
    let (least, most) = heads.fold((u32::MAX, 0), |(a, b), heads| (a.min(heads), b.max(heads)));
    stage.members.iter().all(|member| ground.class_of(member.spot) == class) && most - least <= 1
}
