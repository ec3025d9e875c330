//! Points of curves, and the commands that run them again.

use std::{ops::Range, time::Duration};

use super::{
    extent::Extent,
    runs::{Case, PaperError},
};
use crate::{Draft, Setting};

/// A system at a rate, and the deadline that is read there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) case: Case,
    pub(super) requests_per_s: f64,
    pub(super) deadline: Duration,
}

impl Spot {
    /// What runs it: the part in time, of all seeds' requests, is the point's.
    pub(super) fn command(&self, extent: &Extent) -> Result<String, PaperError> {
        let draft = self.case.at(&self.case.draft()?, self.requests_per_s, extent)?;
        let draft = set(draft, &reading(self.deadline))?;
        Ok(command(&draft, &extent.seeds_of(self.case.system), self.case.system.label()))
    }
}

/// What has a run tell the part that is done within a deadline.
pub(super) fn reading(deadline: Duration) -> [(&'static str, String); 2] {
    let seconds = format!("{}s", deadline.as_secs_f64());
    [("run.slo", seconds), ("run.scales", "[1]".to_owned())]
}

/// A scenario with these keys set.
pub(super) fn set(mut draft: Draft, keys: &[(&str, String)]) -> Result<Draft, PaperError> {
    keys.iter().try_for_each(|(key, value)| draft.set(&Setting::new(key, value)))?;
    Ok(draft)
}

/// What runs a scenario with these seeds, for a shell; and what that is.
pub(super) fn command(draft: &Draft, seeds: &Range<u64>, about: &str) -> String {
    format!("hexswarm-sim run {draft} --seeds {}..{}   # {about}", seeds.start, seeds.end)
}
