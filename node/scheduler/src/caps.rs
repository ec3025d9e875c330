//! Caps: how much memory to give the nodes of a demo, so that it shows what a swarm is for.

use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, ModelSpec, NodeId, Pool};

use crate::{Ask, Infeasible, Objective, Options, Planner, live::Live, plan, propose};

/// Nodes that a demo can have.
const NODES: std::ops::RangeInclusive<usize> = 3..=8;
/// How unlike the nodes are: each has this much more room than the one before. The first with which
/// it goes is taken; where room is short, the two-device node, which needs scratch twice, must be
/// the smaller by more.
const UNLIKE: [f64; 3] = [0.03, 0.06, 0.1];
/// What is tried: this much more than the model needs, in steps of as much.
const STEP: f64 = 0.02;
/// Beyond so many steps a node could hold the model alone.
const STEPS: u32 = 60;

/// Memory in bytes of every device of every node. The first holds no layer, the second has two
/// devices, the devices of none hold the model's weights together, all nodes do; from four nodes on,
/// any one may go. If there are such caps, some devices share layers.
pub fn caps(
    model: &ModelSpec,
    nodes: usize,
    context_tokens: u32,
) -> Result<Vec<Vec<u64>>, Infeasible> {
    if !NODES.contains(&nodes) {
        return Err(Infeasible::because(format!("a demo has 3 to 8 nodes, not {nodes}")));
    }
    let empty = Pool { model: model.clone(), machines: Vec::new(), context_tokens, running: None };
    let ground = Live::new(&empty).ground;
    if !ground.sane() {
        return Err(Infeasible::because("the model's figures are not those of a model"));
    }
    let whole = ground.needed_bytes() as f64;
    let entry = model.scratch_bytes() + ground.least_bytes() / 2;
    let holders = nodes - 1;
    // Any one may go from three holders on, so the others share the model among them.
    let sharers = if holders > 2 { holders - 1 } else { holders } as f64;
    let mut plain = None;
    for unlike in UNLIKE {
        for step in 1..=STEPS {
            let share = whole * (1.0 + STEP * f64::from(step)) / sharers;
            let mut found = vec![vec![entry]];
            found.extend((0..holders).map(|place| {
                devices(model, (share * (1.0 + unlike * place as f64)) as u64, place == 0)
            }));
            if found.iter().any(|caps| sum(caps) >= model.total_bytes()) {
                break;
            }
            if !fit(model, &found, context_tokens) {
                continue;
            }
            if shares_layers(model, &found, context_tokens) {
                return Ok(found);
            }
            plain.get_or_insert(found);
        }
    }
    plain.ok_or_else(|| Infeasible::because(format!(
        "no caps were found with which {nodes} nodes hold the model together, with KV cache for \
         {context_tokens} tokens, and none of them its {} MiB of weights alone",
        model.total_bytes() >> 20,
    )))
}

/// The devices of a node with so much room beside scratch: one, or two that are unlike as well.
fn devices(model: &ModelSpec, room: u64, two: bool) -> Vec<u64> {
    let rooms = if two { vec![room / 100 * 52, room - room / 100 * 52] } else { vec![room] };
    rooms.into_iter().map(|room| room.saturating_add(model.scratch_bytes())).collect()
}

fn sum(caps: &[u64]) -> u64 {
    caps.iter().fold(0, |sum, cap| sum.saturating_add(*cap))
}

/// The demo's nodes, but for one that may be gone.
fn pool(model: &ModelSpec, caps: &[Vec<u64>], context_tokens: u32, gone: Option<usize>) -> Pool {
    let here = (0..caps.len()).filter(|number| Some(*number) != gone);
    let machines = here.map(|number| machine(number, caps)).collect();
    Pool { model: model.clone(), machines, context_tokens, running: None }
}

/// Whether all nodes hold the model, and where there are more than three, all but any one.
fn fit(model: &ModelSpec, caps: &[Vec<u64>], context_tokens: u32) -> bool {
    // Of few nodes every layout counts; of many the quickest search finds one.
    let planner = if caps.len() > 5 { Planner::HexgenInitial } else { Planner::Replicas };
    let ask = Ask { planner, objective: Objective::Latency, seed: 0 };
    let fits = |gone| {
        let live = Live::alike(&pool(model, caps, context_tokens, gone));
        propose(&live.ground, &ask).is_some()
    };
    fits(None) && (caps.len() < 4 || (1..caps.len()).all(|gone| fits(Some(gone))))
}

/// Whether devices of some stage share layers.
fn shares_layers(model: &ModelSpec, caps: &[Vec<u64>], context_tokens: u32) -> bool {
    let found = plan(&pool(model, caps, context_tokens, None), &Options::default());
    found.is_ok_and(|found| {
        let mut stages = found.plan.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
        stages.any(|stage| stage.members.len() > 1)
    })
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

    /// The default model, as the engine describes it.
    fn smollm2() -> ModelSpec {
        ModelSpec {
            name: "smollm2-135m".into(),
            hash: Hash([7; 32]),
            layers: 30,
            hidden: 576,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            ffn: 1536,
            ffn_grain: 64,
            vocab: 49152,
            context_max: 8192,
            // Of Q4_1, 20 bytes for 32 numbers: 512 rows of 576 a head, three a column.
            head_bytes: 184_320,
            column_bytes: 1080.0,
            layer_shared_bytes: 4608,
            embedding_bytes: 30_081_024,
            output_bytes: 30_081_024,
            tied: true,
            kv_bytes: 512,
        }
    }

    /// What a demo promises: no node holds the model, all do, unlike nodes, one of two devices.
    fn promised(model: &ModelSpec, nodes: usize, context_tokens: u32) {
        let found = caps(model, nodes, context_tokens).unwrap_or_else(|why| {
            panic!("{nodes} nodes, {context_tokens} tokens: {why}");
        });
        println!("{nodes} nodes, {context_tokens} tokens: {found:?}");
        let mut sums: Vec<u64> = found.iter().map(|caps| caps.iter().sum()).collect();
        assert!(sums.iter().all(|sum| *sum < model.total_bytes()), "{sums:?}");
        sums.sort_unstable();
        sums.dedup();
        assert_eq!(sums.len(), nodes, "each cap is another");
        let mut counts: Vec<usize> = found.iter().map(Vec::len).collect();
        assert_eq!(counts[1], 2);
        counts.remove(1);
        assert!(counts.iter().all(|devices| *devices == 1));

        let pool = |gone| pool(model, &found, context_tokens, gone);
        let planned = |gone| plan(&pool(gone), &Options::default());
        let all = planned(None).unwrap().plan;
        assert!(all.members().all(|member| member.node != NodeId([0; 32])), "the entry");
        let shared = all.pipelines[0].stages.iter().any(|stage| stage.members.len() > 1);
        assert!(shared || nodes == 3, "tensor parallelism is shown");
        if nodes > 3 {
            for gone in 1..nodes {
                assert!(planned(Some(gone)).is_ok(), "{nodes} nodes without {gone}");
            }
        }
    }

    #[test]
    fn every_demo_has_caps() {
        let model = smollm2();
        assert_eq!(model.total_bytes(), 96_574_464);
        (3..=8).for_each(|nodes| promised(&model, nodes, 512));
        (5..=8).for_each(|nodes| promised(&model, nodes, 2048));
    }

    /// KV cache for 2048 tokens is as large as the weights: two nodes smaller than the weights hold
    /// neither both nor the embedding twice, and four nodes have to do with two.
    #[test]
    fn what_cannot_be_shown_is_said() {
        let model = smollm2();
        for nodes in [3, 4] {
            let why = caps(&model, nodes, 2048).unwrap_err().to_string();
            assert!(why.contains("2048 tokens") && why.contains("92 MiB of weights"), "{why}");
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
