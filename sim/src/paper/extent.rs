//! How much is run.

use super::system::System;

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

/// The scale at which attainment is drawn by rate, and which what has but one plan is made for.
pub(super) const DRAWN: f64 = 5.0;
/// The paper's rates.
const RATE_LEAST: f64 = 0.125;
const RATE_MOST: f64 = 10.0;

impl Extent {
    /// All that the paper varies.
    pub fn whole() -> Self {
        Self {
            seeds: 1..3,
            requests: 200,
            outputs: vec![32, 64, 128],
            rates: rates(2.0_f64.sqrt()),
            scales: vec![3.0, DRAWN, 8.0, 10.0, 20.0],
        }
    }

    /// One seed, one length and few rates.
    pub fn quick() -> Self {
        Self {
            seeds: 1..2,
            requests: 150,
            outputs: vec![64],
            rates: rates(2.0),
            scales: vec![DRAWN, 20.0],
        }
    }

    /// Lengths of answers and scales that a system is run with.
    pub(super) fn of(&self, system: System) -> (Vec<u32>, Vec<f64>) {
        let scales = match system.plans_for_deadline() {
            true if system.is_told_widely() => self.scales.clone(),
            true => self.scales.iter().copied().filter(|s| *s == DRAWN || *s >= 20.0).collect(),
            false => vec![0.0],
        };
        match system.is_told_widely() {
            true => (self.outputs.clone(), scales),
            false => (vec![self.middle()], scales),
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
