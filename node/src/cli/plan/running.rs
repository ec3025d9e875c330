//! A plan that runs, as `plan --json` printed it once.

use std::{collections::BTreeSet, path::Path};

use color_eyre::eyre::{WrapErr, eyre};
use serde::Deserialize;
use swarm_scheduler::Part;

use super::{document::ServedDocument, places::Places};

/// More than a plan of ten thousand devices takes.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// Who holds what.
pub(super) struct Running {
    pub(super) parts: Vec<Part>,
    /// The devices of each pipeline.
    pub(super) groups: Vec<Vec<usize>>,
    /// How many of its devices are not here.
    pub(super) gone: usize,
}

#[derive(Deserialize)]
struct Document {
    model: Option<ServedDocument>,
    pipelines: Vec<Pipeline>,
}

#[derive(Deserialize)]
struct Pipeline {
    stages: Vec<Stage>,
}

#[derive(Deserialize)]
struct Stage {
    layers: [u32; 2],
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    machine: String,
    device: usize,
    kv_heads: [u32; 2],
    ffn_columns: [u32; 2],
}

/// Reads it; what machines hold that are not there any more is gone.
pub(super) fn read(
    file: &Path,
    places: &Places<'_>,
    served: &ServedDocument,
) -> color_eyre::Result<Running> {
    let shown = file.display();
    let bytes = std::fs::metadata(file).wrap_err_with(|| format!("reading {shown}"))?.len();
    if bytes > FILE_MAX_BYTES {
        return Err(eyre!("{shown} has {bytes} bytes, more than any plan"));
    }
    let text = std::fs::read_to_string(file).wrap_err_with(|| format!("reading {shown}"))?;
    let document: Document = serde_json::from_str(&text)
        .wrap_err_with(|| format!("{shown} is no plan as `hexswarm plan --json` prints it"))?;
    if let Some(other) = document.model.filter(|other| other != served) {
        return Err(eyre!(
            "{shown} is a plan for {} with {} bits a weight, and what runs of it is of no use for {} with {}",
            other.name,
            other.weight_bits,
            served.name,
            served.weight_bits
        ));
    }
    let mut gone = BTreeSet::new();
    let mut running = Running { parts: Vec::new(), groups: Vec::new(), gone: 0 };
    for pipeline in &document.pipelines {
        let mut group = Vec::new();
        for stage in &pipeline.stages {
            for member in &stage.members {
                let ranges = [stage.layers, member.kv_heads, member.ffn_columns];
                if let Some([first, end]) = ranges.into_iter().find(|[first, end]| first > end) {
                    return Err(eyre!("{shown}: [{first}, {end}] is no range"));
                }
                let Some(spot) = places.spot(&member.machine, member.device) else {
                    gone.insert((&member.machine, member.device));
                    continue;
                };
                let [layers, kv_heads, ffn_columns] = ranges.map(<(u32, u32)>::from);
                running.parts.push(Part { spot, layers, kv_heads, ffn_columns });
                if !running.groups.iter().flatten().chain(&group).any(|known| *known == spot) {
                    group.push(spot);
                }
            }
        }
        running.groups.push(group);
    }
    running.gone = gone.len();
    if running.gone > 0 && running.parts.is_empty() {
        return Err(eyre!(
            "{shown} is a plan of other devices: none of its {} is here",
            running.gone
        ));
    }
    Ok(running)
}
