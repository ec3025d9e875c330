//! Phase 2: which devices form pipelines together.

mod arcs;
mod climb;
mod decode;
mod every;
mod genetic;
mod judge;
mod mutate;
mod offers;
mod partition;
mod regroup;
mod seeds;

pub(crate) use climb::{climb, neighbours};
pub(crate) use decode::Decoder;
pub(crate) use every::every;
pub(crate) use genetic::{Effort, Found, genetic};
pub use judge::Objective;
pub(crate) use judge::{Judge, Judged, Score, chosen};
pub(crate) use mutate::mutate;
pub(crate) use partition::{Group, Partition};
pub(crate) use regroup::regroup;
pub(crate) use seeds::{gather, regions, seeds};
