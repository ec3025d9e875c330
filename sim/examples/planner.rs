//! A planner of one's own beside the scheduler's.
//!
//!     cargo run --release -p hexswarm-sim --example planner

use hexswarm_sim::{Comparison, Plans, Scenario, Wishes, cores};
use swarm_proto::{
    ColumnRange, Device, HeadRange, LayerRange, Machine, Member, NodeId, Pipeline, Plan, PlanId,
    Pool, Predicted, Stage,
};

/// One pipeline with a stage for each machine, which gets layers by its memory.
#[derive(Debug)]
struct ByMemory {
    /// Layers that are forgotten: to see what becomes of a plan that cannot be.
    forgets: u32,
}

impl Plans for ByMemory {
    fn plan(&self, pool: &Pool) -> Result<Plan, String> {
        let model = &pool.model;
        let layers = u64::from(model.layers - self.forgets);
        let all: u64 = pool.machines.iter().map(memory).sum();
        let (mut stages, mut before) = (Vec::new(), 0);
        for machine in &pool.machines {
            let first = (layers * before / all) as u32;
            before += memory(machine);
            // A machine that is too small for any layer gets no stage.
            let Some(layers) = LayerRange::new(first, (layers * before / all) as u32) else {
                continue;
            };
            // Its cards share each layer: KV heads, and columns of the feed-forward network.
            let count = machine.devices.len() as u32;
            let member = |(device, i): (&Device, u32)| {
                let cut = |all: u32, i: u32| all * i / count;
                let column = |i| model.ffn_grain * cut(model.ffn / model.ffn_grain, i);
                Some(Member {
                    node: machine.node,
                    device: device.index,
                    kv_heads: HeadRange::new(cut(model.kv_heads, i), cut(model.kv_heads, i + 1))?,
                    ffn_columns: ColumnRange::new(column(i), column(i + 1))?,
                })
            };
            let members = machine.devices.iter().zip(0..).map(member).collect::<Option<_>>();
            let members = members.ok_or("a machine has more devices than there are KV heads")?;
            stages.push(Stage { layers, members, step_us: 0 });
        }
        // The swarm numbers and signs the plan; what to expect of it the scheduler foretells.
        let pipelines = vec![Pipeline { stages, predicted: Predicted::default() }];
        Ok(Plan { id: PlanId::default(), leader: NodeId([0; 32]), model: model.hash, pipelines })
    }
}

fn memory(machine: &Machine) -> u64 {
    machine.devices.iter().map(|device| device.memory_bytes).sum()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let theirs = Scenario::named("hexgen30")?;
    let recipe = theirs.recipe().ok_or("hexgen30 serves a workload")?;
    // The same machines are asked the same, seed by seed.
    let ours = Scenario::from(recipe.planned_by(ByMemory { forgets: 0 }));
    println!("A: hexgen30\nB: the same, planned by {:?}", ByMemory { forgets: 0 });
    print!("{}", Comparison::run([&theirs, &ours], 0..10, cores())?);
    // The swarm checks every plan, whoever made it.
    let wrong = Scenario::from(recipe.planned_by(ByMemory { forgets: 1 }));
    let trouble = wrong.run(0, Wishes::default()).report.and_then(|report| report.trouble);
    println!("with a layer forgotten: {}", trouble.unwrap_or_else(|| "it served".to_owned()));
    Ok(())
}
