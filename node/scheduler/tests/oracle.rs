//! The exact search against every plan there is, written out and priced one by one.

mod pools;

use swarm_proto::{
    ColumnRange, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, PlanId, Pool, Stage,
};
use swarm_scheduler::{Options, plan, predict};

type Id = (NodeId, u8);

/// Ways to write `total` as so many parts of at least one.
fn parts(total: u32, count: usize) -> Vec<Vec<u32>> {
    if count == 1 {
        return if total > 0 { vec![vec![total]] } else { Vec::new() };
    }
    let rest = |first| parts(total - first, count - 1).into_iter();
    (1..total).flat_map(|first| rest(first).map(move |r| [vec![first], r].concat())).collect()
}

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

/// The lowest time a token, over every pipeline.
fn search(pool: &Pool, ids: &[Id], used: usize, so_far: &mut Vec<Stage>, best: &mut f64) {
    let covered = so_far.last().map_or(0, |s| s.layers.end());
    if covered == pool.model.layers {
        let plan = Plan {
            id: PlanId::default(),
            leader: NodeId([0; 32]),
            model: pool.model.hash,
            pipelines: vec![Pipeline { stages: so_far.clone() }],
        };
        if pools::fits(pool, &plan) {
            *best = best.min(predict(pool, &plan).tpot_ms);
        }
        return;
    }
    for mask in (1..1usize << ids.len()).filter(|mask| mask & used == 0) {
        for layers in 1..=pool.model.layers - covered {
            // Of a stage that does not sample, time depends on the lead's machine only, and so
            // on one lead of each; but all are tried.
            for stage in stages(pool, ids, mask, covered, layers) {
                so_far.push(stage);
                search(pool, ids, used | mask, so_far, best);
                so_far.pop();
            }
        }
    }
}

#[test]
fn no_plan_is_faster() {
    let (mut feasible, mut shared, mut staged) = (0, 0, 0);
    for seed in 0..1500 {
        // Four devices have many more plans than three.
        let mut pool = pools::pool(seed, if seed % 10 == 0 { 4 } else { 1 + (seed % 3) as u8 });
        if pool.machines.iter().map(|m| m.devices.len()).sum::<usize>() == 2 {
            // So many columns to level that a coarse share is seen.
            let scratch = pool.model.scratch_bytes();
            pool.model.ffn *= 8;
            pool.model.column_bytes /= 8.0;
            let more = pool.model.scratch_bytes() - scratch;
            for device in pool.machines.iter_mut().flat_map(|m| &mut m.devices) {
                device.memory_bytes += more;
            }
        }
        let ids: Vec<Id> = pool
            .machines
            .iter()
            .flat_map(|m| m.devices.iter().map(|d| (m.node, d.index)))
            .collect();
        let mut best = f64::INFINITY;
        search(&pool, &ids, 0, &mut Vec::new(), &mut best);
        match plan(&pool, &Options::default()) {
            Ok(found) => {
                let ms = found.predicted.tpot_ms;
                assert!((ms - best).abs() <= 1e-9 * best, "seed {seed}: {ms} and {best}");
                assert!(pools::fits(&pool, &found.plan), "seed {seed}");
                found.plan.check(&pool.model).unwrap();
                let stages = &found.plan.pipelines[0].stages;
                feasible += 1;
                shared += usize::from(stages.iter().any(|s| s.members.len() > 1));
                staged += usize::from(stages.len() > 1);
            }
            Err(why) => assert!(best.is_infinite(), "seed {seed}: {best} is possible; {why}"),
        }
    }
    println!("{feasible} feasible, {shared} shared, {staged} staged");
    assert!(feasible > 500 && shared > 50 && staged > 50);
}
