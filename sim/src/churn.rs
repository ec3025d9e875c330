//! Machines that come and go: as it was recorded, or drawn by lot. Each goes as a [`Fault`] that lasts
//! until it is back.

mod spot;
mod trace;

use std::{sync::Arc, time::Duration};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Weibull};

pub use self::trace::{ChurnError, ChurnTrace, Stay};
use crate::{Fault, What};

/// Goings of one run, at most.
pub(crate) const GOINGS_MAX: usize = 10_000;

/// Machines of a swarm that come and go.
#[derive(Clone, Debug, PartialEq)]
pub struct Churn {
    /// Which.
    pub machines: Vec<usize>,
    /// What one does that goes.
    pub does: What,
    /// When they go.
    pub times: Times,
}

/// When machines go, and come back.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// As others did: each of theirs takes the place of the first machine here that has gone.
    Recorded(Arc<[Stay]>),
    /// By lot, each machine for itself. All are here at first.
    Drawn {
        /// For how long one stays, on average,
        up: Duration,
        /// and is gone.
        down: Duration,
        /// Of the Weibull distribution of the one: at 1 it is exponential; below it some stay for long
        /// and many for a moment, as volunteers' machines do;
        up_shape: f64,
        /// and of the other.
        down_shape: f64,
    },
}

/// While nobody is in a machine's place.
struct Gap {
    machine: usize,
    from: Duration,
    to: Option<Duration>,
}

impl Churn {
    /// What goes wrong in so long; of machines that are drawn the same for a seed.
    pub fn faults(&self, span: Duration, seed: u64) -> Vec<Fault> {
        let mut gaps = match &self.times {
            Times::Recorded(stays) => self.taken(stays, span).0,
            Times::Drawn { up, down, up_shape, down_shape } => {
                self.drawn([(*up, *up_shape), (*down, *down_shape)], (span, seed))
            }
        };
        gaps.sort_by_key(|gap| gap.from);
        gaps.truncate(GOINGS_MAX);
        let fault = |gap: Gap| Fault {
            at: gap.from,
            machine: gap.machine,
            does: self.does.clone(),
            // Nobody waits for one who is back only when no more is asked.
            lasts: gap.to.filter(|to| *to < span).map(|to| to - gap.from),
        };
        gaps.into_iter().map(fault).collect()
    }

    /// How many of a trace's machines find no place in so long.
    pub fn without_place(&self, span: Duration) -> usize {
        match &self.times {
            Times::Recorded(stays) => self.taken(stays, span).1,
            Times::Drawn { .. } => 0,
        }
    }

    /// Gaps between stays, and how many stays have no place.
    fn taken(&self, stays: &[Stay], span: Duration) -> (Vec<Gap>, usize) {
        // Until when each place is taken; none if for good. At first all are free.
        let mut free_from = vec![Some(Duration::ZERO); self.machines.len()];
        let (mut gaps, mut without) = (Vec::new(), 0);
        for stay in stays.iter().take_while(|stay| stay.from < span) {
            let free = |from: &Option<Duration>| from.is_some_and(|from| from <= stay.from);
            let Some(place) = free_from.iter().position(free) else {
                without += 1;
                continue;
            };
            let from = std::mem::replace(&mut free_from[place], stay.to).unwrap_or_default();
            if from < stay.from {
                gaps.push(Gap { machine: self.machines[place], from, to: Some(stay.from) });
            }
        }
        let last = self.machines.iter().zip(free_from).filter_map(|(machine, from)| {
            let from = from.filter(|from| *from < span)?;
            Some(Gap { machine: *machine, from, to: None })
        });
        gaps.extend(last);
        (gaps, without)
    }

    /// Of stays and absences by their means and shapes.
    fn drawn(&self, of: [(Duration, f64); 2], (span, seed): (Duration, u64)) -> Vec<Gap> {
        let weibull = |(mean, shape): (Duration, f64)| {
            let mean_of_one = libm::tgamma(1.0 + 1.0 / shape);
            Weibull::new(mean.as_secs_f64() / mean_of_one, shape).ok()
        };
        let [Some(up), Some(down)] = of.map(weibull) else { return Vec::new() };
        let mut gaps = Vec::new();
        for machine in &self.machines {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            // The world draws from the same seed's first stream, requests from its last.
            random.set_stream(1 + *machine as u64);
            let mut draw = |of: &Weibull<f64>| {
                Duration::try_from_secs_f64(of.sample(&mut random)).unwrap_or(Duration::MAX)
            };
            let mut from = draw(&up);
            while from < span && gaps.len() < GOINGS_MAX * self.machines.len() {
                let to = from.saturating_add(draw(&down));
                gaps.push(Gap { machine: *machine, from, to: Some(to) });
                from = to.saturating_add(draw(&up));
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests;
