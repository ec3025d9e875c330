//! Two scenarios under the same seeds, seed by seed.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// What part of all comparisons of like scenarios an interval of the difference has nothing in.
const CONFIDENCE: f64 = 0.95;

/// A figure of two scenarios, A and B, under the same seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Seeds in which both have it.
    pub seeds: usize,
    /// The mean of A over these seeds.
    pub a: f64,
    /// That of B.
    pub b: f64,
    /// How much more B has, in the mean.
    pub difference: f64,
    /// Where that difference is with 95 % confidence (paired t); none of fewer than two seeds.
    pub interval: Option<(f64, f64)>,
    /// Seeds in which B has more.
    pub more: usize,
    /// Seeds in which B has less.
    pub less: usize,
}

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// B has more, and not by chance.
    More,
    /// B has less, and not by chance.
    Less,
    /// It may be chance.
    Chance,
    /// There is none, in any seed.
    Same,
    /// One seed says nothing.
    Unknown,
}

impl Paired {
    /// Of the values of A and B, a seed each; none if there are none.
    pub fn of(values: &[(f64, f64)]) -> Option<Self> {
        let seeds = values.len();
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| {
            (seeds > 0).then(|| values.iter().map(of).sum::<f64>() / seeds as f64)
        };
        let difference = mean(&|(a, b)| b - a)?;
        let squares: f64 = values.iter().map(|(a, b)| (b - a - difference).powi(2)).sum();
        let interval = quantile(seeds).map(|t| {
            let half = t * (squares / (seeds - 1) as f64 / seeds as f64).sqrt();
            (difference - half, difference + half)
        });
        let count = |of: fn(&(f64, f64)) -> bool| values.iter().filter(|pair| of(pair)).count();
        Some(Self {
            seeds,
            a: mean(&|(a, _)| *a)?,
            b: mean(&|(_, b)| *b)?,
            difference,
            interval,
            more: count(|(a, b)| b > a),
            less: count(|(a, b)| b < a),
        })
    }

    /// How many times as much B has; none if A has nothing.
    pub fn ratio(&self) -> Option<f64> {
        (self.a != 0.0).then(|| self.b / self.a)
    }

    /// What can be said of the difference.
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            _ if self.more + self.less == 0 => Verdict::Same,
            None => Verdict::Unknown,
            Some((low, _)) if low > 0.0 => Verdict::More,
            Some((_, high)) if high < 0.0 => Verdict::Less,
            Some(_) => Verdict::Chance,
        }
    }
}

/// How many standard errors to each side of the mean of so many differences its interval goes.
fn quantile(seeds: usize) -> Option<f64> {
    let freedom = seeds.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_printed_tables() {
        for (seeds, t) in [(2, 12.706), (3, 4.303), (10, 2.262), (31, 2.042), (1_001, 1.962)] {
            let found = quantile(seeds).unwrap();
            assert!((found - t).abs() < 6e-4, "{seeds} seeds: {found}");
        }
        assert_eq!((quantile(0), quantile(1)), (None, None));
    }

    #[test]
    fn a_difference_is_told_from_chance_by_its_spread() {
        // Differences 1, 2, 3: mean 2, deviation 1, so 2 +- 4.303 / sqrt(3).
        let wide = Paired::of(&[(10.0, 11.0), (20.0, 22.0), (30.0, 33.0)]).unwrap();
        let (low, high) = wide.interval.unwrap();
        assert!((low + 0.484).abs() < 1e-3 && (high - 4.484).abs() < 1e-3, "{low} {high}");
        assert_eq!((wide.a, wide.b, wide.difference, wide.ratio()), (20.0, 22.0, 2.0, Some(1.1)));
        assert_eq!((wide.seeds, wide.more, wide.less, wide.verdict()), (3, 3, 0, Verdict::Chance));
        let near = Paired::of(&[(10.0, 11.0), (20.0, 21.2), (30.0, 30.9)]).unwrap();
        assert_eq!(near.verdict(), Verdict::More);
        let less = Paired::of(&[(11.0, 10.0), (21.2, 20.0), (30.9, 30.0)]).unwrap();
        assert_eq!((less.verdict(), less.less), (Verdict::Less, 3));
    }

    #[test]
    fn nothing_is_claimed_of_one_seed_or_none() {
        let one = Paired::of(&[(0.0, 2.0)]).unwrap();
        assert_eq!((one.interval, one.ratio(), one.verdict()), (None, None, Verdict::Unknown));
        assert_eq!(Paired::of(&[]), None);
        assert_eq!(Paired::of(&[(1.5, 1.5); 4]).unwrap().verdict(), Verdict::Same);
    }
}
