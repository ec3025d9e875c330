//! How much is run.

/// How much of the evaluation is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    /// Seeds of the workloads.
    pub seeds: std::ops::Range<u64>,
    /// Requests at each rate, for each seed.
    pub requests: usize,
    /// Tokens of answers.
    pub outputs: Vec<u32>,
    /// Requests a second, rising; the paper's go from an eighth to ten.
    pub rates: Vec<f64>,
    /// Scales of the deadline that plans are made for, and rates are read at.
    pub scales: Vec<f64>,
}

/// The paper's rates.
const RATE_LEAST: f64 = 0.125;
const RATE_MOST: f64 = 10.0;

impl Extent {
    /// All that the paper varies.
    pub fn whole() -> Self {
        Self {
            seeds: 1..3,
            requests: 400,
            outputs: vec![32, 64, 128],
            rates: rates(2.0_f64.powf(1.0 / 3.0)),
            scales: vec![3.0, 5.0, 8.0, 10.0, 20.0],
        }
    }

    /// One seed, one length and few rates.
    pub fn quick() -> Self {
        Self {
            seeds: 1..2,
            requests: 150,
            outputs: vec![64],
            rates: rates(2.0),
            scales: vec![5.0, 20.0],
        }
    }

    /// The length of answers that what has but one is told for.
    pub(super) fn middle(&self) -> u32 {
        self.outputs[self.outputs.len() / 2]
    }
}

fn rates(step: f64) -> Vec<f64> {
    let all = std::iter::successors(Some(RATE_LEAST), |rate| Some(rate * step));
    all.take_while(|rate| *rate < RATE_MOST * 0.999).chain([RATE_MOST]).collect()
}
