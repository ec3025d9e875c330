//! What goes wrong, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    RecipeError,
    figure::{figure, seconds, wrong},
    keys::FaultKeys,
};

/// What a machine does that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Its devices take so many times as long.
    Slow(f64),
    /// Its devices stand still.
    Stall,
}

/// As scenarios say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Does {
    Die,
    Vanish,
    Pause,
    Leave,
    Slow,
    Stall,
}

/// Times as slow, at most.
const SLOW_MAX: f64 = 1e4;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// How long after the first request could come.
    pub at: Duration,
    /// Which machine, by its number.
    pub machine: usize,
    /// What it does.
    pub does: What,
    /// After what time it is started again, goes on or is as fast as before; never if it does not say.
    pub lasts: Option<Duration>,
}

fn what(keys: &FaultKeys) -> Result<What, RecipeError> {
    Ok(match (keys.does, keys.factor) {
        (Does::Slow, Some(factor)) => What::Slow(figure("factor", factor, SLOW_MAX)?),
        (Does::Slow, None) => {
            return Err(wrong("factor", "nothing", "does = \"slow\" needs it: how many times"));
        }
        (_, Some(factor)) => return Err(wrong("factor", factor, "is for does = \"slow\"")),
        (Does::Die, None) => What::Die,
        (Does::Vanish, None) => What::Vanish,
        (Does::Pause, None) => What::Pause,
        (Does::Leave, None) => What::Leave,
        (Does::Stall, None) => What::Stall,
    })
}

pub(super) fn faults(
    keys: &FaultKeys,
    number: impl Fn(&str) -> Result<Vec<usize>, RecipeError>,
) -> Result<Vec<Fault>, RecipeError> {
    let at = seconds("at_s", keys.at_s)?;
    let lasts = keys.for_s.map(|span| seconds("for_s", span)).transpose()?;
    let does = what(keys)?;
    if matches!(does, What::Pause | What::Stall) && lasts.is_none() {
        return Err(wrong("for_s", "nothing", "a pause or stall needs it: for how long"));
    }
    Ok(number(&keys.machine)?
        .into_iter()
        .map(|machine| Fault { at, machine, does, lasts })
        .collect())
}
