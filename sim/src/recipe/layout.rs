//! A layout that a scenario gives in place of a planner.

use std::collections::BTreeSet;

use swarm_proto::{LayerRange, ModelSpec};
use swarm_scheduler::PoolFile;

use super::{
    RecipeError,
    figure::wrong,
    keys::{PipelineKeys, StageKeys},
    swarm::numbers,
};
use crate::layout::{Held, Layout, Place};

/// The layout of these pipelines; none if there are none.
pub(super) fn layout(
    keys: &[PipelineKeys],
    pool: &PoolFile,
    model: &ModelSpec,
) -> Result<Option<Layout>, RecipeError> {
    let mut taken = BTreeSet::new();
    let mut pipelines = Vec::new();
    for pipeline in keys {
        let mut first = 0_u32;
        let mut stages = Vec::new();
        for stage in &pipeline.stages {
            let end = first.saturating_add(stage.layers);
            let layers = LayerRange::new(first, end);
            let layers =
                layers.ok_or_else(|| wrong("layers", stage.layers, "may be 1 and more"))?;
            stages.push(Held { layers, devices: devices(stage, pool, model, &mut taken)? });
            first = end;
        }
        if first != model.layers {
            let reason = format!("its stages come to that, and the model has {}", model.layers);
            return Err(wrong("layers", first, reason));
        }
        pipelines.push(stages);
    }
    Ok((!pipelines.is_empty()).then_some(Layout(pipelines)))
}

/// The devices of a stage, of those that no stage before has.
fn devices(
    stage: &StageKeys,
    pool: &PoolFile,
    model: &ModelSpec,
    taken: &mut BTreeSet<Place>,
) -> Result<Vec<Place>, RecipeError> {
    let mut all = Vec::new();
    for name in stage.machine.all() {
        let machines = numbers(pool, name)?;
        let [machine] = machines[..] else {
            let reason = format!("that is {} machines: a stage names each", machines.len());
            return Err(wrong("machine", name, reason));
        };
        let count = pool.machines[machine].devices.len();
        let free = (0..count).map(|index| (machine, index as u8));
        let free: Vec<Place> = free.filter(|place| !taken.contains(place)).collect();
        let wanted = stage.devices.unwrap_or(free.len());
        if wanted == 0 || wanted > free.len() {
            let reason = format!("{name} has {} that no stage before has", free.len());
            return Err(wrong("devices", wanted, reason));
        }
        all.extend_from_slice(&free[..wanted]);
        taken.extend(&free[..wanted]);
    }
    if all.is_empty() || all.len() > model.kv_heads as usize {
        let reason = format!("share a stage: may be 1 to {}, the KV heads", model.kv_heads);
        return Err(wrong("devices", all.len(), reason));
    }
    Ok(all)
}
