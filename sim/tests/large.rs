//! Swarms in which not everyone can be connected with everyone.

use std::time::Duration;

use hexswarm_sim::{Among, Scale, Setup, World, ask};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MIB: u64 = 1 << 20;
const PEERS: usize = 300;
/// Nodes 1 to this hold layers.
const HOLDERS: usize = 6;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A swarm that has grown, in which a plan serves.
fn grown(seed: u64) -> World {
    let memory = |number: usize| if (1..=HOLDERS).contains(&number) { 100 * MIB } else { 4 * MIB };
    let memory_bytes: Vec<_> = (0..PEERS).map(|number| vec![memory(number)]).collect();
    let mut world =
        World::new(Setup { late: (1..PEERS).collect(), ..Setup::of(&memory_bytes) }, seed);
    for number in 1..PEERS {
        world.run(Duration::from_millis(20)).unwrap();
        world.restart(number);
    }
    world.run(seconds(20)).unwrap();
    assert!(world.all_know_a_plan(|_| true) && world.all_follow().is_some(), "seed {seed}");
    world
}

/// Runs until it is so, looking now and then; fails if it does not come true.
fn until(world: &mut World, seconds: u64, what: &str, done: impl Fn(&World) -> bool) {
    for _ in 0..seconds * 20 {
        if done(world) {
            return;
        }
        world.run(Duration::from_millis(50)).unwrap();
    }
    panic!("not within {seconds} s: {what}");
}

#[test]
fn a_large_swarm_elects_plans_and_serves_and_answers_outlive_a_stage() {
    for seed in [1] {
        let mut world = grown(seed);
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..6 {
            // Most of them know nobody who holds a layer.
            world.ask(dice.random_range(0..PEERS), ask(&mut dice, 60, 40));
        }
        until(&mut world, 20, "tokens", |world| world.tokens() > 30);
        let stage = world.leader_of_stage(0).unwrap();
        world.kill(stage);
        until(&mut world, 60, "answers", World::answered);
        world.check_answers().unwrap();
        until(&mut world, 30, "another plan", |world| {
            world.all_know_a_plan(|members| !members.contains(&stage))
        });
        let leader = world.led_by().unwrap();
        world.vanish(leader);
        until(&mut world, 30, "another leader", |world| {
            world.all_follow().is_some_and(|other| other != leader)
        });
        world.ask(PEERS - 1, ask(&mut dice, 60, 10));
        until(&mut world, 60, "an answer", World::answered);
        world.check_answers().unwrap();
    }
}

#[test]
fn views_are_bounded_and_the_graph_stays_one_when_a_fifth_dies_at_once() {
    let mut world = grown(7);
    let voters = world.voting();
    let has = |world: &World, number| (world.connections(number), world.entries(number));
    for number in (0..PEERS).filter(|number| !voters.contains(number)) {
        let (connections, entries) = has(&world, number);
        assert!((4..=48).contains(&connections), "node {number} has {connections} connections");
        assert!(entries <= 64, "node {number} has {entries} peers in view");
    }
    for voter in &voters {
        assert!(has(&world, *voter).1 == PEERS, "voter {voter} is to know the whole");
    }
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..PEERS / 5 {
        // The plan and the voters have their own tests.
        let victim = dice.random_range(HOLDERS + 1..PEERS);
        if !voters.contains(&victim) {
            world.vanish(victim);
        }
    }
    let alive: Vec<_> = (0..PEERS).filter(|number| !world.is_dead(*number)).collect();
    assert_eq!(world.reaches(alive[0]), alive.len());
    // Whoever is left finds others, and voters learn who has gone.
    world.run(seconds(20)).unwrap();
    assert_eq!(world.reaches(alive[0]), alive.len());
    let dead = (0..PEERS).filter(|number| world.is_dead(*number));
    let known = dead.clone().filter(|number| world.leader_misses(*number)).count();
    assert!(known * 100 >= dead.count() * 75, "{known} are known to have gone");
    assert!(alive.iter().all(|number| !world.leader_misses(*number)), "and none that is here");
}

#[test]
fn a_peers_control_traffic_is_bounded_whatever_the_size() {
    let run = |peers| Scale { peers, span: seconds(40), seed: 4 }.run().unwrap();
    let (some, many) = (run(120), run(400));
    for seen in [&some, &many] {
        for Among { mean, max, .. } in [seen.sent_bytes_per_s, seen.received_bytes_per_s] {
            assert!(mean < 2.5 * 1024.0 && max < 8.0 * 1024.0, "{seen:?}");
        }
        assert!(seen.noticed_ms.max < 1_000.0 && seen.known_ms.max < 1_500.0, "{seen:?}");
        // One may have died just before it was counted.
        assert!(seen.deaths > 3 && seen.noticed + 1 >= seen.deaths, "{seen:?}");
        assert!(seen.noticed_ms.max > 0.0 && seen.known_ms.max > 0.0, "{seen:?}");
        assert!(seen.agreed_ms.is_some(), "{seen:?}");
    }
    assert!(many.sent_bytes_per_s.mean < 1.3 * some.sent_bytes_per_s.mean);
}

#[test]
fn the_same_seed_gives_the_same_swarm() {
    let run = || {
        let mut world = grown(11);
        world.run(seconds(5)).unwrap();
        let degrees: Vec<_> = (0..PEERS).map(|number| world.connections(number)).collect();
        (world.events(), degrees, world.voting())
    };
    assert_eq!(run(), run());
}
