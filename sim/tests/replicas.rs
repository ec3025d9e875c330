//! Swarms of several replicas: who is lost takes no other replica's shares along.

use std::time::Duration;

use hexswarm_sim::{Setup, World, ask};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn a_lost_replica_leaves_the_others_their_shares() {
    for seed in 0..10 {
        let mut world = World::new(Setup::ample(9), seed);
        let ready = |world: &World| {
            let replicas = world.live_plan(0).map_or(0, |plan| plan.pipelines.len());
            world.serves() && world.voters() >= 3 && replicas >= 2
        };
        assert!(world.run_until(Duration::from_secs(30), ready).unwrap(), "seed {seed}");
        let before = world.live_plan(0).unwrap().clone();
        let mut of: Vec<Vec<usize>> = Vec::new();
        for pipeline in &before.pipelines {
            let only = swarm_proto::Plan { pipelines: vec![pipeline.clone()], ..before.clone() };
            of.push(world.members(&only));
        }
        let leader = world.leader(0);
        let lost = (0..of.len()).find(|n| of[*n].iter().all(|m| Some(*m) != leader)).unwrap();
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..6 {
            world.ask(0, ask(&mut dice, 40, 20));
        }
        let id = before.id;
        world.kill(of[lost][0]);
        let planned = |world: &World| {
            world.serves() && world.answered() && world.live_plan(0).is_some_and(|p| p.id != id)
        };
        assert!(world.run_until(Duration::from_secs(60), planned).unwrap(), "seed {seed}");
        let after = world.live_plan(0).unwrap();
        for (number, pipeline) in before.pipelines.iter().enumerate() {
            let shares = |p: &swarm_proto::Pipeline| {
                p.stages.iter().map(|s| (s.layers, s.members.clone())).collect::<Vec<_>>()
            };
            let kept = after.pipelines.iter().any(|p| shares(p) == shares(pipeline));
            assert_eq!(kept, number != lost, "seed {seed}, pipeline {number}");
        }
    }
}

/// A node that loads its share and then fails every batch is found out by the canary, also if it
/// leads, and the rest serve without its pipeline.
#[test]
fn a_pipeline_that_no_token_comes_through_is_left_out() {
    let mut setup = Setup { record: true, ..Setup::ample(9) };
    setup.machines[0] = setup.machines[1].clone();
    for bad in [0, 4] {
        let mut found_out = 0;
        for seed in 0..8 {
            let mut world = World::new(setup.clone(), seed);
            world.fail_batches(bad, 0, u32::MAX);
            let without = |world: &World| {
                let plan = world.live_plan(1).filter(|_| world.serves());
                plan.is_some_and(|plan| !world.members(plan).contains(&bad))
            };
            let served = world.run_until(Duration::from_secs(120), without).unwrap();
            assert!(served, "seed {seed}: nothing serves without {bad}");
            found_out +=
                usize::from(world.log().contains("a canary token that did not come through"));
        }
        assert!(found_out >= 4, "{bad} had no part in most plans");
    }
}
