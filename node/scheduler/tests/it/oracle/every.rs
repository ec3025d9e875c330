//! Every plan there is, written out whole.

use swarm_proto::{
    ColumnRange, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, PlanId, Pool, Stage,
};

use super::chains::parts;
use crate::pools;

type Id = (NodeId, u8);

/// Every stage of `layers` layers on devices chosen by `mask`, led by each of them.
fn stages(pool: &Pool, ids: &[Id], mask: usize, first: u32, layers: u32) -> Vec<Stage> {
    let model = &pool.model;
    let chosen: Vec<Id> =
        ids.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, &id)| id).collect();
    let one = chosen.iter().all(|id| id.0 == chosen[0].0);
    if chosen.len() > if one { 4 } else { 3 } {
        return Vec::new();
    }
    let mut all = Vec::new();
    for lead in 0..chosen.len() {
        let mut order = chosen.clone();
        order.swap(0, lead);
        for heads in parts(model.kv_heads, order.len()) {
            for grains in parts(model.ffn / model.ffn_grain, order.len()) {
                let (mut h, mut c) = (0, 0);
                let mut members = Vec::new();
                for (n, &(node, device)) in order.iter().enumerate() {
                    let (next_h, next_c) = (h + heads[n], c + grains[n] * model.ffn_grain);
                    members.push(Member {
                        node,
                        device,
                        kv_heads: HeadRange::new(h, next_h).unwrap(),
                        ffn_columns: ColumnRange::new(c, next_c).unwrap(),
                    });
                    (h, c) = (next_h, next_c);
                }
                all.push(Stage {
                    layers: LayerRange::new(first, first + layers).unwrap(),
                    members,
                });
            }
        }
    }
    all
}

/// The lowest time a token, over every pipeline, as `price` has it.
pub(crate) fn fastest(pool: &Pool, price: impl Fn(&Plan) -> f64) -> f64 {
    let devices = pool.machines.iter().flat_map(|m| m.devices.iter().map(|d| (m.node, d.index)));
    let mut best = f64::INFINITY;
    let ids: Vec<Id> = devices.collect();
    search(pool, &ids, 0, &mut Vec::new(), &mut |plan| best = best.min(price(plan)));
    best
}

/// Every pipeline that begins with the stages `so_far` and fits.
fn search(
    pool: &Pool,
    ids: &[Id],
    used: usize,
    so_far: &mut Vec<Stage>,
    found: &mut impl FnMut(&Plan),
) {
    let covered = so_far.last().map_or(0, |s| s.layers.end());
    if covered == pool.model.layers {
        let plan = Plan {
            id: PlanId::default(),
            leader: NodeId([0; 32]),
            model: pool.model.hash,
            pipelines: vec![Pipeline { stages: so_far.clone() }],
        };
        if pools::fits(pool, &plan) {
            found(&plan);
        }
        return;
    }
    for mask in (1..1usize << ids.len()).filter(|mask| mask & used == 0) {
        for layers in 1..=pool.model.layers - covered {
            for stage in stages(pool, ids, mask, covered, layers) {
                so_far.push(stage);
                search(pool, ids, used | mask, so_far, found);
                so_far.pop();
            }
        }
    }
}
