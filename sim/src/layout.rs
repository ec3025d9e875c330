//! Layouts made by hand: which devices hold which layers.

use swarm_proto::{
    ColumnRange, Hash, HeadRange, LayerRange, Member, ModelSpec, NodeId, Pipeline, Plan, PlanId,
    Predicted, Stage,
};

use crate::keys::node_id;

/// A device: its machine's number, and its own on it.
pub(crate) type Place = (usize, u8);

/// Pipelines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout(pub(crate) Vec<Vec<Held>>);

/// A stage: layers, and the devices that share each of them evenly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) layers: LayerRange,
    pub(crate) devices: Vec<Place>,
}

impl Layout {
    /// The plan of those pipelines whose machines are all here.
    pub(crate) fn plan(&self, model: &ModelSpec, here: &[usize]) -> Result<Plan, String> {
        let is_here = |stage: &Held| {
            stage.devices.iter().all(|(machine, _)| here.binary_search(machine).is_ok())
        };
        let whole = self.0.iter().filter(|stages| stages.iter().all(is_here));
        let pipelines = whole.map(|stages| pipeline(stages, model));
        let pipelines: Vec<Pipeline> =
            pipelines.collect::<Option<_>>().ok_or("a stage has more devices than KV heads")?;
        match pipelines.is_empty() {
            true => Err("no pipeline of the layout has all of its machines here".to_owned()),
            false => {
                let (id, leader) = (PlanId::default(), NodeId([0; 32]));
                Ok(Plan { id, leader, model: Hash::clone(&model.hash), pipelines })
            }
        }
    }
}

fn pipeline(stages: &[Held], model: &ModelSpec) -> Option<Pipeline> {
    let stages = stages.iter().map(|held| {
        let count = held.devices.len() as u32;
        let grain = model.ffn_grain.max(1);
        // Where the share of a device begins, in units of that many.
        let cut = |all: u32, index: u32| all * index / count;
        let member = |((machine, device), index): (&Place, u32)| {
            let kv_heads =
                HeadRange::new(cut(model.kv_heads, index), cut(model.kv_heads, index + 1))?;
            let column = |index| grain * cut(model.ffn / grain, index);
            let ffn_columns = ColumnRange::new(column(index), column(index + 1))?;
            Some(Member { node: node_id(*machine), device: *device, kv_heads, ffn_columns })
        };
        let members = held.devices.iter().zip(0..).map(member).collect::<Option<Vec<_>>>()?;
        Some(Stage { layers: held.layers, members, step_us: 0 })
    });
    let stages = stages.collect::<Option<Vec<_>>>()?;
    Some(Pipeline { stages, predicted: Predicted::default() })
}
