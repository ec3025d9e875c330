//! Groups that are known, what each of them adds to a rate, and the prices of devices at which none is
//! worth more than it costs.

use super::{Group, Objective};
use crate::{
    phase1::Layout,
    serve::{crowd, likely_worth, summed},
};

/// How often the prices are mended, and by how much.
const MENDED: usize = 300;
const MEND: f64 = 0.1;

/// A group, what it adds to [`crate::serve::likely_rate`], and how much less that is worth than its
/// devices cost.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) group: Group,
    pub(super) adds: (f64, f64),
    pub(super) loss: f64,
}

/// All of them, those that lose least first.
pub(super) struct Columns {
    pub(super) all: Vec<Column>,
    /// Of a device of each class.
    pub(super) prices: Vec<f64>,
}

impl Columns {
    /// Out of every group and its pipelines, with so many devices of each class, near some groups that
    /// serve together; none if no pipeline of theirs is in time.
    pub(super) fn new<'a>(
        known: impl Iterator<Item = (&'a Group, &'a [Layout])> + Clone,
        counts: &[usize],
        (objective, near): (Objective, &[Group]),
    ) -> Option<Self> {
        let deadline_ms = match objective {
            Objective::Slo { deadline_ms } => deadline_ms,
            Objective::Throughput => f64::INFINITY,
            Objective::Latency => return None,
        };
        let timely = |front: &'a [Layout]| {
            let timely = front.iter().filter(move |layout| layout.latency_ms <= deadline_ms);
            timely.map(move |layout| match deadline_ms.is_finite() {
                true => crowd(&layout.replica(), deadline_ms),
                false => (1e3 / layout.period_ms, f64::MAX),
            })
        };
        let together = known.clone().filter(|(group, _)| near.contains(group));
        let most = |(_, front)| timely(front).max_by(|a, b| a.0.total_cmp(&b.0));
        let slope = likely_worth(summed(together.filter_map(most)));
        let worth = |adds: (f64, f64)| slope.0 * adds.0 + slope.1 * adds.1;
        let column = |(group, front): (&Group, _)| {
            let adds = timely(front).max_by(|a, b| worth(*a).total_cmp(&worth(*b)))?;
            Some(Column { group: group.clone(), adds, loss: -worth(adds) })
        };
        let mut all: Vec<Column> = known.filter_map(column).collect();
        if all.is_empty() || worth((1.0, 1.0)) <= 0.0 {
            return None;
        }
        let prices = prices(&all, counts);
        all.iter_mut().for_each(|column| column.loss += cost(&prices, &column.group));
        all.sort_by(|a, b| a.loss.total_cmp(&b.loss).then_with(|| a.group.cmp(&b.group)));
        Some(Self { all, prices })
    }
}

fn cost(prices: &[f64], group: &Group) -> f64 {
    group.iter().map(|(class, count)| prices[*class] * *count as f64).sum()
}

/// Garg and Könemann's multiplicative weights for fractional packing: what the group uses that is worth
/// most for its cost gets dearer.
fn prices(columns: &[Column], counts: &[usize]) -> Vec<f64> {
    let mut prices: Vec<f64> = counts.iter().map(|count| 1.0 / (*count).max(1) as f64).collect();
    let (mut best, mut least) = (prices.clone(), f64::INFINITY);
    for _ in 0..MENDED {
        let ratio = |column: &Column| -column.loss / cost(&prices, &column.group);
        let all = columns.iter().map(|column| (ratio(column), &column.group));
        let Some((most, dear)) = all.max_by(|a, b| a.0.total_cmp(&b.0)) else { break };
        let sum = most * prices.iter().zip(counts).map(|(p, n)| p * *n as f64).sum::<f64>();
        if sum < least {
            least = sum;
            best = prices.iter().map(|price| price * most).collect();
        }
        let part = |(class, count): &(usize, usize)| *count as f64 / counts[*class].max(1) as f64;
        let full = dear.iter().map(part).fold(0.0, f64::max);
        dear.iter().for_each(|held| prices[held.0] *= 1.0 + MEND * part(held) / full);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_its_price_no_group_is_worth_more_than_it_costs() {
        let column = |group: &[(usize, usize)], worth: f64| Column {
            group: group.to_vec(),
            adds: (worth, 0.0),
            loss: -worth,
        };
        let columns = [
            column(&[(0, 2)], 3.0),
            column(&[(0, 1), (1, 1)], 2.0),
            column(&[(1, 3)], 1.0),
            column(&[(0, 4), (1, 3)], 7.0),
        ];
        let counts = [4, 3];
        let prices = prices(&columns, &counts);
        for column in &columns {
            assert!(cost(&prices, &column.group) >= -column.loss - 1e-9, "{prices:?}");
        }
        // Half of the first and three times the second, if there were halves.
        let all: f64 = prices.iter().zip(counts).map(|(price, count)| price * count as f64).sum();
        assert!((7.5 - 1e-9..7.55).contains(&all), "{all} {prices:?}");
    }
}
