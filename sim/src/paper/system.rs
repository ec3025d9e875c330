//! What is run beside each other: a scenario of the simulator's each, and how its engine serves.

use crate::{Draft, ScenarioError, Setting};

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
            Self::Tgi => "16 A100, TP 4 x 4, batches",
            Self::LessA6000 => "58 less 4 A6000",
            Self::Less3090 => "58 less 4 3090Ti",
            Self::OursFull => "58 cards, ours, batches",
            Self::OursHalf => "30 cards, ours, batches",
            Self::Parallax => "58 cards, Parallax, batches",
            Self::OursHomogeneous => "16 A100, ours, batches",
        }
    }

    /// The scenario, and the keys that differ from it: what `run SCENARIO --set KEY=VALUE` takes.
    pub fn scenario(self) -> (&'static str, Vec<(&'static str, String)>) {
        let batches = || vec![("nodes.batch_sessions", "100000"), ("nodes.stage_sessions", "256")];
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
        };
        (name, keys.into_iter().map(|(key, value)| (key, value.to_owned())).collect())
    }

    /// Whether its plan is made for a deadline.
    pub(super) fn plans_for_deadline(self) -> bool {
        !matches!(self, Self::Tp8 | Self::Tp4 | Self::Petals | Self::Tgi)
    }

    /// Whether claims about it are about all lengths of answers and all deadlines; others are told for one
    /// length and the deadlines that are drawn.
    pub(super) fn is_told_widely(self) -> bool {
        use System::{Full, Half, Petals, Symmetric, Tgi, Tp4, Tp8};
        matches!(self, Tp8 | Tp4 | Full | Half | Symmetric | Petals | Tgi)
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
