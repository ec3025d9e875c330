//! A claim of the paper's, and what became of it.

use std::fmt;

use serde::Serialize;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Ours is near it, or beyond.
    Reproduced,
    /// Ours is another.
    NotReproduced,
    /// Figures that say nothing of each other.
    NotComparable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reproduced => "reproduced",
            Self::NotReproduced => "not reproduced",
            Self::NotComparable => "not comparable",
        })
    }
}

/// Of a factor that was published, ours reaches at least this part if it is reproduced.
const NEAR: f64 = 0.8;

impl Verdict {
    /// Of something that is so many times as good: as good, or better.
    pub(super) fn of_factor(published: f64, ours: f64) -> Self {
        match ours >= NEAR * published {
            true => Self::Reproduced,
            false => Self::NotReproduced,
        }
    }

    /// Of something that is on par: no less than that.
    pub(super) fn of_par(ours: f64) -> Self {
        Self::of_factor(1.0, ours)
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// What is claimed.
    pub what: String,
    /// What was published.
    pub published: String,
    /// By whom it is known: a summary of the paper's text, its abstract, notes.
    pub source: &'static str,
    /// What we measured.
    pub ours: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, and what is not known.
    pub why: String,
    /// The figure that shows it.
    pub figure: u32,
}
