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
    /// Names of files that are taken.
    names: Vec<String>,
    broken: Vec<Value>,
}

impl Failures {
    /// None yet, of runs with such wishes; whether to go on after one, and what is to become of it.
    pub(super) fn new(go_on: bool, wishes: Wishes, keep: &Keep) -> Self {
        let (kinds, names, broken) = (Vec::new(), Vec::new(), Vec::new());
        Self { go_on, wishes, keep: keep.wanted(), kinds, names, broken }
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
        if let Some(keep) = self.keep.clone()
            && !self.kinds.contains(&kind)
        {
            self.kinds.push(kind);
            let name = self.name(draft, seed);
            let failed = (&name[..], first, self.wishes);
            match bar.suspend(|| keep.smaller(draft, seed, failed)) {
                Ok(kept) => told["script"] = kept,
                Err(error) => bar.suspend(|| eprintln!("the script was not kept: {error:#}")),
            }
        }
        self.broken.push(told);
        self.go_on
    }

    /// What its files are called: points of a sweep fail with the same seed.
    fn name(&mut self, draft: &Draft, seed: u64) -> String {
        let plain = format!("{}-{seed}", draft.stem());
        let more = (2..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(more).find(|n| !self.names.contains(n));
        let name = free.unwrap_or(plain);
        self.names.push(name.clone());
        name
    }

    pub(super) fn none(&self) -> bool {
        self.broken.is_empty()
    }

    /// For programs.
    pub(super) fn told(&self) -> &[Value] {
        &self.broken
    }
}
