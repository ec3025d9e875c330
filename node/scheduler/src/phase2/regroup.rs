//! Groups that were looked at, put together anew.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Decoder, Group, Objective, Partition,
    offers::{Offer, Offers},
};
use crate::serve::{likely_rate, summed};

/// So many partitions are worth a trial, and at least so many for each few groups that are let go.
const TRIED: usize = 24;
const TRIED_EACH: usize = 3;
/// So many groups at once are let go, or all if there are few; and so often at most.
const LET_GO: usize = 3;
const FEW: usize = 4;
const OFTEN: usize = 84;
/// Of more groups too few of what could be let go would be.
const GROUPS_MAX: usize = 24;
/// So many ways to use the classes so far are gone on with.
const KEPT: usize = 60;
/// About what looking at a group takes, once for all and for each few that are let go.
const PRICED_NS: u64 = 9_000;
const FITTED_NS: u64 = 100;

/// Groups in place of those that were let go.
#[derive(Clone)]
struct Filling {
    offers: Vec<usize>,
    left: Vec<usize>,
    shortfall: f64,
    adds: (f64, f64),
}

/// Partitions near one, a few groups of which are let go and others that are known put in their place;
/// those that likely serve most first, and none twice.
pub(crate) fn regroup(
    decoder: &Decoder<'_>,
    objective: Objective,
    best: &Partition,
) -> Vec<Partition> {
    if best.groups.len() > GROUPS_MAX {
        return Vec::new();
    }
    let (ground, known) = (decoder.ground, decoder.known());
    let counts: Vec<usize> = ground.classes.iter().map(|class| class.count()).collect();
    let Some(offers) = Offers::new(&known, &counts, (objective, &best.groups)) else {
        return Vec::new();
    };
    let each = let_go(&best.groups);
    let work_ns = PRICED_NS + each.len() as u64 * FITTED_NS;
    decoder.worked(offers.all.len() as u64 * work_ns);
    // The dearest first: whether they are used well decides most.
    let mut order: Vec<usize> = (0..counts.len()).collect();
    let dear = |class: usize| offers.prices[class] * counts[class] as f64;
    order.sort_by(|a, b| dear(*b).total_cmp(&dear(*a)).then(a.cmp(b)));
    let adds = |group: &Group| {
        let offer = offers.all.iter().find(|offer| offer.group == *group);
        offer.map_or((0.0, 0.0), |offer| offer.adds)
    };
    let now: Vec<(f64, f64)> = best.groups.iter().map(adds).collect();
    // One more, which is what is there now.
    let tried = TRIED_EACH.max(TRIED.div_ceil(each.len().max(1))) + 1;
    let mut found: BTreeMap<Partition, f64> = BTreeMap::new();
    for gone in &each {
        let (begun, stay) = without(best, &now, gone);
        for (rate, groups) in filled(&offers, &order, begun, tried) {
            let next = Partition::new(ground, [&stay[..], &groups].concat());
            // The same by another way is as much but for rounding.
            found.entry(next).or_insert(rate);
        }
    }
    found.remove(best);
    let mut found: Vec<(Partition, f64)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().take(TRIED).map(|(partition, _)| partition).collect()
}

/// Which groups are let go together: none of it twice, and if there are too many, some of all.
fn let_go(groups: &[Group]) -> Vec<Vec<usize>> {
    let size = if groups.len() <= FEW { groups.len() } else { LET_GO };
    let longer = |set: Vec<usize>| {
        let from = set.last().map_or(0, |last| last + 1);
        (from..groups.len()).map(move |next| [&set[..], &[next]].concat())
    };
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..size {
        all = all.into_iter().flat_map(longer).collect();
    }
    let mut seen = BTreeSet::new();
    all.retain(|set| seen.insert(set.iter().map(|place| &groups[*place]).collect::<Vec<_>>()));
    let count = all.len().min(OFTEN);
    (0..count).map(|n| all[n * all.len() / count].clone()).collect()
}

/// What is free if some groups are let go, beside what the others add, and those that stay.
fn without(best: &Partition, now: &[(f64, f64)], gone: &[usize]) -> (Filling, Vec<Group>) {
    let mut left = best.idle.clone();
    let free = gone.iter().flat_map(|place| &best.groups[*place]);
    free.for_each(|(class, count)| left[*class] += count);
    let stay = || (0..best.groups.len()).filter(|place| !gone.contains(place));
    let adds = summed(stay().map(|place| now[place]));
    let groups = stay().map(|place| best.groups[place].clone()).collect();
    (Filling { offers: Vec::new(), left, shortfall: 0.0, adds }, groups)
}

/// The best ways to use what is free, with the likely rate of all.
fn filled(
    offers: &Offers,
    order: &[usize],
    begun: Filling,
    count: usize,
) -> Vec<(f64, Vec<Group>)> {
    let fit: Vec<&Offer> = offers.all.iter().filter(|offer| begun.fits(offer)).collect();
    let held: Vec<usize> = order.iter().copied().filter(|class| begun.left[*class] > 0).collect();
    let mut all = vec![begun];
    for class in held {
        all = used(&fit, offers.prices[class], all, class);
    }
    let rate = |filling: &Filling| likely_rate(filling.adds);
    all.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    all.truncate(count);
    let groups = |filling: &Filling| filling.offers.iter().map(|n| fit[*n].group.clone()).collect();
    all.iter().map(|filling| (rate(filling), groups(filling))).collect()
}

/// Ways to use what is left of one class, or to leave it idle.
fn used(offers: &[&Offer], price: f64, begun: Vec<Filling>, class: usize) -> Vec<Filling> {
    let holds = |n: &usize| offers[*n].group.iter().any(|(of, _)| *of == class);
    let of_class: Vec<usize> = (0..offers.len()).filter(holds).collect();
    let mut done: Vec<Filling> = Vec::new();
    // With the place of the last offer in `of_class`: each set of offers is met once.
    let mut open: Vec<(Filling, usize)> = begun.into_iter().map(|filling| (filling, 0)).collect();
    while !open.is_empty() {
        let bar = least_short(&mut done);
        let mut next: Vec<(Filling, usize)> = Vec::new();
        for (filling, from) in open {
            let further = of_class.iter().enumerate().skip(from);
            let worse = |n: usize| filling.shortfall + offers[n].shortfall > bar;
            let fit = further.take_while(|(_, n)| !worse(**n));
            // They come in the order of what they fall short: of more none would be kept.
            let fit = fit.filter(|(_, n)| filling.fits(offers[**n])).take(KEPT);
            next.extend(fit.map(|(place, n)| (filling.with(*n, offers[*n]), place)));
            done.push(filling.idle(class, price));
        }
        next.sort_by(|a, b| a.0.shortfall.total_cmp(&b.0.shortfall));
        next.truncate(KEPT);
        open = next;
    }
    least_short(&mut done);
    done
}

/// Keeps those that fall least short, and says how short the worst of them falls, once there are enough.
fn least_short(all: &mut Vec<Filling>) -> f64 {
    all.sort_by(|a, b| a.shortfall.total_cmp(&b.shortfall));
    all.truncate(KEPT);
    all.get(KEPT - 1).map_or(f64::INFINITY, |filling| filling.shortfall)
}

impl Filling {
    fn fits(&self, offer: &Offer) -> bool {
        offer.group.iter().all(|(class, count)| self.left[*class] >= *count)
    }

    fn with(&self, number: usize, offer: &Offer) -> Self {
        let mut more = self.clone();
        more.offers.push(number);
        offer.group.iter().for_each(|(class, count)| more.left[*class] -= count);
        more.shortfall += offer.shortfall;
        more.adds = summed([more.adds, offer.adds].into_iter());
        more
    }

    fn idle(mut self, class: usize, price: f64) -> Self {
        self.shortfall += price * self.left[class] as f64;
        self.left[class] = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_groups_are_let_go_together() {
        let groups = |count: usize| (0..count).map(|class| vec![(class, 1)]).collect::<Vec<_>>();
        assert_eq!(let_go(&groups(0)), vec![Vec::<usize>::new()]);
        assert_eq!(let_go(&groups(4)), vec![vec![0, 1, 2, 3]]);
        assert_eq!(let_go(&groups(5)).len(), 10);
        let many = let_go(&groups(20));
        assert_eq!(many.len(), OFTEN);
        let ever: BTreeSet<usize> = many.into_iter().flatten().collect();
        assert_eq!(ever.len(), 20, "each is let go at some time");
        assert_eq!(let_go(&vec![vec![(0, 1)]; 9]).len(), 1, "equal ones once");
    }

    #[test]
    fn what_is_free_is_used_for_what_is_worth_most() {
        let offer = |group: &[(usize, usize)], adds: f64, shortfall: f64| Offer {
            group: group.to_vec(),
            adds: (adds, 50.0),
            shortfall,
        };
        // A device of the first class costs 2, one of the second 1.
        let all = vec![
            offer(&[(0, 1), (1, 1)], 3.0, 0.0),
            offer(&[(0, 2)], 3.5, 0.5),
            offer(&[(1, 2)], 1.0, 1.0),
            offer(&[(0, 3)], 1.0, 5.0),
        ];
        let offers = Offers { all, prices: vec![2.0, 1.0] };
        let begun =
            Filling { offers: Vec::new(), left: vec![2, 1], shortfall: 0.0, adds: (10.0, 100.0) };
        let found = filled(&offers, &[0, 1], begun, 5);
        let groups: Vec<_> = found.iter().map(|(_, groups)| groups.clone()).collect();
        assert_eq!(groups, vec![vec![vec![(0, 2)]], vec![vec![(0, 1), (1, 1)]], vec![]]);
    }
}
