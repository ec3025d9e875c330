//! What did not hold in some runs.

use hexswarm_sim::{Broken, Draft};
use indicatif::ProgressBar;
use serde_json::{Value, json};

/// Runs in which something did not hold, each with the command that shows it again.
pub(super) struct Failures {
    go_on: bool,
    broken: Vec<Value>,
}

impl Failures {
    /// None yet; whether one is enough.
    pub(super) fn new(go_on: bool) -> Self {
        Self { go_on, broken: Vec::new() }
    }

    /// Takes down what did not hold in a run, if anything. Whether to go on.
    pub(super) fn note(
        &mut self,
        bar: &ProgressBar,
        draft: &Draft,
        seed: u64,
        broken: &[Broken],
    ) -> bool {
        let Some(first) = broken.first() else { return true };
        let again = draft.again(seed);
        bar.suspend(|| eprintln!("seed {seed}: {first}\nagain: {again}"));
        self.broken.push(json!({ "seed": seed, "what": first.to_string(), "again": again }));
        self.go_on
    }

    pub(super) fn none(&self) -> bool {
        self.broken.is_empty()
    }

    /// For programs.
    pub(super) fn told(&self) -> &[Value] {
        &self.broken
    }
}
