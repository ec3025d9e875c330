//! Pools and questions that nobody has: no panic, an end, and figures all the same.

use std::time::Instant;

use swarm_scheduler::{Mixture, Model, Objective, Planner, Rules, Spot, Way, Ways, Workload};

use super::{HEXGEN, OTHERS, world::World};

fn all_planners() -> impl Iterator<Item = Planner> {
    OTHERS.into_iter().chain(HEXGEN).chain([Planner::Default])
}

/// What is found holds; how many were found.
fn hold(world: &World, planners: impl Iterator<Item = Planner>, objectives: &[Objective]) -> usize {
    let mut plans = 0;
    for planner in planners {
        for objective in objectives {
            let begun = Instant::now();
            let found = world.planned(planner, *objective);
            let served = found.as_ref().map(|found| found.requests_per_s);
            let s = begun.elapsed().as_secs_f64();
            println!("{planner:?}, {objective:?}: {s:.2} s, {served:?}/s");
            let Some(found) = found else { continue };
            world.check(&found).unwrap_or_else(|why| panic!("{planner:?}, {objective:?}: {why}"));
            plans += 1;
        }
    }
    plans
}

fn with_model(world: &World, change: impl Fn(&mut swarm_proto::ModelSpec)) -> World {
    let mut spec = world.model.spec.clone();
    change(&mut spec);
    World { model: Model::llama(spec), ..world.clone() }
}

fn with_workload(world: &World, input_tokens: u32, output_tokens: u32) -> World {
    let workload = Workload { input_tokens, output_tokens, ..world.workload };
    World { workload, ..world.clone() }
}

fn with_rate(world: &World, rate: f64) -> World {
    let workload = Workload { requests_per_s: Some(rate), ..world.workload };
    World { workload, ..world.clone() }
}

/// So many devices with room for a model of few layers each.
fn roomy(seed: u64, devices: usize, rules: Rules) -> World {
    let mut world = World::drawn(seed, devices);
    world.rules = rules;
    let whole = world.model.spec.total_bytes();
    for spot in &mut world.spots {
        spot.memory_bytes = whole * 4 + rules.reserve_bytes + (1 << 28);
    }
    world
}

#[test]
fn no_question_is_too_odd() {
    let slo = |deadline_ms| Objective::Slo { deadline_ms };
    let objectives = [Objective::Throughput, Objective::Latency, slo(1e-3), slo(1e9)];
    // What may take long is looked for where it is asked for at a rate.
    let last = |number: usize| if number < 9 { 3 } else { 4 };
    let mut plans = 0;
    for (seed, rules) in [(1, Rules::exact()), (2, Rules::fitted())] {
        let world = roomy(seed, 9, rules);
        let worlds = [
            World { ways: Ways::Measured(Default::default()), ..world.clone() },
            with_workload(&world, 1, 0),
            with_workload(&world, 0, 4),
            with_workload(&world, u32::MAX, 1),
            with_workload(&world, 1 << 20, 1 << 20),
            with_model(&world, |m| m.layers = 1),
            with_model(&world, |m| (m.kv_heads, m.heads) = (1, 1)),
            with_model(&world, |m| m.kv_bytes = 0),
            with_model(&world, |m| m.ffn_grain = 0),
            with_rate(&world, 1e-9),
            with_rate(&world, 1e9),
        ];
        for (number, world) in worlds.iter().enumerate() {
            println!("odd world {number}");
            // Helix's own search takes as long as it is told to, and ours has a shorter one.
            let planners = all_planners().filter(|planner| *planner != Planner::Helix);
            plans += hold(world, planners, &objectives[..last(number)]);
        }
    }
    assert!(plans > 200, "{plans}");
}

#[test]
fn one_device_and_many_layers_are_planned() {
    let alone = roomy(5, 1, Rules::fitted());
    assert!(hold(&alone, all_planners(), &[Objective::Throughput]) > 5);
    // A request of nothing takes no time, and is nothing to plan for; there is an end to it.
    for rules in [Rules::exact(), Rules::fitted()] {
        let empty = with_workload(&roomy(5, 3, rules), 0, 0);
        all_planners().for_each(|p| drop(empty.planned(p, Objective::Throughput)));
    }
    let mut deep = with_model(&roomy(7, 12, Rules::fitted()), |m| m.layers = 512);
    let whole = deep.model.spec.total_bytes();
    let room = whole / 3 + deep.rules.reserve_bytes + (1 << 28);
    deep.spots.iter_mut().for_each(|spot| spot.memory_bytes = room);
    let spot = |machine| Spot { machine, ..deep.spots[0].clone() };
    deep.spots = (0..12).map(spot).collect();
    let (of, way) = (vec![0; 12], Way { ms: 0.1, bytes_per_ms: 1e6 });
    deep.inside = vec![way; 12];
    deep.ways = Ways::Regions { of, regions: 1, ways: vec![Some(way)] };
    let planners = all_planners().filter(|planner| *planner != Planner::Helix);
    assert!(hold(&deep, planners, &[Objective::Throughput]) > 4);
}

/// A model of a common size.
fn large(layers: u32) -> Model {
    let spec = World::drawn(1, 1).model.spec;
    Model::llama(swarm_proto::ModelSpec {
        layers,
        hidden: 8192,
        heads: 64,
        kv_heads: 8,
        head_dim: 128,
        ffn: 28_672,
        ffn_grain: 32,
        vocab: 32_000,
        head_bytes: 37_748_736,
        column_bytes: 49_152.0,
        layer_shared_bytes: 32_768,
        embedding_bytes: 524_288_000,
        output_bytes: 524_288_000,
        tied: false,
        kv_bytes: 512,
        context_max: 4096,
        ..spec
    })
}

fn fleet(machines: usize, size: usize, ways: Ways) -> World {
    let card = |machine: usize| machine * 7 % 5;
    let spot = |place: usize| Spot {
        machine: place / size,
        name: format!("card {}", card(place / size)),
        memory_bytes: [24, 40, 80, 16, 48][card(place / size)] << 30,
        pace: swarm_scheduler::Pace::peak(
            1e9 * (1.0 + card(place / size) as f64 / 2.0),
            1e11 * (1.0 + card(place / size) as f64),
        ),
    };
    World {
        model: large(80),
        rules: Rules::fitted(),
        workload: Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None },
        spots: (0..machines * size).map(spot).collect(),
        inside: vec![Way { ms: 0.01, bytes_per_ms: 1e8 }; machines],
        ways,
    }
}

fn named() -> Vec<Planner> {
    let asked = std::env::var("DRAFTS_PLANNER").unwrap_or_default();
    all_planners().filter(|planner| format!("{planner:?}").contains(&asked)).collect()
}

/// For a person to time, in release; `DRAFTS_PLANNER=Petals` for one planner.
#[test]
#[ignore = "takes minutes"]
fn ten_thousand_devices_in_300_regions() {
    let ways = (0..300 * 300).map(|pair: usize| {
        let within = pair / 300 == pair % 300;
        Some(Way { ms: if within { 0.1 } else { 20.0 + (pair % 97) as f64 }, bytes_per_ms: 1e5 })
    });
    let of = (0..1250).map(|machine| machine % 300).collect();
    let ways = Ways::Regions { of, regions: 300, ways: ways.collect() };
    let world = fleet(1250, 8, ways);
    hold(
        &world,
        named().into_iter(),
        &[Objective::Throughput, Objective::Slo { deadline_ms: 6e4 }],
    );
}

/// The same, of machines that are all unlike in their ways.
#[test]
#[ignore = "takes minutes"]
fn two_thousand_machines_as_measured() {
    let pairs = (0..2000usize).flat_map(|a| (0..2000).map(move |b| (a, b)));
    let ways = pairs.filter(|(a, b)| a != b).map(|(a, b)| {
        let ms = 1.0 + ((a * 31 + b * 17) % 101) as f64;
        ((a, b), Way { ms, bytes_per_ms: 1e4 * ms })
    });
    let mut world = fleet(2000, 1, Ways::Measured(ways.collect()));
    world.model.mixture = Some(Mixture { experts: 8, per_token: 2, shared: 0.0 });
    hold(
        &world,
        named().into_iter(),
        &[Objective::Throughput, Objective::Slo { deadline_ms: 6e4 }],
    );
}
