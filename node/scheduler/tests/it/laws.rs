//! What holds for every plan, and for pools that no honest peer would report.

use swarm_proto::{Machine, ModelSpec, NodeId, PLAN_MEMBERS_MAX, Plan, Pool};
use swarm_scheduler::{Options, plan, predicted};

use crate::pools;

#[test]
fn plans_fit_and_repeat() {
    let mut many = 0;
    for seed in 0..80 {
        let pool = pools::pool(seed, 1 + (seed % 12) as u8);
        let Ok(found) = plan(&pool, &Options::default()) else { continue };
        many += usize::from(seed % 12 > 5);
        found.plan.check(&pool.model).unwrap();
        assert!(pools::fits(&pool, &found.plan), "seed {seed}");
        assert_eq!(predicted(&pool, found.plan.clone()), found.plan);
        let mut turned = pool.clone();
        turned.machines.reverse();
        assert_eq!(plan(&turned, &Options::default()).unwrap(), found);
    }
    assert!(many > 20);
}

#[test]
fn the_running_plan_stays_until_it_is_slow_or_gone() {
    let mut pool = pools::pool(6, 4);
    let first = (0..200)
        .find_map(|seed| {
            pool = pools::pool(seed, 3);
            plan(&pool, &Options::default()).ok().filter(|p| !p.idle.is_empty())
        })
        .unwrap();
    pool.running = Some(first.plan.clone());
    let (node, index) = first.idle[0];
    let lift = |pool: &mut Pool, times: f64| {
        let machine = pool.machines.iter_mut().find(|m| m.node == node).unwrap();
        let device = machine.devices.iter_mut().find(|d| d.index == index).unwrap();
        device.bandwidth_bytes_per_s = 1e8 * times;
        device.flops_per_s = 1e8 * times;
        device.memory_bytes = 1 << 40;
    };
    assert_eq!(plan(&pool, &Options::default()).unwrap().plan, first.plan);
    lift(&mut pool, 1e6);
    assert_ne!(plan(&pool, &Options::default()).unwrap().plan, first.plan, "much slower");
    let gone = first.plan.pipelines[0].stages[0].members[0].node;
    pool.machines.retain(|m| m.node != gone);
    if let Ok(next) = plan(&pool, &Options::default()) {
        assert!(next.plan.members().all(|m| m.node != gone));
    }
}

#[test]
fn many_devices_are_planned_too() {
    let mut pool = pools::pool(3, 1);
    pool.model = ModelSpec { layers: 80, kv_heads: 8, heads: 64, ffn: 28672, ..pool.model };
    let whole = pool.model.total_bytes();
    for devices in [64u8, 8, 6] {
        let room = whole / u64::from(devices) * 13 / 10 + pool.model.scratch_bytes();
        let device = |n: u8| pools::device(n % 2, room + u64::from(n) * 4096, 1e10, 1e12);
        pool.machines = (0..devices / 2)
            .map(|n| Machine {
                node: NodeId([n + 1; 32]),
                devices: vec![device(2 * n), device(2 * n + 1)],
                links: Vec::new(),
            })
            .collect();
        let found = plan(&pool, &Options::default()).unwrap();
        assert!(pools::fits(&pool, &found.plan));
    }
}

/// Says why `pool` has no plan, and holds that it names each of `words`.
fn refusal(pool: &Pool, words: &[&str]) {
    let why = plan(pool, &Options::default()).unwrap_err().to_string();
    println!("{why}");
    for word in words {
        assert!(why.contains(word), "{word:?} is not in: {why}");
    }
}

#[test]
fn a_refusal_names_what_is_missing_and_where() {
    const MIB: u64 = 1 << 20;
    let mut pool = pools::pool(3, 2);
    pool.context_tokens = 64;
    pool.model = ModelSpec {
        layers: 4,
        kv_heads: 1,
        ffn: 64,
        ffn_grain: 64,
        head_bytes: 4 * MIB,
        column_bytes: 1024.0,
        embedding_bytes: 8 * MIB,
        output_bytes: 6 * MIB,
        tied: false,
        ..pool.model
    };
    let scratch = pool.model.scratch_bytes();
    let rooms = |rooms: &[u64]| {
        let device =
            |(n, room): (usize, &u64)| pools::device(n as u8, scratch + room * MIB, 1e10, 1e12);
        let devices = rooms.iter().enumerate().map(device).collect();
        vec![Machine { node: NodeId([5; 32]), devices, links: Vec::new() }]
    };

    // 31 MiB and the KV cache are needed; 4 MiB and 64 KiB a layer.
    pool.machines = rooms(&[14, 5]);
    let here = "device 1 of 05050505 has 5 MiB, room for 1 layer";
    refusal(&pool, &["12 MiB of memory", "tiny needs 31 MiB with KV cache for 64 tokens", here]);
    pool.machines = rooms(&[10, 10, 10, 10]);
    refusal(&pool, &["the embedding, needs a device of at least 13 MiB", "3 MiB short"]);
    pool.machines = rooms(&[13, 6, 6, 6, 6]);
    assert!(plan(&pool, &Options::default()).is_err());
    pool.machines = rooms(&[13, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
    refusal(&pool, &["the devices hold 3 of 4 layers", "and 2 more"]);
    pool.machines = rooms(&[13, 5, 5, 5, 5]);
    refusal(&pool, &["no order of stages", "output head"]);

    let mut silent = rooms(&[100]);
    silent[0].devices[0].flops_per_s = f64::NAN;
    pool.machines = silent;
    refusal(&pool, &["no device to plan with", "1 device without a measured speed left out"]);
    pool.machines.clear();
    refusal(&pool, &["no device to plan with", "no peer offers a device"]);
}

/// Machines with room for all of the model each, and one more.
fn roomy(machines: u8) -> Pool {
    let mut pool = pools::pool(3, 1);
    let room = pool.model.total_bytes() * 2 + pool.model.scratch_bytes();
    pool.machines = (0..machines)
        .map(|n| Machine {
            node: NodeId([n + 1; 32]),
            devices: vec![pools::device(0, room, 1e10 * (1.0 + f64::from(n) / 10.0), 1e12)],
            links: Vec::new(),
        })
        .collect();
    pool
}

#[test]
fn spare_devices_become_replicas_and_what_runs_stays() {
    let small = plan(&roomy(3), &Options::default()).unwrap();
    assert_eq!(small.plan.pipelines.len(), 3);
    let rates = small.plan.pipelines.iter().map(|p| p.predicted.requests_per_ks);
    assert!(rates.min().unwrap() > 1);

    let grown = Pool { running: Some(small.plan.clone()), ..roomy(5) };
    let grown = plan(&grown, &Options::default()).unwrap();
    assert_eq!(grown.plan.pipelines.len(), 5);
    let same = |a: &Plan, b: &Plan, count| {
        let stages = |plan: &Plan, n: usize| plan.pipelines[n].stages.clone();
        (0..count).all(|n| stages(a, n) == stages(b, n))
    };
    assert!(same(&small.plan, &grown.plan, 3));

    let mut less = Pool { running: Some(grown.plan.clone()), ..roomy(5) };
    let gone = grown.plan.pipelines[4].stages[0].members[0].node;
    less.machines.retain(|machine| machine.node != gone);
    let less = plan(&less, &Options::default()).unwrap();
    assert_eq!(less.plan.pipelines.len(), 4);
    assert!(same(&grown.plan, &less.plan, 4));
}

/// Two benchmarks of one machine are never the same.
#[test]
fn noise_moves_nothing() {
    let mut pool = roomy(6);
    // More layers than a machine has room for.
    let room = pool.model.total_bytes() * 4 / 3 + 2 * pool.model.scratch_bytes();
    pool.model.layers = 12;
    for (number, machine) in pool.machines.iter_mut().enumerate() {
        machine.devices[0].memory_bytes = room + number as u64 * 4096;
    }
    let first = plan(&pool, &Options::default()).unwrap().plan;
    assert!(first.pipelines.len() > 1 && first.pipelines[0].stages.len() > 1);
    for turn in 0..30u32 {
        let mut noisy = Pool { running: Some(first.clone()), ..pool.clone() };
        for (number, machine) in noisy.machines.iter_mut().enumerate() {
            // 0.93 to 1.07.
            let noise = 0.93 + 0.01 * f64::from((turn * 7 + number as u32 * 5) % 15);
            machine.devices[0].bandwidth_bytes_per_s *= noise;
            machine.devices[0].flops_per_s *= 2.0 - noise;
        }
        let next = plan(&noisy, &Options::default()).unwrap().plan;
        assert!(next.same_work(&first), "turn {turn}");
    }
}

/// A swarm of a thousand devices each of which holds the model: more replicas than a message tells.
#[test]
fn a_plan_is_no_longer_than_a_message() {
    let device = pools::device(0, 1 << 40, 1e11, 1e13);
    let machine = |n: u16| {
        let mut node = NodeId([0; 32]);
        node.0[..2].copy_from_slice(&n.to_le_bytes());
        Machine { node, devices: vec![device.clone()], links: Vec::new() }
    };
    let pool = Pool { machines: (0..1000).map(machine).collect(), ..pools::pool(3, 1) };
    let found = plan(&pool, &Options::default()).unwrap();
    assert_eq!(found.plan.members().count(), PLAN_MEMBERS_MAX);
    assert_eq!(found.idle.len(), 1000 - PLAN_MEMBERS_MAX);
    found.plan.check(&pool.model).unwrap();
    let running = Pool { running: Some(found.plan.clone()), ..pool };
    assert_eq!(plan(&running, &Options::default()).unwrap().plan, found.plan);
}
