//! Groups that were looked at, put together anew.

use super::{
    Decoder, Group, Objective, Partition,
    columns::{Column, Columns},
};
use crate::serve::{likely_rate, summed};

/// So many partitions are worth a trial, and so many for each few groups that are let go.
const TRIED: usize = 24;
const TRIED_EACH: usize = 3;
/// So many groups at once are let go, or all if there are few; and so often at most.
const LET_GO: usize = 3;
const FEW: usize = 4;
const OFTEN: usize = 84;
/// So many ways to use the classes so far are gone on with.
const WAYS: usize = 60;
/// About what looking at a group takes, once for all and for each few that are let go.
const PRICED_NS: u64 = 9_000;
const FITTED_NS: u64 = 100;

/// Groups in place of those that were let go.
#[derive(Clone)]
struct Way {
    columns: Vec<usize>,
    left: Vec<usize>,
    loss: f64,
    adds: (f64, f64),
}

/// Partitions near one, a few groups of which are let go and others that are known put in their place;
/// those that likely serve most first.
pub(crate) fn regroup(
    decoder: &Decoder<'_>,
    objective: Objective,
    best: &Partition,
) -> Vec<Partition> {
    let (ground, known) = (decoder.ground, decoder.known());
    let counts: Vec<usize> = ground.classes.iter().map(|class| class.count()).collect();
    let all = known.iter().map(|(group, front)| (group, &front[..]));
    let Some(columns) = Columns::new(all, &counts, (objective, &best.groups)) else {
        return Vec::new();
    };
    // The dearest first: whether they are used well decides most.
    let mut order: Vec<usize> = (0..counts.len()).collect();
    let dear = |class: usize| columns.prices[class] * counts[class] as f64;
    order.sort_by(|a, b| dear(*b).total_cmp(&dear(*a)).then(a.cmp(b)));
    let adds = |group: &Group| {
        let found = columns.all.iter().find(|column| column.group == *group);
        found.map_or((0.0, 0.0), |column| column.adds)
    };
    let now: Vec<(f64, f64)> = best.groups.iter().map(adds).collect();
    let mut found: Vec<(f64, Partition)> = Vec::new();
    let each = let_go(best.groups.len());
    let work_ns = PRICED_NS + each.len() as u64 * FITTED_NS;
    decoder.worked(columns.all.len() as u64 * work_ns);
    for gone in each {
        let stay = || (0..now.len()).filter(|place| !gone.contains(place));
        let mut left = best.idle.clone();
        let free = gone.iter().flat_map(|place| &best.groups[*place]);
        free.for_each(|(class, count)| left[*class] += count);
        let begun = Way {
            columns: Vec::new(),
            left,
            loss: 0.0,
            adds: summed(stay().map(|place| now[place])),
        };
        for (rate, groups) in filled(&columns, &order, begun) {
            let all = stay().map(|place| best.groups[place].clone()).chain(groups).collect();
            found.push((rate, Partition::new(ground, all)));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    found.dedup();
    let others = found.into_iter().map(|(_, partition)| partition).filter(|next| next != best);
    others.take(TRIED).collect()
}

/// Which groups are let go together.
fn let_go(groups: usize) -> Vec<Vec<usize>> {
    let size = if groups <= FEW { groups } else { LET_GO };
    let longer = |set: Vec<usize>| {
        let from = set.last().map_or(0, |last| last + 1);
        (from..groups).map(move |next| [&set[..], &[next]].concat())
    };
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..size {
        all = all.into_iter().flat_map(longer).collect();
    }
    all.truncate(OFTEN);
    all
}

/// The best ways to use devices, with their likely rate.
fn filled(columns: &Columns, order: &[usize], begun: Way) -> Vec<(f64, Vec<Group>)> {
    let fits = |column: &&Column| begun.fits(column);
    let fit: Vec<&Column> = columns.all.iter().filter(fits).collect();
    let held: Vec<usize> = order.iter().copied().filter(|class| begun.left[*class] > 0).collect();
    let mut ways = vec![begun];
    for class in held {
        ways = used(&fit, columns.prices[class], ways, class);
    }
    let rate = |way: &Way| likely_rate(way.adds);
    ways.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    ways.truncate(TRIED_EACH);
    let groups = |way: &Way| way.columns.iter().map(|n| fit[*n].group.clone()).collect();
    ways.iter().map(|way| (rate(way), groups(way))).collect()
}

/// Ways to use what is left of one class, or to leave it idle.
fn used(columns: &[&Column], price: f64, ways: Vec<Way>, class: usize) -> Vec<Way> {
    let holds = |n: &usize| columns[*n].group.iter().any(|(of, _)| *of == class);
    let of_class: Vec<usize> = (0..columns.len()).filter(holds).collect();
    let mut done: Vec<Way> = Vec::new();
    // With the place of the last column in `of_class`: each set of columns is met once.
    let mut open: Vec<(Way, usize)> = ways.into_iter().map(|way| (way, 0)).collect();
    while !open.is_empty() {
        let bar = best_of(&mut done);
        let mut next: Vec<(Way, usize)> = Vec::new();
        for (way, from) in open {
            for (place, n) in of_class.iter().enumerate().skip(from) {
                if way.loss + columns[*n].loss > bar {
                    break;
                }
                if way.fits(columns[*n]) {
                    next.push((way.with(*n, columns[*n]), place));
                }
            }
            done.push(way.idle(class, price));
        }
        next.sort_by(|a, b| a.0.loss.total_cmp(&b.0.loss));
        next.truncate(WAYS);
        open = next;
    }
    best_of(&mut done);
    done
}

/// Keeps those that lose least, and says what the worst of them loses, once there are enough.
fn best_of(ways: &mut Vec<Way>) -> f64 {
    ways.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    ways.truncate(WAYS);
    ways.get(WAYS - 1).map_or(f64::INFINITY, |way| way.loss)
}

impl Way {
    fn fits(&self, column: &Column) -> bool {
        column.group.iter().all(|(class, count)| self.left[*class] >= *count)
    }

    fn with(&self, number: usize, column: &Column) -> Self {
        let mut more = self.clone();
        more.columns.push(number);
        column.group.iter().for_each(|(class, count)| more.left[*class] -= count);
        more.loss += column.loss;
        more.adds = summed([more.adds, column.adds].into_iter());
        more
    }

    fn idle(mut self, class: usize, price: f64) -> Self {
        self.loss += price * self.left[class] as f64;
        self.left[class] = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_groups_are_let_go_together() {
        assert_eq!(let_go(0), vec![Vec::<usize>::new()]);
        assert_eq!(let_go(4), vec![vec![0, 1, 2, 3]]);
        assert_eq!(let_go(5).len(), 10);
        assert_eq!(let_go(40).len(), OFTEN);
    }

    #[test]
    fn what_is_free_is_used_for_what_is_worth_most() {
        let column = |group: &[(usize, usize)], adds: f64, loss: f64| Column {
            group: group.to_vec(),
            adds: (adds, 50.0),
            loss,
        };
        // A device of the first class costs 2, one of the second 1.
        let all = vec![
            column(&[(0, 1), (1, 1)], 3.0, 0.0),
            column(&[(0, 2)], 3.5, 0.5),
            column(&[(1, 2)], 1.0, 1.0),
            column(&[(0, 3)], 1.0, 5.0),
        ];
        let columns = Columns { all, prices: vec![2.0, 1.0] };
        let begun = Way { columns: Vec::new(), left: vec![2, 1], loss: 0.0, adds: (10.0, 100.0) };
        let ways = filled(&columns, &[0, 1], begun);
        let groups: Vec<_> = ways.iter().map(|(_, groups)| groups.clone()).collect();
        assert_eq!(groups, vec![vec![vec![(0, 2)]], vec![vec![(0, 1), (1, 1)]], vec![]]);
    }
}
