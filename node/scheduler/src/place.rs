//! From layouts to devices: which of a class's machines each stage gets.

use std::cmp::Reverse;

use crate::{
    draft::{Draft, Lane, Placed},
    ground::Ground,
    phase1::Layout,
    proposal::ProposedMember,
    rules::Phase,
};

/// Layouts, fastest first, with devices, each for what the ground is reckoned for.
pub(crate) fn draft(ground: &Ground, mut layouts: Vec<&Layout>) -> Draft {
    layouts.sort_by(|a, b| a.latency_ms.total_cmp(&b.latency_ms));
    let whole: Vec<_> = layouts.into_iter().map(|layout| (ground.phase, layout)).collect();
    Draft::of(lanes(ground, &whole))
}

/// Layouts with devices.
pub(crate) fn lanes(ground: &Ground, layouts: &[(Phase, &Layout)]) -> Vec<Lane> {
    let placed = place(ground, &layouts.iter().map(|(_, layout)| *layout).collect::<Vec<_>>());
    layouts.iter().zip(placed).map(|((phase, layout), spots)| lane(*phase, layout, spots)).collect()
}

fn lane(phase: Phase, layout: &Layout, spots: Packed) -> Lane {
    let mut first = 0;
    let stages = layout.stages.iter().zip(spots).map(|(laid, spots)| {
        let layers = (first, first + laid.layers);
        first = layers.1;
        Placed { layers, held: layers, members: members(&laid.parts, spots.unwrap_or_default()) }
    });
    Lane { stages: stages.collect(), batch: layout.regime.batch, phase }
}

/// Devices, and the KV heads and FFN columns of each.
pub(crate) fn members(parts: &[(u32, u32)], spots: Vec<usize>) -> Vec<ProposedMember> {
    let (mut head, mut column) = (0, 0);
    let member = |(spot, (heads, columns)): (usize, &(u32, u32))| {
        let (kv_heads, ffn_columns) = ((head, head + heads), (column, column + columns));
        (head, column) = (kv_heads.1, ffn_columns.1);
        ProposedMember { spot, kv_heads, ffn_columns }
    };
    spots.into_iter().zip(parts).map(member).collect()
}

/// Devices of the stages of a layout; none for a stage that cannot be packed.
type Packed = Vec<Option<Vec<usize>>>;

/// Devices of every stage of every layout, in their order. Pipeline after pipeline, so that each
/// has few machines and few go with one of them; if that leaves gaps, widest first: powers of two
/// then fill machines without one, and degrees were chosen to be packed.
fn place(ground: &Ground, layouts: &[&Layout]) -> Vec<Packed> {
    let mut order: Vec<(usize, usize)> = layouts
        .iter()
        .enumerate()
        .flat_map(|(n, layout)| (0..layout.stages.len()).map(move |stage| (n, stage)))
        .collect();
    let width = |n: usize, stage: usize| layouts[n].stages[stage].parts.len();
    order.sort_by_key(|&(n, stage)| (n, Reverse(width(n, stage))));
    let placed = pack(ground, layouts, &order);
    if placed.iter().flatten().all(Option::is_some) {
        return placed;
    }
    order.sort_by_key(|&(n, stage)| Reverse(width(n, stage)));
    pack(ground, layouts, &order)
}

fn pack(ground: &Ground, layouts: &[&Layout], order: &[(usize, usize)]) -> Vec<Packed> {
    let mut free: Vec<Vec<Vec<usize>>> = ground
        .classes
        .iter()
        .map(|class| class.spots.chunks(class.size).map(<[usize]>::to_vec).collect())
        .collect();
    let mut placed: Vec<Packed> =
        layouts.iter().map(|layout| vec![None; layout.stages.len()]).collect();
    for &(n, stage) in order {
        let laid = &layouts[n].stages[stage];
        let degree = laid.parts.len();
        if laid.classes.iter().any(|class| *class != laid.classes[0]) {
            // Classes of unlike stages lie in one machine each: any of their devices will do.
            let one = |class: &usize| free[*class].iter_mut().find_map(|machine| machine.pop());
            placed[n][stage] = laid.classes.iter().map(one).collect();
            continue;
        }
        let ours = |spot: usize| {
            placed[n]
                .iter()
                .flatten()
                .flatten()
                .any(|s| ground.spots[*s].machine == ground.spots[spot].machine)
        };
        // A machine that this pipeline has a part of; then the one that is fullest.
        let machines = &free[laid.classes[0]];
        let fits = (0..machines.len()).filter(|m| machines[*m].len() >= degree);
        let best = fits.min_by_key(|m| (!ours(machines[*m][0]), machines[*m].len(), *m));
        if let Some(machine) = best {
            placed[n][stage] = Some(free[laid.classes[0]][machine].drain(..degree).collect());
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        Ask, Objective, Planner, PoolFile, Rules, Workload, catalogue, ground::Model, propose,
    };

    /// Each of two replicas has a machine of its own where that is as good.
    #[test]
    fn a_machine_that_goes_takes_one_replica_along() {
        let text = "[[machine]]\ngpu = \"RTX3090Ti\"\ngpus = 8\ncount = 2\n";
        let pool = PoolFile::parse(text, &|_| unreachable!()).unwrap();
        let model: Model =
            catalogue::model("Llama-2-70b").unwrap().model(catalogue::format("fp16").unwrap());
        let workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
        let ground = pool.ground(model, Rules::fitted(), workload);
        let objective = Objective::Slo { deadline_ms: 7_000.0 };
        let found = propose(&ground, &Ask { planner: Planner::Replicas, objective, seed: 1 });
        let found = found.unwrap();
        assert_eq!(found.pipelines.len(), 2);
        for pipeline in &found.pipelines {
            let members = pipeline.stages.iter().flat_map(|stage| &stage.members);
            let machines: BTreeSet<_> = members.map(|m| ground.spots[m.spot].machine).collect();
            assert_eq!(machines.len(), 1, "{pipeline:?}");
        }
    }
}
