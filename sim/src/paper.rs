//! The HexGen paper's evaluation, run anew: each claim beside what it published, and the shapes of its
//! figures from our runs.
//!
//! Nodes are the real core on virtual time; plans are the real scheduler's. The engine is the paper's: no
//! batches, one request after the other through each stage. Deadlines count what the same request takes
//! alone on eight A100, simulated in the same way.

mod case;
mod claim;
mod claims;
mod curve;
mod estimate;
mod extent;
mod figures;
mod followups;
mod ratios;
mod runs;
mod search;
mod spot;
mod system;
mod told;

pub use case::CaseStudy;
pub use claim::{Claim, Verdict};
pub use curve::{Curve, Point};
pub use estimate::Estimate;
pub use extent::Extent;
pub use figures::Figure;
pub use followups::FollowUps;
pub use runs::PaperError;
pub use search::{Convergence, SearchTime};
pub use system::System;

use runs::Runs;

/// The paper's figures, and what we call what is in none of them. `paper --help` lists these.
pub const FIGURES: [(u32, &str); 10] = [
    (1, "the case study: why stages differ"),
    (2, "attainment by rate: pools and planners"),
    (3, "half the price, beside Petals"),
    (4, "four cards go offline"),
    (5, "attainment by deadline"),
    (6, "how soon searches get how far"),
    (7, "beside an engine with batches"),
    (8, "the same systems with continuous batching, beside ours (not in the paper)"),
    (9, "estimated beside simulated attainment"),
    (10, "systems that came after (not in the paper)"),
];

/// All that was measured.
#[derive(Debug)]
pub struct Paper {
    /// What was run.
    pub extent: Extent,
    /// Each claim, and what became of it.
    pub claims: Vec<Claim>,
    /// Pictures.
    pub figures: Vec<Figure>,
}

/// Runs the evaluation, or only what one figure needs. `progress` hears of curves that are done, and of
/// how many there are.
pub fn evaluate(
    extent: &Extent,
    figure: Option<u32>,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Paper, PaperError> {
    let wants = |number: u32| figure.is_none_or(|only| only == number);
    let mut systems: Vec<System> = FIGURES
        .iter()
        .filter(|(n, _)| wants(*n))
        .flat_map(|(n, _)| figures::systems(*n))
        .copied()
        .collect();
    systems.sort_unstable();
    systems.dedup();
    let runs = Runs::of(&systems, extent, progress)?;
    let case = wants(1).then(CaseStudy::run).transpose()?;
    let search = wants(6).then(|| Convergence::run(extent.seeds.clone())).transpose()?;
    let time = wants(6).then(SearchTime::run).transpose()?;
    let estimate = wants(9).then(|| Estimate::run(extent)).transpose()?;
    let followups = wants(10).then(|| FollowUps::run(extent)).transpose()?;
    let facts = claims::Facts { extent, runs: &runs, case, search, time, estimate, followups };
    Ok(Paper {
        claims: claims::all(&facts)?,
        figures: figures::all(&facts)?.into_iter().filter(|f| wants(f.number)).collect(),
        extent: extent.clone(),
    })
}
