//! How many times the rate, and how many times sooner, over all that both were run at.

use super::{
    claim::{Verdict, near, par},
    claims::Facts,
    runs::Case,
    spot::Spot,
    system::System,
};

/// Scales that the paper shows begin at 8 and end at 90; what needs a longer deadline is told of nobody.
const SCALE_MOST: f64 = 90.0;

/// What was published of a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// At most so many times, and so many on average if that was said.
    Times(f64, Option<f64>),
    /// None has more.
    Par,
    /// Nothing.
    Unknown,
}

/// What two systems reach at one point, nothing being 0, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Factor {
    of: f64,
    over: f64,
    spots: Vec<Spot>,
}

impl Factor {
    fn times(&self) -> Option<f64> {
        (self.of > 0.0 && self.over > 0.0).then(|| self.of / self.over)
    }
}

/// Factors over lengths of answers and scales, or rates, of all points that either reaches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Factors(Vec<Factor>);

impl Factors {
    fn of(all: impl Iterator<Item = Factor>) -> Self {
        Self(all.filter(|factor| factor.of > 0.0 || factor.over > 0.0).collect())
    }

    fn times(&self) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(Factor::times)
    }

    /// Of those that both reach; 0 if there are none.
    fn most(&self) -> f64 {
        self.times().fold(0.0, f64::max)
    }

    /// Geometric, of those that both reach.
    pub(super) fn mean(&self) -> f64 {
        let (count, logs) = self.times().fold((0.0, 0.0), |(n, sum), f| (n + 1.0, sum + f.ln()));
        if count > 0.0 { f64::exp(logs / count) } else { 0.0 }
    }

    /// How often only the other reaches something, and how often only this one.
    fn alone(&self) -> (usize, usize) {
        let count = |alone: fn(&Factor) -> bool| self.0.iter().filter(|f| alone(f)).count();
        (count(|f| f.of <= 0.0), count(|f| f.over <= 0.0))
    }

    pub(super) fn said(&self) -> String {
        let all = self.0.len();
        let (behind, ahead) = self.alone();
        let mut parts = Vec::new();
        if self.times().next().is_some() {
            parts.push(format!("up to {:.2}x, mean {:.2}x", self.most(), self.mean()));
        }
        if behind > 0 {
            parts.push(format!("reaches nothing where the other does in {behind} of {all}"));
        }
        if ahead > 0 {
            parts.push(format!("the other reaches nothing in {ahead} of {all}"));
        }
        if parts.is_empty() { "neither reaches anything".to_owned() } else { parts.join("; ") }
    }

    /// What becomes of what was published. Where only the other reaches something nothing is reproduced;
    /// where only this one does there is no factor.
    pub(super) fn verdict(&self, aim: Aim) -> Verdict {
        let (behind, _) = self.alone();
        let none = self.times().next().is_none();
        match aim {
            Aim::Unknown => Verdict::NotComparable,
            _ if behind > 0 => Verdict::NotReproduced,
            _ if none => Verdict::NotComparable,
            Aim::Par => Verdict::of(par(self.mean())),
            Aim::Times(most, average) => {
                let usually = average.map_or(self.mean() >= 1.0, |mean| near(mean, self.mean()));
                Verdict::of(usually && near(most, self.most()))
            }
        }
    }

    /// Where the factor is the largest; if there is none, where one reaches something.
    pub(super) fn spots(&self) -> &[Spot] {
        let largest = |a: &&Factor, b: &&Factor| {
            a.times().unwrap_or(0.0).total_cmp(&b.times().unwrap_or(0.0))
        };
        self.0.iter().max_by(largest).map_or(&[], |factor| &factor.spots)
    }
}

/// How many times the rate of one `of` serves within the same deadline.
pub(super) fn rates(facts: &Facts<'_>, of: System, over: System) -> Factors {
    let outputs = facts.extent.outputs.iter();
    let points = outputs.flat_map(|o| facts.extent.scales.iter().map(move |scale| (*o, *scale)));
    let factor = |(output, scale): (u32, f64)| {
        let deadline = facts.runs.deadline(output, scale);
        let peak = |system| {
            let curve = facts.runs.curve(system, output, scale)?;
            let requests_per_s = curve.last_met(deadline).or(curve.0.first())?.requests_per_s;
            let spot = Spot { case: Case::of(system, output, scale), requests_per_s, deadline };
            Some((curve.peak_rate(deadline), spot))
        };
        let ((of, spot), (over, other)) = (peak(of)?, peak(over)?);
        Some(Factor { of, over, spots: vec![spot, other] })
    };
    Factors::of(points.filter_map(factor))
}

/// How many times sooner 99 of 100 are done at the same rate, each with the best of its plans.
pub(super) fn deadlines(facts: &Facts<'_>, of: System, over: System) -> Factors {
    let outputs = facts.extent.outputs.iter();
    let points = outputs.flat_map(|o| facts.extent.rates.iter().map(move |rate| (*o, *rate)));
    let factor = |(output, requests_per_s): (u32, f64)| {
        let early = |system| {
            let Some((scale, plan)) = scale_at(facts, system, output, requests_per_s) else {
                return (0.0, None);
            };
            let deadline = facts.runs.deadline(output, scale);
            let case = Case::of(system, output, plan);
            (1.0 / scale, Some(Spot { case, requests_per_s, deadline }))
        };
        let ((of, spot), (over, other)) = (early(of), early(over));
        Factor { of, over, spots: spot.into_iter().chain(other).collect() }
    };
    Factors::of(points.map(factor))
}

/// The least scale at which 99 of 100 are in time at a rate, if the paper would show it, and the scale
/// that its plan is made for.
pub(super) fn scale_at(
    facts: &Facts<'_>,
    system: System,
    output: u32,
    rate: f64,
) -> Option<(f64, f64)> {
    let unit = facts.runs.units.get(&output)?.as_secs_f64();
    let each = facts.extent.scales.iter().filter_map(|plan| {
        let point = facts.runs.curve(system, output, *plan)?.at(rate)?;
        Some((point.deadline()?.as_secs_f64() / unit, *plan))
    });
    each.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(scale, _)| *scale <= SCALE_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(pairs: &[(f64, f64)]) -> Factors {
        let factor = |&(of, over): &(f64, f64)| Factor { of, over, spots: Vec::new() };
        Factors::of(pairs.iter().map(factor))
    }

    #[test]
    fn who_reaches_nothing_where_the_other_does_reproduces_nothing() {
        let all = factors(&[(9.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)]);
        assert_eq!(
            all.said(),
            "up to 9.00x, mean 9.00x; reaches nothing where the other does in 1 of 3; \
             the other reaches nothing in 1 of 3"
        );
        assert_eq!(all.verdict(Aim::Times(4.0, None)), Verdict::NotReproduced);
        assert_eq!(all.verdict(Aim::Par), Verdict::NotReproduced);
        let ahead = factors(&[(9.0, 1.0), (1.0, 0.0)]);
        assert_eq!(ahead.verdict(Aim::Times(4.0, None)), Verdict::Reproduced);
        assert_eq!(factors(&[(1.0, 0.0)]).verdict(Aim::Times(4.0, None)), Verdict::NotComparable);
        assert_eq!(factors(&[(0.0, 0.0)]).said(), "neither reaches anything");
    }

    #[test]
    fn one_large_factor_is_not_enough() {
        let once = factors(&[(4.0, 1.0), (0.1, 1.0)]);
        assert_eq!(once.verdict(Aim::Times(4.0, Some(2.0))), Verdict::NotReproduced);
        assert_eq!(once.verdict(Aim::Times(4.0, None)), Verdict::NotReproduced, "mostly less");
        let often = factors(&[(4.0, 1.0), (1.0, 1.0)]);
        assert_eq!(often.verdict(Aim::Times(4.0, Some(2.0))), Verdict::Reproduced);
        assert_eq!(often.verdict(Aim::Times(4.0, Some(3.0))), Verdict::NotReproduced);
        assert_eq!(often.verdict(Aim::Par), Verdict::NotReproduced, "twice as much is not on par");
        assert_eq!(often.verdict(Aim::Unknown), Verdict::NotComparable);
    }
}
