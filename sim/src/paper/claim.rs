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

/// Whether ours is near a factor that was published, or beyond.
pub(super) fn near(published: f64, ours: f64) -> bool {
    ours >= NEAR * published
}

/// Whether two are on par: neither has more by more than that.
pub(super) fn par(ours: f64) -> bool {
    (NEAR..=1.0 / NEAR).contains(&ours)
}

impl Verdict {
    /// Of something that holds, or does not.
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Reproduced } else { Self::NotReproduced }
    }

    /// Of a factor that depends on what is not known: where it is near with all that was tried, or with
    /// none, that does not matter.
    pub(super) fn of_all(published: f64, ours: impl Iterator<Item = f64>) -> Self {
        let near: Vec<bool> = ours.map(|ours| near(published, ours)).collect();
        match (near.contains(&true), near.contains(&false)) {
            (true, true) => Self::NotComparable,
            (near, _) => Self::of(near),
        }
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
    /// Seeds of what was run: the first, and the one after the last.
    pub seeds: [u64; 2],
    /// What runs points of it.
    pub commands: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_par_is_no_better_either() {
        assert!(par(0.8) && par(1.0) && par(1.25));
        assert!(!par(0.79) && !par(1.26) && !par(0.0));
    }

    #[test]
    fn what_depends_on_the_unknown_is_not_comparable() {
        let of = |ours: &[f64]| Verdict::of_all(19.0, ours.iter().copied());
        assert_eq!(of(&[15.3, 30.0]), Verdict::Reproduced);
        assert_eq!(of(&[1.3, 15.1]), Verdict::NotReproduced);
        assert_eq!(of(&[1.3, 23.0]), Verdict::NotComparable);
    }
}
