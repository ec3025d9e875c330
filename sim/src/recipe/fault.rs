//! What goes wrong, and when.

use std::time::Duration;

use serde::Deserialize;

use super::{
    RecipeError,
    figure::{seconds, wrong},
    keys::FaultKeys,
};

/// What a machine does that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Its process dies, and its connections close.
    Die,
    /// It is gone without a word.
    Vanish,
    /// Its process is stopped.
    Pause,
    /// It leaves in good order.
    Leave,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// How long after the first request could come.
    pub at: Duration,
    /// Which machine, by its number.
    pub machine: usize,
    /// What it does.
    pub does: What,
    /// After what time it is started again, or goes on; never if it does not say.
    pub lasts: Option<Duration>,
}

pub(super) fn faults(
    keys: &FaultKeys,
    number: impl Fn(&str) -> Result<Vec<usize>, RecipeError>,
) -> Result<Vec<Fault>, RecipeError> {
    let at = seconds("at_s", keys.at_s)?;
    let lasts = keys.for_s.map(|span| seconds("for_s", span)).transpose()?;
    if keys.does == What::Pause && lasts.is_none() {
        return Err(wrong("does", "pause", "needs for_s: for how long"));
    }
    let does = keys.does;
    Ok(number(&keys.machine)?
        .into_iter()
        .map(|machine| Fault { at, machine, does, lasts })
        .collect())
}
