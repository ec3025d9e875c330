//! The stories over many seeds, and that a seed is a run.

use hexswarm_sim::{Outcome, Scenario, Wishes, cores, sweep};

/// Every seed is clean; those that are not are named with the command that repeats them.
fn clean(scenario: &Scenario, seeds: std::ops::Range<u64>) {
    let mut failures = Vec::new();
    sweep(
        seeds,
        cores(),
        |seed| scenario.run(seed, Wishes::default()),
        |seed, outcome| {
            failures.extend(outcome.broken.first().map(|broken| {
                let name = format!("{scenario:?}").to_lowercase();
                format!("{broken}; again: hexswarm-sim run {name} --seed {seed}")
            }));
            failures.len() < 10
        },
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_thousand_seeds_of_the_story_are_clean() {
    clean(&Scenario::Story, 0..1_000);
}

#[test]
fn three_hundred_storms_are_weathered() {
    clean(&Scenario::Storm, 0..300);
}

fn recorded(scenario: &Scenario, seed: u64) -> Outcome {
    scenario.run(seed, Wishes { record: true, ..Wishes::default() })
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for (scenario, seed) in [(Scenario::Story, 0), (Scenario::Story, 7), (Scenario::Storm, 2)] {
        let (one, other) = (recorded(&scenario, seed), recorded(&scenario, seed));
        assert!(one.log.lines().count() > 1_000, "{} lines", one.log.lines().count());
        assert_eq!(one, other, "{scenario:?} {seed}");
    }
    assert_ne!(recorded(&Scenario::Story, 1).log, recorded(&Scenario::Story, 2).log);
}

#[test]
fn writing_a_log_changes_nothing() {
    let (with, without) =
        (recorded(&Scenario::Storm, 5), Scenario::Storm.run(5, Wishes::default()));
    assert_eq!(Outcome { log: String::new(), ..with }, without);
}

#[test]
fn outcomes_come_in_the_order_of_seeds() {
    let mut seen = Vec::new();
    let run = |seed| Scenario::Story.run(seed, Wishes::default());
    sweep(3..9, cores(), run, |seed, outcome| {
        assert_eq!(outcome, run(seed));
        seen.push(seed);
        true
    });
    assert_eq!(seen, [3, 4, 5, 6, 7, 8]);
}
