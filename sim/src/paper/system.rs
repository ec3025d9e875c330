//! What is run beside each other: a scenario of the simulator's each, and how its engine serves.

use crate::{Draft, ScenarioError, Setting};

/// As many sessions as may be said: nodes have no bound unless they are told one.
const UNBOUNDED: &str = "1048576";

/// What is run with batches: what the paper runs, and what we add.
pub(super) const BATCHED: [System; 10] = [
    System::FullBatched,
    System::HalfBatched,
    System::SymmetricBatched,
    System::Tp8Batched,
    System::Tp4Batched,
    System::PetalsBatched,
    System::OursFull,
    System::OursHalf,
    System::OursHomogeneous,
    System::Parallax,
];

/// Pools, planners and engines that the paper compares, or that we add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// Sixteen A100 as two replicas of eight.
    Tp8,
    /// Sixteen A100 as four replicas of four.
    Tp4,
    /// The full-price pool by HexGen's search.
    Full,
    /// The half-price pool by HexGen's search.
    Half,
    /// The full-price pool where a replica's stages are all alike.
    Symmetric,
    /// The half-price pool by Petals' rule.
    Petals,
    /// Sixteen A100 as four replicas of four, with continuous batching.
    Tgi,
    /// The full-price pool less four A6000, planned anew.
    LessA6000,
    /// The full-price pool less four 3090Ti, planned anew.
    Less3090,
    /// The full-price pool by our search and its rules, with continuous batching.
    OursFull,
    /// The half-price pool by our search and its rules, with continuous batching.
    OursHalf,
    /// The full-price pool by Parallax' allocation, with continuous batching.
    Parallax,
    /// Sixteen A100 by our search, with continuous batching.
    OursHomogeneous,
    /// What the paper runs, with continuous batching: sixteen A100 as two replicas of eight,
    Tp8Batched,
    /// or as four replicas of four,
    Tp4Batched,
    /// the full-price pool by HexGen's search,
    FullBatched,
    /// the half-price pool by it,
    HalfBatched,
    /// the full-price pool where a replica's stages are all alike,
    SymmetricBatched,
    /// and the half-price pool by Petals' rule.
    PetalsBatched,
}

impl System {
    /// What figures call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Tp8 => "16 A100, TP 8 x 2",
            Self::Tp4 => "16 A100, TP 4 x 4",
            Self::Full => "58 cards, HexGen",
            Self::Half => "30 cards, HexGen",
            Self::Symmetric => "58 cards, symmetric",
            Self::Petals => "30 cards, Petals",
            Self::Tgi => "16 A100, TGI: TP 4 x 4, batches",
            Self::LessA6000 => "58 less 4 A6000",
            Self::Less3090 => "58 less 4 3090Ti",
            Self::OursFull => "58 cards, ours, batches",
            Self::OursHalf => "30 cards, ours, batches",
            Self::Parallax => "58 cards, Parallax, batches",
            Self::OursHomogeneous => "16 A100, ours, batches",
            Self::Tp8Batched => "16 A100, TP 8 x 2, batches",
            Self::Tp4Batched => "16 A100, TP 4 x 4, batches",
            Self::FullBatched => "58 cards, HexGen, batches",
            Self::HalfBatched => "30 cards, HexGen, batches",
            Self::SymmetricBatched => "58 cards, symmetric, batches",
            Self::PetalsBatched => "30 cards, Petals, batches",
        }
    }

    /// The scenario, and the keys that differ from it: what `run SCENARIO --set KEY=VALUE` takes.
    pub fn scenario(self) -> (&'static str, Vec<(&'static str, String)>) {
        let batches =
            || vec![("nodes.batch_sessions", UNBOUNDED), ("nodes.stage_sessions", UNBOUNDED)];
        let planned = |name: &'static str| {
            let mut keys = batches();
            keys.extend([("planner.name", name), ("planner.sums", "fitted")]);
            keys
        };
        let (name, keys) = match self {
            Self::Tp8 => ("paper-16-tp8", vec![]),
            Self::Tp4 => ("paper-16-tp4", vec![]),
            Self::Full => ("paper-58", vec![]),
            Self::Half => ("paper-30", vec![]),
            Self::Symmetric => ("paper-58-symmetric", vec![]),
            Self::Petals => ("paper-30-petals", vec![]),
            Self::Tgi => ("paper-16-tp4", batches()),
            Self::LessA6000 => {
                ("paper-58", vec![("swarm.without", "[\"illinois-RTX-A6000-1:4\"]")])
            }
            Self::Less3090 => ("paper-58", vec![("swarm.without", "[\"iceland-RTX3090Ti-1:4\"]")]),
            Self::OursFull => ("paper-58", planned("replicas")),
            Self::OursHalf => ("paper-30", planned("replicas")),
            Self::Parallax => ("paper-58", planned("parallax")),
            Self::OursHomogeneous => ("paper-16", planned("replicas")),
            Self::Tp8Batched => ("paper-16-tp8", batches()),
            Self::Tp4Batched => ("paper-16-tp4", batches()),
            Self::FullBatched => ("paper-58", batches()),
            Self::HalfBatched => ("paper-30", batches()),
            Self::SymmetricBatched => ("paper-58-symmetric", batches()),
            Self::PetalsBatched => ("paper-30-petals", batches()),
        };
        (name, keys.into_iter().map(|(key, value)| (key, value.to_owned())).collect())
    }

    /// Whether its plan is made for a deadline.
    pub(super) fn plans_for_deadline(self) -> bool {
        use System::{Petals, PetalsBatched, Tgi, Tp4, Tp4Batched, Tp8, Tp8Batched};
        !matches!(self, Tp8 | Tp4 | Petals | Tgi | Tp8Batched | Tp4Batched | PetalsBatched)
    }

    /// Whether it is of figure 8, whose engines have batches and serve more than the paper's rates.
    pub(super) fn is_batched(self) -> bool {
        BATCHED.contains(&self)
    }

    /// Whether claims about it are about all lengths of answers and all deadlines; others are told for one
    /// length and the deadlines that are drawn.
    pub(super) fn is_told_widely(self) -> bool {
        use System::{Less3090, LessA6000};
        !matches!(self, LessA6000 | Less3090)
    }

    /// Its scenario for answers of so many tokens, planned for a deadline of that scale.
    pub(super) fn draft(self, output_tokens: u32, scale: f64) -> Result<Draft, ScenarioError> {
        let (name, keys) = self.scenario();
        let mut draft = Draft::named(name)?;
        for (key, value) in keys {
            draft.set(&Setting::new(key, &value))?;
        }
        draft.set(&Setting::new("workload.output_tokens", &output_tokens.to_string()))?;
        if self.plans_for_deadline() {
            draft.set(&Setting::new("planner.slo", &format!("{scale}x")))?;
        }
        Ok(draft)
    }
}
