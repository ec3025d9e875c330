//! What holds for every plan, and for pools that no honest peer would report.

mod pools;

use swarm_proto::{Machine, ModelSpec, NodeId, Pool};
use swarm_scheduler::{Options, caps, plan, predict};

#[test]
fn plans_fit_and_repeat() {
    let mut many = 0;
    for seed in 0..200 {
        let pool = pools::pool(seed, 1 + (seed % 12) as u8);
        let Ok(found) = plan(&pool, &Options::default()) else { continue };
        many += usize::from(seed % 12 > 5);
        found.plan.check(&pool.model).unwrap();
        assert!(pools::fits(&pool, &found.plan), "seed {seed}");
        assert_eq!(predict(&pool, &found.plan), found.predicted);
        let mut turned = pool.clone();
        turned.machines.reverse();
        assert_eq!(plan(&turned, &Options { seed: 9 }).unwrap(), found);
    }
    assert!(many > 50);
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
fn sixty_four_devices_are_planned_in_about_a_second() {
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
        let start = std::time::Instant::now();
        let found = plan(&pool, &Options::default()).unwrap();
        println!("{devices}: {:?} {} ms", start.elapsed(), found.predicted.tpot_ms);
        assert!(pools::fits(&pool, &found.plan));
        assert!(start.elapsed().as_secs() < 20);
    }
}

#[test]
fn a_refusal_names_what_is_missing() {
    let mut pool = pools::pool(3, 2);
    for device in pool.machines.iter_mut().flat_map(|m| &mut m.devices) {
        device.memory_bytes = 1 << 20;
    }
    let why = plan(&pool, &Options::default()).unwrap_err().to_string();
    assert!(why.contains("MiB are missing") && why.contains("roomiest"), "{why}");
    pool.machines.clear();
    let why = plan(&pool, &Options::default()).unwrap_err().to_string();
    assert!(why.contains("no device"), "{why}");
}

#[test]
fn absurd_pools_do_no_harm() {
    let figures =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 5e-324, 1e-9, 1.0, 1e9, 1e300];
    let numbers = [0, 1, 3, 1000, 1 << 20, u32::MAX];
    let bytes = [0, 1, 1 << 20, 1 << 40, u64::MAX / 2, u64::MAX];
    let of = |seed: u64, salt: u64, len: usize| {
        let mixed =
            (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(salt as u32 * 5 % 64);
        (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as usize % len
    };
    for seed in 0..1500 {
        let honest = pools::pool(seed, 1 + (seed % 9) as u8);
        let running = plan(&honest, &Options::default()).ok().map(|p| p.plan);
        let mut pool = Pool { running, ..honest };
        for (n, machine) in pool.machines.iter_mut().enumerate() {
            for device in &mut machine.devices {
                match of(seed, 1 + n as u64, 4) {
                    0 => device.bandwidth_bytes_per_s = figures[of(seed, 2, 10)],
                    1 => device.flops_per_s = figures[of(seed, 3, 10)],
                    2 => device.memory_bytes = bytes[of(seed, 4, 6)],
                    _ => device.index = 0,
                }
            }
            for link in &mut machine.links {
                link.rtt_ms = figures[of(seed, 5, 10)];
                link.bytes_per_s = figures[of(seed, 6, 10)];
            }
        }
        let model = &mut pool.model;
        match of(seed, 7, 14) {
            0 => model.layers = numbers[of(seed, 8, 6)],
            1 => model.kv_heads = numbers[of(seed, 8, 6)],
            2 => model.ffn = numbers[of(seed, 8, 6)],
            3 => model.ffn_grain = numbers[of(seed, 8, 6)],
            4 => model.hidden = numbers[of(seed, 8, 6)],
            5 => model.vocab = numbers[of(seed, 8, 6)],
            6 => model.head_bytes = bytes[of(seed, 8, 6)],
            7 => model.column_bytes = figures[of(seed, 8, 10)],
            8 => model.kv_bytes = bytes[of(seed, 8, 6)],
            9 => model.output_bytes = bytes[of(seed, 8, 6)],
            10 => pool.context_tokens = numbers[of(seed, 8, 6)],
            11 => model.head_dim = numbers[of(seed, 8, 6)],
            _ => {}
        }
        if let Some(running) = &pool.running {
            let _ = predict(&pool, running);
        }
        if let Ok(found) = plan(&pool, &Options::default()) {
            found.plan.check(&pool.model).unwrap();
        }
        if seed % 5 == 0 {
            let _ = caps(&pool.model, (seed % 11) as usize, pool.context_tokens);
        }
    }
}
