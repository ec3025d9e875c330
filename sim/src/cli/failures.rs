//! What did not hold in some runs.

mod keep;

use std::mem::Discriminant;

use hexswarm_sim::{Broken, Draft, Wishes};
use indicatif::ProgressBar;
use serde_json::{Value, json};

pub(super) use self::keep::Keep;

/// Runs in which something did not hold, each with the command that shows it again.
pub(super) struct Failures {
    go_on: bool,
    wishes: Wishes,
    /// Where scripts that were made smaller are written, if they are to be.
    keep: Option<Keep>,
    /// What was made smaller already: one of a kind is enough.
    kinds: Vec<Discriminant<Broken>>,
    broken: Vec<Value>,
}

impl Failures {
    /// None yet; whether one is enough.
    pub(super) fn new(go_on: bool) -> Self {
        let wishes = Wishes::default();
        Self { go_on, wishes, keep: None, kinds: Vec::new(), broken: Vec::new() }
    }

    /// The same of runs with such wishes, whose scripts are made smaller and kept, if they are to be.
    pub(super) fn kept(self, wishes: Wishes, keep: Option<Keep>) -> Self {
        Self { wishes, keep, ..self }
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
        let again = draft.again_with(seed, self.wishes.sabotage);
        bar.suspend(|| eprintln!("seed {seed}: {first}\nagain: {again}"));
        let mut told = json!({ "seed": seed, "what": first.to_string(), "again": again });
        let kind = std::mem::discriminant(first);
        if let Some(keep) = &self.keep
            && !self.kinds.contains(&kind)
        {
            self.kinds.push(kind);
            match bar.suspend(|| keep.smaller(draft, seed, (first, self.wishes))) {
                Ok(kept) => told["script"] = kept,
                Err(error) => bar.suspend(|| eprintln!("the script was not kept: {error:#}")),
            }
        }
        self.broken.push(told);
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
