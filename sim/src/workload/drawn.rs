//! Requests drawn by lot.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp, Gamma};

use super::Arrival;

/// When requests come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Each whenever it likes: the times between them are exponential.
    Poisson {
        /// On average.
        requests_per_s: f64,
    },
    /// In bursts: the times between them have a gamma distribution.
    Gamma {
        /// On average.
        requests_per_s: f64,
        /// Their standard deviation over their mean: 1 is Poisson, more is burstier.
        cv: f64,
    },
    /// One every so often.
    Even {
        /// Exactly.
        requests_per_s: f64,
    },
}

/// How long prompts or answers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lengths(
    /// Each as likely as the next.
    pub Vec<u32>,
);

/// Requests drawn by lot.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// When they come.
    pub arrivals: Arrivals,
    /// Tokens of prompts.
    pub input_tokens: Lengths,
    /// Tokens of answers.
    pub output_tokens: Lengths,
}

impl Drawn {
    /// All that come in so long; the same for a seed.
    pub fn requests(&self, span: Duration, seed: u64) -> Vec<Arrival> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // The first stream is what the world draws from.
        random.set_stream(u64::MAX);
        let (mut all, mut seconds) = (Vec::new(), 0.0);
        loop {
            seconds += self.arrivals.gap_s(&mut random);
            let at = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            if at >= span || all.len() >= super::REQUESTS_MAX {
                return all;
            }
            let input_tokens = self.input_tokens.draw(&mut random);
            let output_tokens = self.output_tokens.draw(&mut random);
            all.push(Arrival { at, input_tokens, output_tokens, prefix: Vec::new() });
        }
    }
}

impl Arrivals {
    /// How many come in a second, on average.
    pub fn requests_per_s(self) -> f64 {
        let (Self::Poisson { requests_per_s }
        | Self::Gamma { requests_per_s, .. }
        | Self::Even { requests_per_s }) = self;
        requests_per_s
    }

    /// The same at another rate.
    pub fn at_rate(self, requests_per_s: f64) -> Self {
        match self {
            Self::Poisson { .. } => Self::Poisson { requests_per_s },
            Self::Gamma { cv, .. } => Self::Gamma { requests_per_s, cv },
            Self::Even { .. } => Self::Even { requests_per_s },
        }
    }

    /// The time to the next, drawn. Figures that no distribution has give none.
    fn gap_s(self, random: &mut ChaCha8Rng) -> f64 {
        let drawn = match self {
            Self::Even { requests_per_s } => Some(1.0 / requests_per_s),
            Self::Poisson { requests_per_s } => {
                Exp::new(requests_per_s).ok().map(|gaps| gaps.sample(random))
            }
            Self::Gamma { requests_per_s, cv } => {
                let shape = 1.0 / (cv * cv);
                let scale = 1.0 / (requests_per_s * shape);
                Gamma::new(shape, scale).ok().map(|gaps| gaps.sample(random))
            }
        };
        drawn.filter(|gap| gap.is_finite() && *gap >= 0.0).unwrap_or(f64::INFINITY)
    }
}

impl Lengths {
    fn draw(&self, random: &mut ChaCha8Rng) -> u32 {
        match self.0[..] {
            [] => 1,
            [only] => only,
            _ => self.0[random.random_range(0..self.0.len())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(arrivals: Arrivals) -> Drawn {
        Drawn {
            arrivals,
            input_tokens: Lengths(vec![128]),
            output_tokens: Lengths(vec![32, 64, 128]),
        }
    }

    /// The mean of the times between requests, and their standard deviation over it.
    fn gaps(all: &[Arrival]) -> (f64, f64) {
        let gaps: Vec<f64> =
            all.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        (mean, square.sqrt() / mean)
    }

    #[test]
    fn gaps_have_the_mean_and_the_spread_that_they_are_said_to_have() {
        let hours = Duration::from_secs(20_000);
        for (arrivals, expected) in [
            (Arrivals::Poisson { requests_per_s: 2.0 }, 1.0),
            (Arrivals::Gamma { requests_per_s: 2.0, cv: 1.0 }, 1.0),
            (Arrivals::Gamma { requests_per_s: 2.0, cv: 3.0 }, 3.0),
            (Arrivals::Gamma { requests_per_s: 2.0, cv: 0.5 }, 0.5),
            (Arrivals::Even { requests_per_s: 2.0 }, 0.0),
        ] {
            let all = drawn(arrivals).requests(hours, 7);
            let (mean, cv) = gaps(&all);
            assert!((mean - 0.5).abs() < 0.03 && (cv - expected).abs() < 0.1, "{mean} {cv}");
            assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at));
        }
    }

    #[test]
    fn a_seed_gives_the_same_requests_and_each_length_comes_up() {
        let poisson = drawn(Arrivals::Poisson { requests_per_s: 5.0 });
        let some = poisson.requests(Duration::from_secs(100), 1);
        assert_eq!(some, poisson.requests(Duration::from_secs(100), 1));
        assert_ne!(some, poisson.requests(Duration::from_secs(100), 2));
        for length in [32, 64, 128] {
            assert!(some.iter().any(|arrival| arrival.output_tokens == length));
        }
    }

    #[test]
    fn figures_that_cannot_be_give_no_requests() {
        for requests_per_s in [0.0, -1.0, f64::NAN] {
            for arrivals in
                [Arrivals::Poisson { requests_per_s }, Arrivals::Gamma { requests_per_s, cv: 2.0 }]
            {
                let all = drawn(arrivals).requests(Duration::from_secs(10), 1);
                assert!(all.is_empty(), "{arrivals:?}: {}", all.len());
            }
        }
    }
}
