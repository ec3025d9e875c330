//! The default story over many seeds, and the checks themselves.

use hexswarm_sim::{Broken, Sabotage, default_scenario};

#[test]
fn a_thousand_seeds_are_clean() {
    for seed in 0..1_000 {
        if let Err(broken) = default_scenario(seed, Sabotage::None) {
            panic!("seed {seed}: {broken}; again: hexswarm-sim run --seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [0, 7, 99] {
        let (one, other) =
            (default_scenario(seed, Sabotage::None), default_scenario(seed, Sabotage::None));
        assert_eq!(one, other, "seed {seed}");
    }
    assert_ne!(default_scenario(1, Sabotage::None), default_scenario(2, Sabotage::None));
}

/// The first fault that a sabotage shows in some seed.
fn caught(sabotage: Sabotage, expected: fn(&Broken) -> bool) {
    let found =
        (0..300).filter_map(|seed| default_scenario(seed, sabotage).err()).any(|b| expected(&b));
    assert!(found, "{sabotage:?} is not caught");
}

#[test]
fn forgotten_kv_blocks_are_caught() {
    caught(Sabotage::ForgetBlocks, |broken| matches!(broken, Broken::WrongToken { .. }));
}

#[test]
fn corrupt_activations_are_caught() {
    caught(Sabotage::CorruptRows, |broken| matches!(broken, Broken::WrongToken { .. }));
}

#[test]
fn sessions_left_over_are_caught() {
    caught(Sabotage::LoseClose, |broken| matches!(broken, Broken::Leftover { .. }));
}
