//! How many times the rate, and how many times sooner, over all that both were run at.

use super::{claims::Facts, system::System};

/// Scales that the paper shows begin at 8 and end at 90; what needs a longer deadline is told of nobody.
const SCALE_MOST: f64 = 90.0;

/// Factors over lengths of answers and scales, or rates; infinite where the other reaches nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Factors(Vec<f64>);

impl Factors {
    /// Of those that both reach; 0 if there are none.
    pub(super) fn most(&self) -> f64 {
        self.finite().fold(0.0, f64::max)
    }

    /// Geometric, of those that both reach.
    pub(super) fn mean(&self) -> f64 {
        let (count, logs) = self.finite().fold((0.0, 0.0), |(n, sum), f| (n + 1.0, sum + f.ln()));
        if count > 0.0 { f64::exp(logs / count) } else { 0.0 }
    }

    fn finite(&self) -> impl Iterator<Item = f64> {
        self.0.iter().copied().filter(|factor| factor.is_finite())
    }

    pub(super) fn said(&self) -> String {
        let alone = self.0.len() - self.finite().count();
        let both = format!("up to {:.2}x, mean {:.2}x", self.most(), self.mean());
        match (self.0.len(), alone) {
            (0, _) => "neither reaches anything".to_owned(),
            (_, 0) => both,
            (all, alone) if all == alone => format!("the other reaches nothing in {all} of {all}"),
            (all, alone) => format!("{both}; the other reaches nothing in {alone} of {all}"),
        }
    }
}

/// One over another; none where neither reaches anything.
fn factor(of: f64, over: f64) -> Option<f64> {
    (of > 0.0).then(|| if over > 0.0 { of / over } else { f64::INFINITY })
}

/// How many times the rate of one `of` serves within the same deadline.
pub(super) fn rates(facts: &Facts<'_>, of: System, over: System) -> Factors {
    let mut all = Vec::new();
    for &output in &facts.extent.outputs {
        for &scale in &facts.extent.scales {
            let deadline = facts.runs.deadline(output, scale);
            let peak = |system| Some(facts.runs.curve(system, output, scale)?.peak_rate(deadline));
            if let (Some(of), Some(over)) = (peak(of), peak(over)) {
                all.extend(factor(of, over));
            }
        }
    }
    Factors(all)
}

/// How many times sooner 99 of 100 are done at the same rate, each with the best of its plans.
pub(super) fn deadlines(facts: &Facts<'_>, of: System, over: System) -> Factors {
    let mut all = Vec::new();
    for &output in &facts.extent.outputs {
        for &rate in &facts.extent.rates {
            let early =
                |system| scale_at(facts, system, output, rate).map_or(0.0, |scale| 1.0 / scale);
            all.extend(factor(early(of), early(over)));
        }
    }
    Factors(all)
}

/// The least scale at which 99 of 100 are in time at a rate, if the paper would show it.
pub(super) fn scale_at(facts: &Facts<'_>, system: System, output: u32, rate: f64) -> Option<f64> {
    let unit = facts.runs.units.get(&output)?.as_secs_f64();
    let each = facts.extent.scales.iter().filter_map(|scale| {
        let point = facts.runs.curve(system, output, *scale)?.at(rate)?;
        Some(point.deadline()?.as_secs_f64() / unit)
    });
    each.min_by(f64::total_cmp).filter(|scale| *scale <= SCALE_MOST)
}
