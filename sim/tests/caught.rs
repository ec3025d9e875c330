//! Each check, with a bug planted in the world around the nodes for it to catch.

use hexswarm_sim::{Broken, Draft, Sabotage, Scenario, Setup, Wishes, World, ask, swarm};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The bug that is planted for each check; a test below sees it caught. There is no other arm:
/// whoever adds a check is made to name its bug here.
fn planted(broken: &Broken) -> Sabotage {
    match broken {
        Broken::TwoLeaders { .. } => Sabotage::ForgeCertificate,
        Broken::VotedTwice { .. } => Sabotage::LyingDisk,
        Broken::VotedUnwritten { .. } => Sabotage::HastyDisk,
        Broken::OldPlan { .. } => Sabotage::ReplayLive,
        Broken::WrongToken { .. } => Sabotage::ForgetBlocks,
        Broken::OutOfOrder { .. } => Sabotage::TwoStarts,
        Broken::Unanswered { .. } => Sabotage::CutAnswer,
        Broken::Leftover { .. } => Sabotage::LoseClose,
        Broken::Memory { .. } => Sabotage::SmallDevices,
        Broken::NoSuchBlock { .. } => Sabotage::FewBlocks,
        Broken::TwoBatches { .. } => Sabotage::EarlyDone,
        Broken::TwoPieces { .. } => Sabotage::SplitPieces,
        Broken::WrongKv { .. } => Sabotage::SwapBlocks,
        Broken::Unheld { .. } => Sabotage::HalfLoads,
        Broken::LackUnknown { .. } => Sabotage::MutePlanner,
        Broken::Flood { .. } => Sabotage::Echo,
        Broken::Unnoticed { .. } => Sabotage::Ghost,
        Broken::NoPlan => Sabotage::DeadDevices,
        Broken::Apart { .. } => Sabotage::DeafToPlans,
    }
}

/// Whether a story or storm shows that a check's bug was planted, and does not without it.
fn caught_by_its_check(scenario: Scenario, sabotage: Sabotage) {
    let shows = |seed, with| {
        let wishes = Wishes { sabotage: with, lenient: true, ..Wishes::default() };
        scenario.run(seed, wishes).broken.iter().any(|broken| planted(broken) == sabotage)
    };
    let seen = (0..200).any(|seed| shows(seed, sabotage) && !shows(seed, Sabotage::None));
    assert!(seen, "{sabotage:?} is not caught");
}

/// Whether some seed of a story shows what a sabotage should bring about, and does not without it.
fn caught(scenario: Scenario, sabotage: Sabotage, expected: fn(&Broken) -> bool) {
    let shows = |seed, sabotage| {
        let wishes = Wishes { sabotage, lenient: true, ..Wishes::default() };
        scenario.run(seed, wishes).broken.iter().any(expected)
    };
    let seen = (0..200).any(|seed| shows(seed, sabotage) && !shows(seed, Sabotage::None));
    assert!(seen, "{sabotage:?} is not caught");
}

/// Whether a workload shows what a sabotage should bring about, and does not without it.
fn caught_in_a_workload(settings: &[&str], sabotage: Sabotage, expected: fn(&Broken) -> bool) {
    let mut draft = Draft::named("nevada-leaves").unwrap();
    let more = settings.iter().chain(&["run.seconds=40", "run.patience_s=60"]);
    more.for_each(|setting| draft.set(&setting.parse().unwrap()).unwrap());
    let scenario = draft.scenario().unwrap();
    let broken = |seed, sabotage| {
        scenario.run(seed, Wishes { sabotage, lenient: true, ..Wishes::default() }).broken
    };
    let seen = (0..5).any(|seed| broken(seed, sabotage).iter().any(expected));
    assert!(seen, "{sabotage:?} is not caught");
    assert_eq!((0..5).flat_map(|seed| broken(seed, Sabotage::None)).collect::<Vec<_>>(), []);
}

#[test]
fn forgotten_kv_blocks() {
    caught_by_its_check(Scenario::Story, Sabotage::ForgetBlocks);
}

#[test]
fn corrupt_activations() {
    caught(Scenario::Story, Sabotage::CorruptRows, |b| matches!(b, Broken::WrongToken { .. }));
}

/// A seed whose planner shares stages out between nodes.
#[test]
fn corrupt_parts_of_a_tensor_parallel_stage() {
    caught(Scenario::Storm, Sabotage::CorruptParts, |b| matches!(b, Broken::WrongToken { .. }));
}

#[test]
fn tokens_told_twice() {
    caught(Scenario::Story, Sabotage::DoubleToken, |b| matches!(b, Broken::WrongToken { .. }));
}

#[test]
fn two_pieces_of_a_session_in_one_batch() {
    caught_by_its_check(Scenario::Story, Sabotage::SplitPieces);
}

#[test]
fn tokens_of_a_workload_that_are_wrong() {
    let wrong = |broken: &Broken| matches!(broken, Broken::WrongToken { .. });
    caught_in_a_workload(&[], Sabotage::ForgetBlocks, wrong);
}

/// Patience runs out, but the node that was asked knows nothing of the request any more.
#[test]
fn answers_of_a_workload_without_an_end() {
    let lost = |b: &Broken| matches!(b, Broken::Unanswered { reason, .. } if reason == "nothing more came");
    caught_in_a_workload(&[], Sabotage::LoseEnd, lost);
}

#[test]
fn sessions_left_over_from_a_workload() {
    let left = |broken: &Broken| matches!(broken, Broken::Leftover { .. });
    caught_in_a_workload(&["fault=[]"], Sabotage::LoseClose, left);
}

#[test]
fn a_machine_of_a_workload_that_seems_to_live() {
    let unnoticed = |broken: &Broken| matches!(broken, Broken::Unnoticed { .. });
    caught_in_a_workload(&["fault.0.at_s=10"], Sabotage::Ghost, unnoticed);
}

#[test]
fn a_workload_whose_planner_never_answers() {
    let unknown = |broken: &Broken| matches!(broken, Broken::LackUnknown { .. });
    caught_in_a_workload(&[], Sabotage::MutePlanner, unknown);
}

/// Frames have a bound of their own, far above that of control messages.
#[test]
fn frames_without_bound() {
    caught(
        Scenario::Story,
        Sabotage::EchoOpens,
        |broken| matches!(broken, Broken::Flood { messages, .. } if *messages > 6_000),
    );
}

#[test]
fn answers_cut_short() {
    caught_by_its_check(Scenario::Story, Sabotage::CutAnswer);
}

#[test]
fn answers_without_an_end() {
    caught(
        Scenario::Story,
        Sabotage::LoseEnd,
        |broken| matches!(broken, Broken::Unanswered { reason, .. } if reason == "nothing more came"),
    );
}

#[test]
fn sessions_left_over() {
    caught_by_its_check(Scenario::Story, Sabotage::LoseClose);
}

#[test]
fn forged_certificates() {
    caught_by_its_check(Scenario::Story, Sabotage::ForgeCertificate);
}

#[test]
fn old_plans_said_again() {
    caught_by_its_check(Scenario::Storm, Sabotage::ReplayLive);
}

#[test]
fn votes_said_before_they_are_written() {
    caught_by_its_check(Scenario::Story, Sabotage::HastyDisk);
}

#[test]
fn shards_that_do_not_fit() {
    caught_by_its_check(Scenario::Story, Sabotage::SmallDevices);
}

#[test]
fn messages_without_end() {
    caught_by_its_check(Scenario::Story, Sabotage::Echo);
}

#[test]
fn a_node_that_hears_of_no_plan() {
    caught_by_its_check(Scenario::Storm, Sabotage::DeafToPlans);
}

#[test]
fn a_dead_node_that_seems_to_live() {
    caught_by_its_check(Scenario::Story, Sabotage::Ghost);
}

#[test]
fn answers_that_begin_twice() {
    caught_by_its_check(Scenario::Story, Sabotage::TwoStarts);
}

#[test]
fn devices_that_load_nothing() {
    caught_by_its_check(Scenario::Story, Sabotage::DeadDevices);
}

#[test]
fn blocks_that_a_device_has_not_got() {
    caught_by_its_check(Scenario::Story, Sabotage::FewBlocks);
}

#[test]
fn a_batch_for_a_device_that_has_one() {
    caught_by_its_check(Scenario::Story, Sabotage::EarlyDone);
}

#[test]
fn kv_blocks_that_change_places() {
    caught_by_its_check(Scenario::Story, Sabotage::SwapBlocks);
}

#[test]
fn layers_that_nobody_holds() {
    caught_by_its_check(Scenario::Story, Sabotage::HalfLoads);
}

/// Nodes that cannot hold the model have no plan, and know why, unless their planner never says.
#[test]
fn a_lack_that_nobody_knows() {
    let lacks = |sabotage| {
        let setup =
            Setup { sabotage, ..Setup::of(&[vec![4 << 20], vec![20 << 20], vec![20 << 20]]) };
        let mut world = World::new(setup, 1);
        world.run(Duration::from_secs(20)).unwrap();
        assert_eq!(world.live_plan(0), None);
        world.check_layers()
    };
    assert_eq!(lacks(Sabotage::None), Ok(()));
    let broken = lacks(Sabotage::MutePlanner).unwrap_err();
    assert_eq!(planted(&broken), Sabotage::MutePlanner);
}

/// A disk that lies lets a voter vote twice, and two leaders win one term.
#[test]
fn votes_forgotten_over_a_restart() {
    let (mut twice, mut leaders) = (false, false);
    for seed in 0..50 {
        let wishes = Wishes { sabotage: Sabotage::LyingDisk, lenient: true, ..Wishes::default() };
        let mut world = World::new(swarm(wishes), seed);
        let three = |world: &World| world.voters() >= 3 && world.serves();
        world.run_until(Duration::from_secs(30), three).unwrap();
        world.run(Duration::from_secs(2)).unwrap();
        let old = world.leader(0).unwrap();
        world.kill(old);
        let elected = |world: &World| (0..5).any(|n| n != old && world.leader(n) == Some(n));
        world.run_until(Duration::from_secs(10), elected).unwrap();
        let Some(new) = (0..5).find(|n| *n != old && world.leader(*n) == Some(*n)) else {
            continue;
        };
        // The others forget that they voted for it, and it cannot tell them.
        world.isolate(new, true);
        for number in (0..5).filter(|number| *number != new) {
            world.kill(number);
            world.restart(number);
        }
        world.run(Duration::from_secs(10)).unwrap();
        twice |= world.broken().iter().any(|b| matches!(b, Broken::VotedTwice { .. }));
        leaders |= world.broken().iter().any(|b| matches!(b, Broken::TwoLeaders { .. }));
    }
    assert!(twice, "nobody was seen to vote twice");
    assert!(leaders, "two leaders were not seen");
}

/// Stories without sabotage are clean where the ones above are not: checks do not cry wolf.
#[test]
fn nothing_is_caught_where_nothing_is_wrong() {
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let mut world = World::new(swarm(Wishes::default()), 1);
    world.run_until(Duration::from_secs(30), World::serves).unwrap();
    for number in 0..5 {
        world.ask(number, ask(&mut dice, 60, 20));
    }
    world.run_until(Duration::from_secs(30), World::answered).unwrap();
    world.run(Duration::from_secs(2)).unwrap();
    assert_eq!(world.check_answers(), Ok(()));
    assert_eq!(world.check_leftover(), Ok(()));
    assert_eq!(world.check_layers(), Ok(()));
    assert_eq!(world.check_converged(), Ok(()));
}
