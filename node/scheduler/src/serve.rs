//! Simulated serving: how many requests meet their deadline.
//!
//! As AlpaServe's simulator has it: requests arrive by a Poisson process, each goes to the replica
//! that would finish it first, a replica takes the next one a period after the last, and nothing
//! is dropped.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Of so many requests the first does not count, and of so many the last: the swarm fills and
/// empties.
const WARM: usize = 20;
const COOL: usize = 100;
/// What counts as met, where a rate is looked for.
const TARGET: f64 = 0.99;
/// Halvings of a rate that is looked for.
const HALVINGS: usize = 10;

/// A pipeline, as a server of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replica {
    /// How long a request takes.
    pub latency_ms: f64,
    /// From one request to the next.
    pub period_ms: f64,
}

/// What takes requests: each goes where it would be done first.
pub trait Serves {
    /// Clocks that say until when something is taken.
    fn clocks(&self) -> usize;

    /// Takes a request in, and says when it is done; never, if nobody is there.
    fn serve(&self, free: &mut [f64], arrival: f64) -> f64;

    /// Requests a second when there are always more.
    fn requests_per_s(&self) -> f64;
}

impl Serves for [Replica] {
    fn clocks(&self) -> usize {
        self.len()
    }

    fn serve(&self, free: &mut [f64], arrival: f64) -> f64 {
        let mut first = (f64::INFINITY, 0);
        for (n, (replica, free)) in self.iter().zip(free.iter()).enumerate() {
            let done = free.max(arrival) + replica.latency_ms;
            if done < first.0 {
                first = (done, n);
            }
        }
        if let Some(replica) = self.get(first.1) {
            free[first.1] = free[first.1].max(arrival) + replica.period_ms;
        }
        first.0
    }

    fn requests_per_s(&self) -> f64 {
        capacity(self)
    }
}

/// Arrivals that every plan is tried with.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Times of arrival at one request a millisecond.
    arrivals: Vec<f64>,
}

impl Serving {
    /// So many arrivals, drawn from a seed.
    pub fn new(seed: u64, requests: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut time = 0.0;
        let mut arrive = || {
            // 53 bits above zero, so that the logarithm is finite.
            let uniform = ((random.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
            time -= libm::log(uniform);
            time
        };
        Self { arrivals: (0..requests).map(|_| arrive()).collect() }
    }

    /// Times that requests take at so many a second, without the first and the last.
    pub fn latencies_ms<'a, S: Serves + ?Sized>(
        &'a self,
        serves: &'a S,
        requests_per_s: f64,
    ) -> impl Iterator<Item = f64> + 'a {
        let mut free = vec![0.0f64; serves.clocks()];
        let serve = move |arrival: f64| serves.serve(&mut free, arrival) - arrival;
        let scale = 1e3 / requests_per_s;
        let all = self.arrivals.iter().map(move |at| at * scale).map(serve);
        all.take(self.arrivals.len() - self.arrivals.len() / COOL).skip(self.warm())
    }

    fn warm(&self) -> usize {
        self.arrivals.len() / WARM
    }

    /// How many requests count.
    fn count(&self) -> usize {
        self.arrivals.len() - self.arrivals.len() / COOL - self.warm()
    }

    /// The part of the requests that are done within their deadline.
    pub fn attainment<S: Serves + ?Sized>(
        &self,
        replicas: &S,
        requests_per_s: f64,
        deadline_ms: f64,
    ) -> f64 {
        let met = self.latencies_ms(replicas, requests_per_s).filter(|ms| *ms <= deadline_ms);
        met.count() as f64 / self.count().max(1) as f64
    }

    /// Whether 99 of 100 requests are: known as soon as too many are not.
    fn meets<S: Serves + ?Sized>(
        &self,
        replicas: &S,
        requests_per_s: f64,
        deadline_ms: f64,
    ) -> bool {
        let spare = (self.count() as f64 * (1.0 - TARGET)) as usize;
        // What never ends is late, too.
        let late = |ms: &f64| ms.partial_cmp(&deadline_ms).is_none_or(std::cmp::Ordering::is_gt);
        let late = self.latencies_ms(replicas, requests_per_s).filter(late);
        late.take(spare + 1).count() <= spare
    }

    /// The highest rate at which 99 of 100 requests are done within their deadline.
    pub fn peak_rate<S: Serves + ?Sized>(&self, replicas: &S, deadline_ms: f64) -> f64 {
        self.peak_within(replicas, deadline_ms, 0.0, replicas.requests_per_s(), HALVINGS)
    }

    /// The same for a comparison: exact if it is above `bar`, else less by as much as `bar` is missed.
    pub(crate) fn peak_above(&self, replicas: &[Replica], deadline_ms: f64, bar: f64) -> f64 {
        if bar <= 0.0 {
            return self.peak_rate(replicas, deadline_ms);
        }
        let met = self.attainment(replicas, bar, deadline_ms);
        if met < TARGET {
            return bar * met;
        }
        let most = capacity(replicas).max(bar);
        self.peak_within(replicas, deadline_ms, bar, most, HALVINGS)
    }

    fn peak_within<S: Serves + ?Sized>(
        &self,
        replicas: &S,
        deadline_ms: f64,
        mut low: f64,
        mut high: f64,
        halvings: usize,
    ) -> f64 {
        for _ in 0..halvings {
            let middle = low + (high - low) / 2.0;
            if middle <= low || middle >= high {
                break;
            }
            let met = self.meets(replicas, middle, deadline_ms);
            if met { low = middle } else { high = middle }
        }
        low
    }
}

/// How many requests too few to wait cost a rate: fits hand-made layouts within a tenth or two.
const CROWD: f64 = 1.8;

/// What a replica adds to [`likely_rate`]: requests a second, and requests that may wait for it
/// within the deadline.
pub(crate) fn crowd(replica: &Replica, deadline_ms: f64) -> (f64, f64) {
    let spare_ms = (deadline_ms - replica.latency_ms).max(0.0);
    (1e3 / replica.period_ms, spare_ms / replica.period_ms)
}

/// About the highest rate that is served in time, without serving anything: the more may wait, the
/// nearer it is to what can be served at all. Continued by its tangent where few may.
pub(crate) fn likely_rate((capacity, waiting): (f64, f64)) -> f64 {
    match waiting >= 2.0 * CROWD {
        true => capacity * (1.0 - CROWD / waiting),
        false => capacity * waiting / (4.0 * CROWD),
    }
}

/// What several replicas add together.
pub(crate) fn summed(all: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    all.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
}

/// How much [`likely_rate`] rises with each of both.
pub(crate) fn likely_worth((capacity, waiting): (f64, f64)) -> (f64, f64) {
    match waiting >= 2.0 * CROWD {
        true => (1.0 - CROWD / waiting, capacity * CROWD / waiting / waiting),
        false => (waiting / (4.0 * CROWD), capacity / (4.0 * CROWD)),
    }
}

/// Requests a second when there are always more.
pub fn capacity(replicas: &[Replica]) -> f64 {
    replicas.iter().map(|replica| 1e3 / replica.period_ms).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(all: &[(usize, f64, f64)]) -> Vec<Replica> {
        let of = |(count, latency, period): &(usize, f64, f64)| {
            let replica = Replica { latency_ms: latency * 1e3, period_ms: period * 1e3 };
            vec![replica; *count]
        };
        all.iter().flat_map(of).collect()
    }

    /// Layouts by hand and what a simulation by another program gave for them, as rates at which 99
    /// of 100 requests are done within so many times 1.446 s.
    #[test]
    fn hand_made_layouts_serve_as_another_simulation_says() {
        let full = [
            (4, 3.581, 3.581),
            (1, 3.878, 3.878),
            (2, 2.985, 2.985),
            (2, 2.657, 2.657),
            (1, 6.148, 1.607),
        ];
        let half = [(2, 2.657, 2.657), (1, 6.148, 1.607), (1, 2.985, 2.985)];
        type Row<'a> = (&'a [(usize, f64, f64)], f64, [f64; 5]);
        let rows: [Row<'_>; 4] = [
            (&[(2, 1.446, 1.446)], 1.38, [0.77, 1.06, 1.20, 1.26, 1.35]),
            (&[(4, 1.744, 1.744)], 2.29, [1.64, 1.96, 2.14, 2.20, 2.29]),
            (&full, 3.42, [1.56, 2.69, 3.17, 3.29, 3.41]),
            (&half, 1.71, [0.33, 0.96, 1.41, 1.52, 1.68]),
        ];
        let servings: Vec<_> = (1..=5).map(|seed| Serving::new(seed, 8_000)).collect();
        for (layout, most, rates) in rows {
            let replicas = replicas(layout);
            assert!((capacity(&replicas) - most).abs() < 0.006, "{}", capacity(&replicas));
            for (scale, rate) in [3.0, 5.0, 8.0, 10.0, 20.0].into_iter().zip(rates) {
                let peak = |serving: &Serving| serving.peak_rate(&replicas[..], scale * 1446.0);
                let mut found: Vec<f64> = servings.iter().map(peak).collect();
                found.sort_by(f64::total_cmp);
                assert!((found[2] / rate - 1.0).abs() < 0.1, "{found:?} for {rate} at {scale}");
            }
        }
    }

    #[test]
    fn what_one_more_adds_is_the_slope_of_the_likely_rate() {
        for at in [(4.0, 40.0), (4.0, 3.7), (4.0, 3.5), (1.0, 0.1)] {
            let slope = likely_worth(at);
            let (step, rate) = (1e-6, likely_rate(at));
            let by_capacity = (likely_rate((at.0 + step, at.1)) - rate) / step;
            let by_waiting = (likely_rate((at.0, at.1 + step)) - rate) / step;
            assert!((slope.0 - by_capacity).abs() < 1e-4, "{at:?}: {slope:?} {by_capacity}");
            assert!((slope.1 - by_waiting).abs() < 1e-4, "{at:?}: {slope:?} {by_waiting}");
        }
    }

    #[test]
    fn nobody_serves_nothing() {
        let serving = Serving::new(1, 100);
        let nobody: &[Replica] = &[];
        assert_eq!(serving.attainment(nobody, 1.0, 1e9), 0.0);
        assert_eq!(serving.peak_rate(nobody, 1e9), 0.0);
    }
}
