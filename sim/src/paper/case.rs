//! The paper's case study: eight cards on three machines, by three layouts.

use std::time::Duration;

use super::runs::{PaperError, served};
use crate::{Draft, Setting};

/// Delays between machines that are tried, in milliseconds: the paper's is not known.
pub(super) const DELAYS_MS: [f64; 4] = [0.1, 1.0, 4.0, 10.0];
/// The layouts: the paper's own, and the two that it is faster than.
pub(super) const LAYOUTS: [(&str, &str); 3] = [
    ("paper-case-asymmetric", "TP 4, 2, 2 with 48, 20, 12 layers"),
    ("paper-case-pp8", "eight stages, layers by memory"),
    ("paper-case-pp2-tp4", "two stages of TP 4"),
];

/// Times of a request, by delay and layout.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseStudy(pub(super) Vec<(f64, [Duration; 3])>);

impl CaseStudy {
    pub(super) fn run() -> Result<Self, PaperError> {
        let each = DELAYS_MS.iter().map(|&ms| {
            let [a, b, c] = LAYOUTS.map(|(scenario, _)| time(scenario, ms));
            Ok((ms, [a?, b?, c?]))
        });
        Ok(Self(each.collect::<Result<_, PaperError>>()?))
    }

    /// How many times as long each other layout takes at a delay.
    pub(super) fn factors(&self, place: usize) -> [f64; 2] {
        let [ours, pp8, tp4] = self.0[place].1.map(|time| time.as_secs_f64());
        [pp8 / ours, tp4 / ours]
    }
}

/// What a request takes that is alone.
fn time(name: &'static str, between_ms: f64) -> Result<Duration, PaperError> {
    let mut draft = Draft::named(name)?;
    draft.set(&Setting::new("truth.between_ms", &between_ms.to_string()))?;
    draft.set(&Setting::new("run.seconds", "200"))?;
    let served = served(&draft.scenario()?, 1, name)?;
    let why = || PaperError::NoPlan { system: name, why: "no answer came".to_owned() };
    served.iter().filter_map(|one| one.latency).min().ok_or_else(why)
}
