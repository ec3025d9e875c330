//! The stories over many seeds.

use hexswarm_sim::{Scenario, Wishes};

#[test]
fn a_thousand_seeds_of_the_story_are_clean() {
    let mut bad = 0;
    for seed in 0..1_000 {
        let outcome = Scenario::Story.run(seed, Wishes::default());
        if !outcome.broken.is_empty() {
            println!("seed {seed}: {}", outcome.broken[0]);
            bad += 1;
        }
    }
    assert_eq!(bad, 0);
}

#[test]
fn storm() {
    let mut bad = 0;
    for seed in 0..300 {
        let outcome = Scenario::Storm.run(seed, Wishes::default());
        if !outcome.broken.is_empty() {
            println!(
                "seed {seed}: {} ({} tokens {} ms)",
                outcome.broken[0], outcome.tokens, outcome.virtual_ms
            );
            bad += 1;
        }
    }
    assert_eq!(bad, 0);
}
