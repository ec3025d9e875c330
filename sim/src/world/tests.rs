//! What the world does with disks and stopped processes.

use swarm_proto::Ballot;

use super::*;
use crate::keys::node_id;

#[test]
fn a_crash_loses_what_was_not_yet_written() {
    let setup = Setup::of(&[vec![1 << 20]]);
    for (lived_ms, written) in [(1, false), (100, true)] {
        let mut world = World::new(setup.clone(), 0);
        let started = |world: &World| world.events() > 0;
        assert_eq!(world.run_until(Duration::from_secs(1), started), Ok(true));
        world.run(Duration::from_millis(lived_ms)).unwrap();
        world.kill(0);
        world.run(Duration::from_secs(1)).unwrap();
        let disk = &world.hosts[&node_id(0)].disk;
        assert_eq!(disk.durable() != &Ballot::default(), written, "{lived_ms} ms");
    }
}

#[test]
fn what_comes_for_a_stopped_process_waits_and_keeps_its_order() {
    let setup = Setup { record: true, ..Setup::of(&[vec![1 << 20], vec![1 << 20]]) };
    let mut world = World::new(setup, 0);
    world.run(Duration::from_secs(2)).unwrap();
    let before = world.log().lines().count();
    world.pause(1, Duration::from_secs(3), false);
    world.run(Duration::from_millis(2_900)).unwrap();
    let at_one = |line: &&str| line.contains("\"node\":1");
    let paused = world.log().lines().skip(before).filter(at_one).count();
    assert_eq!(paused, 1, "only that it was stopped");
    world.run(Duration::from_millis(101)).unwrap();
    let after: Vec<_> = world.log().lines().skip(before).filter(at_one).collect();
    assert!(after.len() > 15, "beats of three seconds: {}", after.len());
}

#[test]
fn ways_are_measured_again_within_a_budget() {
    const MIB: u64 = 1 << 20;
    let mut world = World::new(Setup::ample(9), 1);
    world.run(Duration::from_secs(60)).unwrap();
    world.count_traffic();
    // With eight neighbours each way's turn comes every 1024 s.
    world.run(Duration::from_secs(2048)).unwrap();
    for (number, carried) in world.carried().iter().enumerate() {
        let times = carried.probe_bytes / MIB;
        // A turn just outside of the time counts otherwise; the first one comes at any time.
        assert!((15..=24).contains(&times), "{number}: {times}");
    }
}
