//! How much is run.

use std::ops::Range;

use super::system::System;

/// How much of the evaluation is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    /// Seeds of the workloads.
    pub seeds: Range<u64>,
    /// Requests at each rate, for each seed.
    pub requests: usize,
    /// Tokens of answers.
    pub outputs: Vec<u32>,
    /// Requests a second, rising; the paper's go from an eighth to ten.
    pub rates: Vec<f64>,
    /// Scales of the deadline that plans are made for, and rates are read at.
    pub scales: Vec<f64>,
    /// Requests a second that are asked of engines with batches in figure 8, with the first seed.
    pub batched_rates: Vec<f64>,
    /// For how many seconds at least: as many requests as else would be gone before batches fill.
    pub batched_s: f64,
}

/// The scale at which attainment is drawn by rate, and which what has but one plan is made for.
pub(super) const DRAWN: f64 = 5.0;
/// The paper's rates.
const RATE_LEAST: f64 = 0.125;
const RATE_MOST: f64 = 10.0;
/// The most that engines with batches are asked.
const BATCHED_MOST: f64 = 32.0;

impl Extent {
    /// All that the paper varies.
    pub fn whole() -> Self {
        Self {
            seeds: 1..3,
            requests: 200,
            outputs: vec![32, 64, 128],
            rates: rates(2.0_f64.sqrt()),
            scales: vec![3.0, DRAWN, 8.0, 10.0, 20.0],
            batched_rates: vec![1.0, 2.0, 4.0, 8.0, 16.0, BATCHED_MOST],
            batched_s: 30.0,
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
            batched_rates: vec![1.0, 8.0, BATCHED_MOST],
            batched_s: 10.0,
        }
    }

    /// Lengths of answers and scales that a system is run with.
    pub(super) fn of(&self, system: System) -> (Vec<u32>, Vec<f64>) {
        let scales = match system.plans_for_deadline() {
            false => vec![0.0],
            true if system.is_batched() => vec![DRAWN],
            true if system.is_told_widely() => self.scales.clone(),
            true => self.scales.iter().copied().filter(|s| *s == DRAWN || *s >= 20.0).collect(),
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

    /// Requests a second that a system is asked.
    pub(super) fn rates_of(&self, system: System) -> &[f64] {
        if system.is_batched() { &self.batched_rates } else { &self.rates }
    }

    /// Seeds that a system is run with.
    pub(super) fn seeds_of(&self, system: System) -> Range<u64> {
        let Range { start, end } = self.seeds;
        if system.is_batched() { start..end.min(start + 1) } else { start..end }
    }

    /// For how many seconds requests come at a rate.
    pub(super) fn seconds_at(&self, system: System, requests_per_s: f64) -> f64 {
        let least = if system.is_batched() { self.batched_s } else { 0.0 };
        (self.requests as f64 / requests_per_s).max(least).ceil()
    }
}

/// Rates, rounded to what people write.
fn rates(step: f64) -> Vec<f64> {
    let all = std::iter::successors(Some(RATE_LEAST), |rate| Some(rate * step));
    let below = all.take_while(|rate| *rate < RATE_MOST * 0.999);
    below.map(round).chain([RATE_MOST]).collect()
}

/// To a thousandth.
pub(super) fn round(figure: f64) -> f64 {
    (1e3 * figure).round() / 1e3
}
