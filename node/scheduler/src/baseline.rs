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
