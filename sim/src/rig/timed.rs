//! Devices that were watched: batches of the stage that they held, and how long each took.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::Batch;

use super::load::Load;

/// A device that takes as long as batches of its stage took it, by their rows and by the tokens that
/// a row looks back at. It knows no layers: in another stage it takes as long as in that one.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed(Vec<Line>);

/// Batches of so many rows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    rows: f64,
    /// What they took on average, and the tokens that a row of them looked back at.
    seconds: f64,
    seen: f64,
    /// Seconds for each token more.
    slope: f64,
    /// What the shortest took.
    least: f64,
}

impl Timed {
    /// A device that took so long for each of these; none if there are none.
    pub fn of<'a>(batches: impl IntoIterator<Item = (&'a Batch, Duration)>) -> Option<Self> {
        let mut alike: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for (batch, took) in batches.into_iter().filter(|(batch, _)| batch.rows() > 0) {
            let load = Load::of(batch);
            alike
                .entry(batch.rows())
                .or_default()
                .push((load.seen / load.rows, took.as_secs_f64()));
        }
        let lines: Vec<_> =
            alike.iter().map(|(rows, points)| Line::through(*rows, points)).collect();
        (!lines.is_empty()).then_some(Self(lines))
    }

    /// On the straight line between the two nearest numbers of rows; fewer than any take as long as
    /// the fewest, and more than any in proportion.
    pub(super) fn span(&self, load: Load) -> Duration {
        let seen = load.seen / load.rows.max(1.0);
        let after = self.0.partition_point(|line| line.rows < load.rows);
        let seconds = match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (None, None) => 0.0,
            (None, Some(first)) => first.at(seen),
            (Some(last), None) => last.at(seen) * load.rows / last.rows,
            (Some(low), Some(high)) => {
                let part = (load.rows - low.rows) / (high.rows - low.rows);
                low.at(seen) * (1.0 - part) + high.at(seen) * part
            }
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Line {
    /// The line that is nearest to these points by least squares.
    fn through(rows: usize, points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (seen, seconds) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|(x, _)| (x - seen).powi(2)).sum();
        let together: f64 = points.iter().map(|(x, y)| (x - seen) * (y - seconds)).sum();
        let slope = if spread > 0.0 { together / spread } else { 0.0 };
        let least = points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
        Self { rows: rows as f64, seconds, seen, slope, least }
    }

    fn at(self, seen: f64) -> f64 {
        (self.seconds + self.slope * (seen - self.seen)).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::Item;

    use super::*;

    fn batch(position: u32, rows: usize) -> Batch {
        let item = Item { position, tokens: vec![1; rows], blocks: vec![0].into(), sample: None };
        Batch { items: vec![item] }
    }

    fn ms(timed: &Timed, position: u32, rows: usize) -> f64 {
        timed.span(Load::of(&batch(position, rows))).as_secs_f64() * 1e3
    }

    #[test]
    fn batches_take_what_others_like_them_took() {
        let steps = [(10, 4), (20, 5), (30, 6)].map(|(at, ms)| (batch(at, 1), ms));
        let prompts = [(0, 21), (0, 19)].map(|(at, ms)| (batch(at, 11), ms));
        let all: Vec<_> = steps.into_iter().chain(prompts).collect();
        let all = all.iter().map(|(batch, ms)| (batch, Duration::from_millis(*ms)));
        let timed = Timed::of(all).unwrap();
        let about = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-6, "{found}");
        about(ms(&timed, 20, 1), 5.0);
        about(ms(&timed, 40, 1), 7.0);
        about(ms(&timed, 0, 1), 4.0); // never less than the shortest
        about(ms(&timed, 0, 11), 20.0);
        about(ms(&timed, 0, 22), 40.0);
        // Half way between a step and eleven rows, each seen from the same place.
        about(ms(&timed, 20, 6), (5.25 + 20.0) / 2.0);
        assert_eq!(Timed::of([]), None);
    }
}
