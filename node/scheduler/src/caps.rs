//! Caps: how much memory to give the nodes of a demo, so that it shows what a swarm is for.

use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, ModelSpec, NodeId, Pool};

use crate::{
    Infeasible, Options,
    field::{Field, Share},
    plan,
};

/// Nodes that a demo can have.
const NODES: std::ops::RangeInclusive<usize> = 3..=8;
/// How unlike the nodes are: each has this much more than the one before.
const UNLIKE: f64 = 0.03;

/// Memory in bytes of every device of every node. The first holds no layer, the second has two
/// devices, none holds the model alone, all together do; from four nodes on, any one may go.
pub fn caps(
    model: &ModelSpec,
    nodes: usize,
    context_tokens: u32,
) -> Result<Vec<Vec<u64>>, Infeasible> {
    if !NODES.contains(&nodes) {
        return Err(Infeasible::because(format!("a demo has 3 to 8 nodes, not {nodes}")));
    }
    let empty = Pool { model: model.clone(), machines: Vec::new(), context_tokens, running: None };
    let field = Field::new(&empty);
    if !field.sane() {
        return Err(Infeasible::because("the model's figures are not those of a model"));
    }
    let scratch = model.scratch_bytes();
    let share = |layers, heads, columns, ends| {
        field.share_bytes(Share { layers, heads, columns, embeds: ends, samples: ends })
    };
    let whole = share(model.layers, model.kv_heads, model.ffn, true);
    let least = share(1, 1, model.ffn_grain.clamp(1, model.ffn), false);
    let holders = nodes - 1;
    // Any one may go from three holders on, so the others share the model among them.
    let sharers = if holders > 2 { holders - 1 } else { holders };
    for step in 0..60 {
        let scale = (1.02 + 0.02 * f64::from(step)) / sharers as f64;
        let node = |place: usize| {
            let room = whole as f64 * scale * (1.0 + UNLIKE * place as f64);
            let room = room as u64;
            if place == 0 {
                // Two devices, unlike as well.
                let big = room / 100 * 52;
                vec![scratch + big, scratch + (room - big)]
            } else {
                vec![scratch + room]
            }
        };
        let mut found = vec![vec![scratch + least / 2]];
        found.extend((0..holders).map(node));
        let too_big = |caps: &Vec<u64>| caps.iter().sum::<u64>() >= whole + scratch;
        if found.iter().any(too_big) {
            break;
        }
        if shows(model, &found, context_tokens) {
            return Ok(found);
        }
    }
    Err(Infeasible::because(format!(
        "no caps were found with which {nodes} nodes hold the model together and none alone"
    )))
}

/// Whether the caps show what they should.
fn shows(model: &ModelSpec, caps: &[Vec<u64>], context_tokens: u32) -> bool {
    let pool = |gone: Option<usize>| Pool {
        model: model.clone(),
        machines: (0..caps.len())
            .filter(|&number| Some(number) != gone)
            .map(|number| machine(number, caps))
            .collect(),
        context_tokens,
        running: None,
    };
    let fits = |pool: &Pool| plan(pool, &Options::default()).is_ok();
    fits(&pool(None)) && (caps.len() < 4 || (1..caps.len()).all(|gone| fits(&pool(Some(gone)))))
}

/// A machine of the demo, as like the others as can be but for its memory.
pub(crate) fn machine(number: usize, caps: &[Vec<u64>]) -> Machine {
    let id = |number: usize| NodeId([u8::try_from(number).unwrap_or(u8::MAX); 32]);
    let device = |(index, &memory_bytes): (usize, &u64)| Device {
        index: u8::try_from(index).unwrap_or(u8::MAX),
        kind: DeviceKind::Cpu,
        name: "demo".to_owned(),
        memory_bytes,
        bandwidth_bytes_per_s: 5e9,
        flops_per_s: 2e10,
        threads: 1,
        drift_class: Hash([0; 32]),
    };
    let link = |to: usize| LinkReport {
        to: id(to),
        rtt_ms: 0.2,
        rtt_spread_ms: 0.0,
        bytes_per_s: 1e9,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    };
    Machine {
        node: id(number),
        devices: caps[number].iter().enumerate().map(device).collect(),
        links: (0..caps.len()).filter(|&to| to != number).map(link).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smollm2() -> ModelSpec {
        // 64 rows of K and V, 192 of Q, 192 columns of O, of 576 each; three rows of 576 a column.
        let head = 17 * 576 * 512 / 16;
        let layer = 66_355_200 / 30;
        let shared = 2 * 576 * 4;
        ModelSpec {
            name: "smollm2".into(),
            hash: Hash([7; 32]),
            layers: 30,
            hidden: 576,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            ffn: 1536,
            ffn_grain: 32,
            vocab: 49152,
            context_max: 2048,
            head_bytes: head,
            column_bytes: (layer - 3 * head - shared) as f64 / 1536.0,
            layer_shared_bytes: shared,
            embedding_bytes: 30_081_024,
            output_bytes: 30_081_024,
            tied: true,
            kv_bytes: 512,
        }
    }

    #[test]
    fn every_demo_has_caps() {
        let model = smollm2();
        assert_eq!(model.layer_bytes(), 66_355_200 / 30);
        let blocks = 2048 / 16 + 1;
        let kv = model.kv_block_bytes(30, 3) * blocks;
        let whole = model.total_bytes() + kv + model.scratch_bytes();
        for nodes in 3..=8 {
            let found = caps(&model, nodes, 2048).unwrap();
            assert_eq!(found.len(), nodes);
            let layer = model.share_bytes(1, 3, 1536, false, false) + model.kv_block_bytes(1, 3);
            assert!(found[0].iter().sum::<u64>() < layer + model.scratch_bytes());
            assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>()[1], 2);
            assert!(found.iter().all(|c| c.iter().sum::<u64>() < whole));
            let mut sums: Vec<u64> = found.iter().map(|c| c.iter().sum()).collect();
            sums.sort_unstable();
            sums.dedup();
            assert_eq!(sums.len(), nodes, "caps differ");
            assert!(shows(&model, &found, 2048));
            let pool = Pool {
                model: model.clone(),
                machines: (0..nodes).map(|n| machine(n, &found)).collect(),
                context_tokens: 2048,
                running: None,
            };
            let planned = plan(&pool, &Options::default()).unwrap();
            assert!(planned.plan.members().all(|m| m.node != NodeId([0; 32])));
            let shape: Vec<_> = planned.plan.pipelines[0]
                .stages
                .iter()
                .map(|s| {
                    (
                        s.layers,
                        s.members.iter().map(|m| (m.node.0[0], m.device)).collect::<Vec<_>>(),
                    )
                })
                .collect();
            println!("{nodes}: {found:?} -> {shape:?} {:?} {}", planned.predicted, planned.binding);
            let tp = planned.plan.pipelines[0].stages.iter().any(|s| s.members.len() > 1);
            assert!(tp, "tensor parallelism is shown");
        }
    }

    #[test]
    fn absurd_demos_are_refused() {
        let model = smollm2();
        assert!(caps(&model, 2, 2048).is_err());
        assert!(caps(&model, 9, 2048).is_err());
        assert!(caps(&ModelSpec { layers: 0, ..model.clone() }, 4, 2048).is_err());
        assert!(caps(&ModelSpec { layers: 1, ..model.clone() }, 8, u32::MAX).is_err());
    }
}
