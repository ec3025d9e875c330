//! Attainment by rate and by deadline, out of the times that simulated requests took.

use std::time::Duration;

use crate::rank;

/// What counts as met: the paper reads its curves at 99 %.
pub(super) const TARGET: f64 = 0.99;

/// Requests at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// On average.
    pub requests_per_s: f64,
    /// Times of those that were answered, in order.
    pub latencies: Vec<Duration>,
    /// How many there were.
    pub requests: usize,
}

/// A system at rising rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve(pub Vec<Point>);

impl Point {
    /// The part of the requests done within a deadline.
    pub fn attainment(&self, deadline: Duration) -> f64 {
        let met = self.latencies.partition_point(|latency| *latency <= deadline);
        met as f64 / self.requests.max(1) as f64
    }

    /// The deadline that 99 of 100 meet, if so many are answered at all.
    pub fn deadline(&self) -> Option<Duration> {
        self.latencies.get(rank::nearest(self.requests, TARGET)).copied()
    }
}

impl Curve {
    /// The highest rate at which 99 of 100 meet a deadline: between the last rate at which they do and
    /// the next, where a straight line says.
    pub fn peak_rate(&self, deadline: Duration) -> f64 {
        let met = |point: &Point| point.attainment(deadline);
        let Some(last) = self.last(deadline) else { return 0.0 };
        let at = &self.0[last];
        let Some(next) = self.0.get(last + 1) else { return at.requests_per_s };
        let part = (met(at) - TARGET) / (met(at) - met(next));
        at.requests_per_s + part * (next.requests_per_s - at.requests_per_s)
    }

    /// The last rate at which 99 of 100 meet a deadline, by its place.
    fn last(&self, deadline: Duration) -> Option<usize> {
        self.0.iter().rposition(|point| point.attainment(deadline) >= TARGET)
    }

    /// The same, and what it did there.
    pub fn last_met(&self, deadline: Duration) -> Option<&Point> {
        self.0.get(self.last(deadline)?)
    }

    /// In the middle of that rate and the next, by factors, if there is a next.
    pub(super) fn between(&self, deadline: Duration) -> Option<f64> {
        let last = self.last(deadline)?;
        let next = self.0.get(last + 1)?;
        Some((self.0[last].requests_per_s * next.requests_per_s).sqrt())
    }

    /// With one point more.
    pub(super) fn with(mut self, point: Point) -> Self {
        self.0.push(point);
        self.0.sort_by(|a, b| a.requests_per_s.total_cmp(&b.requests_per_s));
        self
    }

    /// What it did at the tried rate that is nearest, by factors.
    pub(super) fn near(&self, requests_per_s: f64) -> Option<&Point> {
        let far = |point: &&Point| (point.requests_per_s / requests_per_s).ln().abs();
        self.0.iter().min_by(|a, b| far(a).total_cmp(&far(b)))
    }

    /// What it did at a rate, if it was tried.
    pub fn at(&self, requests_per_s: f64) -> Option<&Point> {
        self.0.iter().find(|point| (point.requests_per_s / requests_per_s - 1.0).abs() < 1e-6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(requests_per_s: f64, ms: &[u64], requests: usize) -> Point {
        let latencies = ms.iter().copied().map(Duration::from_millis).collect();
        Point { requests_per_s, latencies, requests }
    }

    #[test]
    fn what_is_not_answered_is_not_in_time() {
        let half = point(1.0, &[10, 20], 4);
        assert_eq!(half.attainment(Duration::from_secs(9)), 0.5);
        assert_eq!(half.deadline(), None);
        let most: Vec<u64> = (1..=99).collect();
        assert_eq!(point(1.0, &most, 100).deadline(), Some(Duration::from_millis(99)));
        assert_eq!(point(1.0, &[], 0).attainment(Duration::MAX), 0.0);
    }

    #[test]
    fn the_peak_lies_between_the_last_rate_that_is_met_and_the_next() {
        let all = |late: u64| {
            let ms: Vec<u64> = (0..100).map(|n| if n < 100 - late { 1 } else { 50 }).collect();
            ms
        };
        let curve = Curve(vec![point(1.0, &all(0), 100), point(2.0, &all(2), 100)]);
        let peak = curve.peak_rate(Duration::from_millis(10));
        assert!((peak - 1.5).abs() < 1e-9, "{peak}");
        assert_eq!(curve.peak_rate(Duration::from_millis(50)), 2.0, "met at all that were tried");
        assert_eq!(curve.peak_rate(Duration::ZERO), 0.0);
        assert!(curve.at(2.0).is_some() && curve.at(3.0).is_none());
        let between = curve.between(Duration::from_millis(10)).unwrap();
        assert!((between - 2.0_f64.sqrt()).abs() < 1e-9, "{between}");
        assert_eq!(curve.between(Duration::from_millis(50)), None);
        let finer = curve.with(point(between, &all(0), 100));
        assert_eq!(finer.0[1].requests_per_s, between);
        assert_eq!(finer.near(1.1).unwrap().requests_per_s, 1.0);
    }
}
