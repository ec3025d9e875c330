//! Faults that were found in the core and mended, each as the shortest story that showed it.

use std::time::Duration;

use hexswarm_sim::{Planner, Quality, Rig, Setup, World, ask};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const MIB: u64 = 1 << 20;
const SEEDS: std::ops::Range<u64> = 0..20;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The founder holds no layer; the rest can just hold the model together, so all are needed.
fn scarce() -> Setup {
    Setup::of(&[vec![4 * MIB], vec![84 * MIB], vec![84 * MIB]])
}

/// Runs a story until its nodes serve and `voters` vote.
fn served(setup: Setup, seed: u64, voters: usize) -> World {
    let mut world = World::new(setup, seed);
    let ready = |world: &World| world.serves() && world.voters() >= voters;
    let served = world.run_until(s(30), ready).unwrap_or_else(|b| panic!("seed {seed}: {b}"));
    assert!(served, "seed {seed}: nothing serves to begin with");
    world.run(s(2)).unwrap_or_else(|b| panic!("seed {seed}: {b}"));
    world
}

/// A node that no plan needs is cut off while two others join: who holds the model, and who is away.
fn one_away(seed: u64) -> (World, Vec<usize>, usize) {
    let away = 3;
    let mut setup = Setup { late: vec![4, 5], ..Setup::ample(6) };
    setup.machines[away] = Rig::machine(&[4 * MIB]);
    let mut world = served(setup, seed, 3);
    let plan = world.live_plan(0).unwrap().clone();
    let members = world.members(&plan);
    assert!(!members.contains(&away), "seed {seed}");
    world.isolate(away, true);
    world.restart(4);
    world.restart(5);
    (world, members, away)
}

/// The swarm is one again within a minute, and answers at every node that runs.
fn recovers(world: &mut World, seed: u64, nodes: usize) {
    let whole = |world: &World| world.apart().is_none();
    let broken = world.run_until(s(60), whole).err();
    assert_eq!(broken, None, "seed {seed}");
    assert_eq!(world.apart(), None, "seed {seed}");
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    for number in 0..nodes {
        world.ask(number, ask(&mut dice, 30, 8));
    }
    let broken = world.run_until(s(60), World::answered).err();
    assert_eq!(broken, None, "seed {seed}");
    assert_eq!(world.check_answers(), Ok(()), "seed {seed}");
}

/// (9) Five nodes come to five voters.
#[test]
fn voters_are_taken_in_one_after_the_other() {
    for seed in SEEDS {
        let mut world = served(Setup::ample(5), seed, 1);
        world.run(s(10)).unwrap();
        assert_eq!(world.voters(), 5, "seed {seed}");
    }
}

/// (1) A member that was restarted, and that no other can stand in for, holds its share again.
#[test]
fn a_member_that_nobody_can_replace_comes_back() {
    for seed in SEEDS {
        let mut world = served(scarce(), seed, 3);
        let victim = world.leader_of_stage(1).unwrap();
        world.kill(victim);
        world.run(ms(300)).unwrap();
        world.restart(victim);
        recovers(&mut world, seed, 3);
    }
}

/// (1) The same, when it hears of the live plan from a follower before the leader hears of it.
#[test]
fn a_member_that_meets_a_follower_first_comes_back() {
    for seed in SEEDS {
        let mut world = served(Setup::ample(4), seed, 3);
        let leader = world.leader(0).unwrap();
        let plan = world.live_plan(0).unwrap().clone();
        let victim = world.members(&plan).into_iter().find(|m| *m != leader).unwrap();
        // The leader does not notice: it was away itself.
        world.cut(leader, victim, false);
        world.kill(victim);
        world.restart(victim);
        world.run(ms(500)).unwrap();
        world.heal();
        recovers(&mut world, seed, 4);
    }
}

/// (1) The same, when its death was so short that no connection was seen to close.
#[test]
fn a_member_that_was_gone_for_an_instant_comes_back() {
    for seed in SEEDS {
        let mut world = served(Setup::ample(4), seed, 3);
        let victim = world.leader_of_stage(1).unwrap();
        world.vanish(victim);
        world.run(ms(100)).unwrap();
        world.restart(victim);
        recovers(&mut world, seed, 4);
    }
}

/// (2) A node that was away while two sets of voters and a plan passed learns of the plan.
#[test]
fn a_plan_across_a_gap_of_voter_sets_is_learnt() {
    for seed in SEEDS {
        let (mut world, members, _) = one_away(seed);
        world.run(s(6)).unwrap();
        // A member goes, so that there is another plan.
        let gone = members.into_iter().find(|m| Some(*m) != world.leader(0)).unwrap();
        world.kill(gone);
        world.run(s(10)).unwrap();
        world.restart(gone);
        world.heal();
        recovers(&mut world, seed, 6);
    }
}

/// (5) Two peers whose sets of voters are not bridged by anyone's history do not talk for ever.
#[test]
fn history_that_nobody_has_is_not_asked_for_without_end() {
    for seed in SEEDS {
        let (mut world, _, away) = one_away(seed);
        world.run(s(10)).unwrap();
        // Everyone starts anew, one after the other: what they remembered of the changes is gone.
        for number in (0..6).filter(|number| *number != away) {
            world.kill(number);
            world.run(ms(500)).unwrap();
            world.restart(number);
            world.run(s(4)).unwrap();
        }
        world.heal();
        recovers(&mut world, seed, 6);
    }
}

/// (6) A plan that came to nothing leaves its members with what the live plan wants of them.
#[test]
fn a_proposal_that_came_to_nothing_is_undone() {
    for seed in SEEDS {
        let mut setup = Setup::ample(5);
        // The newcomer could hold the model alone, so there is a better plan with it.
        setup.machines[4] = Rig::machine(&[400 * MIB]);
        setup.late = vec![4];
        let mut world = served(setup, seed, 3);
        world.restart(4);
        let loads = |world: &World| world.is_loading(4);
        assert!(world.run_until(s(20), loads).unwrap(), "seed {seed}: no plan with the newcomer");
        world.kill(4);
        recovers(&mut world, seed, 4);
    }
}

/// (6) The same, when it is the leader that dies before the plan is live.
#[test]
fn a_proposal_whose_leader_died_is_undone() {
    for seed in SEEDS {
        let mut setup = Setup::ample(5);
        setup.machines[4] = Rig::machine(&[400 * MIB]);
        setup.late = vec![4];
        let mut world = served(setup, seed, 3);
        world.restart(4);
        let loads = |world: &World| world.is_loading(4);
        assert!(world.run_until(s(20), loads).unwrap(), "seed {seed}: no plan with the newcomer");
        let leader = world.leader(0).unwrap();
        world.kill(leader);
        world.kill(4);
        world.run(s(1)).unwrap();
        world.restart(leader);
        recovers(&mut world, seed, 4);
    }
}

/// (7) A peer that dies before its first beat is noticed within a second.
#[test]
fn a_peer_that_dies_at_once_is_noticed() {
    for seed in SEEDS {
        let setup = Setup { late: vec![3], ..Setup::ample(4) };
        let mut world = served(setup, seed, 3);
        world.restart(3);
        let met = |world: &World| world.counts_on(3) > 0;
        assert!(world.run_until(s(2), met).unwrap(), "seed {seed}: nobody met it");
        let died = world.now();
        world.vanish(3);
        world.run(ms(1_000)).unwrap();
        assert_eq!(world.check_noticed(3, died), Ok(()), "seed {seed}");
    }
}

/// (7) Its death is noticed as fast when it has been there for long.
#[test]
fn a_peer_that_dies_without_a_word_is_noticed() {
    for seed in SEEDS {
        let mut world = served(Setup::ample(4), seed, 3);
        let died = world.now();
        world.vanish(3);
        world.run(ms(1_000)).unwrap();
        assert_eq!(world.check_noticed(3, died), Ok(()), "seed {seed}");
    }
}

/// A stage that is stopped for a while costs sessions a pause of seconds, not of a time-out.
#[test]
fn a_paused_stage_costs_a_pause() {
    for (seed, pause) in SEEDS.zip([300, 700, 900, 1_200, 3_000].into_iter().cycle()) {
        for (who, planner) in
            [(0, Planner::Scheduler), (1, Planner::Scheduler), (0, Planner::Pairs)]
        {
            let mut world = served(Setup { planner: planner.clone(), ..Setup::ample(5) }, seed, 3);
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            for number in 0..5 {
                world.ask(
                    number,
                    swarm_core::Ask { answer_tokens_max: 40, ..ask(&mut dice, 30, 40) },
                );
            }
            world.run(ms(100)).unwrap();
            let victim = world.leader_of_stage(who).unwrap();
            world.pause(victim, ms(pause), false);
            let answered = world.run_until(ms(pause) + s(8), World::answered).unwrap();
            assert!(
                answered,
                "seed {seed}: stage {who} paused for {pause} ms under {planner:?}: {:?}",
                world.check_answers()
            );
            assert_eq!(world.check_answers(), Ok(()), "seed {seed}");
            recovers(&mut world, seed, 5);
        }
    }
}

/// (8) An entry that is stopped while its own sessions run costs them a pause of seconds.
#[test]
fn a_paused_entry_costs_a_pause() {
    for (seed, pause) in SEEDS.zip([300, 700, 900, 1_200, 3_000].into_iter().cycle()) {
        let mut world = served(Setup::ample(5), seed, 3);
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        world.ask(0, swarm_core::Ask { answer_tokens_max: 40, ..ask(&mut dice, 30, 40) });
        world.run(ms(100)).unwrap();
        world.pause(0, ms(pause), false);
        let answered = world.run_until(ms(pause) + s(8), World::answered).unwrap();
        assert!(
            answered,
            "seed {seed}: the entry paused for {pause} ms: {:?}",
            world.check_answers()
        );
        recovers(&mut world, seed, 5);
    }
}

/// A member of a stage has room for less than the stage's leader, and long answers run out of it
/// there alone: nothing that was computed without a place for its rows may reach a client.
#[test]
fn answers_longer_than_one_member_has_room_for_are_right() {
    for seed in 0..5 {
        let memory_bytes = [4, 100, 100, 53, 52].map(|mib| vec![mib * MIB]).to_vec();
        let setup = Setup { planner: Planner::Pairs, ..Setup::of(&memory_bytes) };
        let mut world = served(setup, seed, 3);
        // Two sums a layer over a slower LAN, and whoever waits for room is told that all are busy.
        let quality = Quality { latency: Duration::from_micros(100), ..Quality::default() };
        world.set_links(quality);
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        for number in 0..4 {
            world
                .ask(number, swarm_core::Ask { answer_tokens_max: 420, ..ask(&mut dice, 30, 420) });
        }
        let broken = world.run_until(s(120), World::answered).err();
        assert_eq!(broken, None, "seed {seed}");
        assert_eq!(world.check_answers(), Ok(()), "seed {seed}");
    }
}
