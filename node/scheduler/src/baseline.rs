//! Planners as other systems have them, for comparison; ours tries them all.

mod helix;
mod hexgen2;
mod parallax;
mod petals;
mod routed;
mod symmetric;
mod unit;

pub(crate) use helix::Helix;
pub(crate) use hexgen2::Hexgen2;
pub(crate) use parallax::Parallax;
pub(crate) use petals::Petals;
pub(crate) use symmetric::Symmetric;

use crate::{draft::Draft, ground::Ground, propose::Drafted};

/// A draft for each of a few batches, by a rule that does not search.
fn each_batch(ground: &Ground, draft: impl Fn(u32) -> Option<Draft>) -> Drafted {
    let drafts: Vec<_> = ground.rules.batches(4).into_iter().filter_map(draft).collect();
    Drafted { evaluations: drafts.len(), drafts, ..Drafted::default() }
}
