//! Groups that are known, what each of them adds to a rate, and the prices of devices at which none is
//! worth more than it costs.

use std::rc::Rc;

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
pub(super) struct Offer {
    pub(super) group: Group,
    pub(super) adds: (f64, f64),
    pub(super) shortfall: f64,
}

/// All of them, those that fall least short first.
pub(super) struct Offers {
    pub(super) all: Vec<Offer>,
    /// Of a device of each class.
    pub(super) prices: Vec<f64>,
}

/// A group and the pipelines that it can be.
pub(super) type Known = (Group, Rc<Vec<Layout>>);

impl Offers {
    /// Out of groups in order, with so many devices of each class, near some of them that serve
    /// together; none if no pipeline of those is in time, or time is all that counts.
    pub(super) fn new(
        known: &[Known],
        counts: &[usize],
        (objective, together): (Objective, &[Group]),
    ) -> Option<Self> {
        let deadline_ms = match objective {
            Objective::Slo { deadline_ms } => deadline_ms,
            Objective::Throughput => f64::INFINITY,
            Objective::Latency => return None,
        };
        let held = together.iter().filter_map(|group| {
            let place = known.binary_search_by(|(other, _)| other.cmp(group)).ok()?;
            Some(&known[place].1[..])
        });
        // What each adds depends on which of its pipelines is chosen, and so does the slope.
        let first = slope(held.clone(), deadline_ms, (1.0, 0.0));
        let slope = slope(held, deadline_ms, first);
        if worth(slope, (1.0, 1.0)) <= 0.0 {
            return None;
        }
        let fit =
            |(group, front): &Known| Some((group.clone(), best_of(front, deadline_ms, slope)?));
        let fit: Vec<(Group, (f64, f64))> = known.iter().filter_map(fit).collect();
        let priced: Vec<(&Group, f64)> =
            fit.iter().map(|(group, adds)| (group, worth(slope, *adds))).collect();
        let prices = prices(&priced, counts);
        let offer = |(group, adds): (Group, _)| {
            let shortfall = cost(&prices, &group) - worth(slope, adds);
            Offer { group, adds, shortfall }
        };
        let mut all: Vec<Offer> = fit.into_iter().map(offer).collect();
        all.sort_by(|a, b| a.shortfall.total_cmp(&b.shortfall).then_with(|| a.group.cmp(&b.group)));
        Some(Self { all, prices })
    }
}

fn worth(slope: (f64, f64), adds: (f64, f64)) -> f64 {
    slope.0 * adds.0 + slope.1 * adds.1
}

/// What the pipeline of a group adds that is worth most, of those that are in time.
fn best_of(front: &[Layout], deadline_ms: f64, slope: (f64, f64)) -> Option<(f64, f64)> {
    let timely = front.iter().filter(|layout| layout.latency_ms <= deadline_ms);
    let adds = timely.map(|layout| match deadline_ms.is_finite() {
        true => crowd(&layout.replica(), deadline_ms),
        false => (1e3 / layout.period_ms, f64::MAX),
    });
    adds.max_by(|a, b| worth(slope, *a).total_cmp(&worth(slope, *b)))
}

/// How much the rate of all together rises with what one more adds.
fn slope<'a>(
    held: impl Iterator<Item = &'a [Layout]>,
    deadline_ms: f64,
    by: (f64, f64),
) -> (f64, f64) {
    likely_worth(summed(held.filter_map(|front| best_of(front, deadline_ms, by))))
}

fn cost(prices: &[f64], group: &Group) -> f64 {
    group.iter().map(|(class, count)| prices[*class] * *count as f64).sum()
}

/// Garg and Könemann's multiplicative weights for fractional packing: what the group uses that is worth
/// most for its cost gets dearer.
fn prices(worths: &[(&Group, f64)], counts: &[usize]) -> Vec<f64> {
    let mut prices: Vec<f64> = counts.iter().map(|count| 1.0 / (*count).max(1) as f64).collect();
    let (mut best, mut least) = (prices.clone(), f64::INFINITY);
    for _ in 0..MENDED {
        let ratios = worths.iter().map(|(group, worth)| (worth / cost(&prices, group), *group));
        let Some((most, dear)) = ratios.max_by(|a, b| a.0.total_cmp(&b.0)) else { break };
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
        let groups = [vec![(0, 2)], vec![(0, 1), (1, 1)], vec![(1, 3)], vec![(0, 4), (1, 3)]];
        let worths: Vec<(&Group, f64)> = groups.iter().zip([3.0, 2.0, 1.0, 7.0]).collect();
        let counts = [4, 3];
        let prices = prices(&worths, &counts);
        for (group, worth) in worths {
            assert!(cost(&prices, group) >= worth - 1e-9, "{prices:?}");
        }
        // Half of the first and three times the second, if there were halves.
        let all: f64 = prices.iter().zip(counts).map(|(price, count)| price * count as f64).sum();
        assert!((7.5 - 1e-9..7.55).contains(&all), "{all} {prices:?}");
    }
}
