//! A pipeline out of runs: which classes, in which order, with how many layers each.
//!
//! The stages of a class follow one another, round the ring of those who hand tokens on. Where hops
//! are no detours (`a` to `c` takes no longer than `a` to `b` to `c`) and none is shorter than within
//! a machine, no other order is faster.

use std::rc::Rc;

use super::{
    STEP_NS, Tables,
    front::Depth,
    order::{self, Step},
    table::{Role, Table},
};
use crate::{ground::Ground, kind::Regime};

/// Of more classes not every order is looked at, however deeply one looks.
pub(super) const ORDERED_MAX: usize = 6;

/// Stages before they have devices: (class, kind, layers).
pub(crate) type Chain = Vec<(usize, usize, u32)>;

/// Runs in their order: (place in the group, role, layers).
type Runs = Vec<(usize, Role, usize)>;

/// What a search over the classes of one group works with.
struct Group<'a> {
    ground: &'a Ground,
    all: &'a Tables<'a>,
    /// (class, devices), and its runs.
    members: &'a [(usize, usize)],
    tables: Vec<Rc<Table>>,
    hops: Vec<Vec<f64>>,
    returns: Vec<Vec<f64>>,
    layers: usize,
    /// What takes longer is of no use.
    latest_ms: f64,
    /// Whether stages may be busy for any time.
    unbound: bool,
}

/// The times of a class's runs, by their layers.
struct Rows<'t> {
    first: &'t [f64],
    middle: &'t [f64],
    last: &'t [f64],
    /// The most layers of one in the middle, and of one that is last.
    most: usize,
    last_most: usize,
}

/// The chain with the lowest time of a request; none if no chain fits.
pub(crate) fn join(
    ground: &Ground,
    tables: &Tables<'_>,
    members: &[(usize, usize)],
    (regime, limit_ms, latest_ms): (Regime, f64, f64),
    depth: Depth,
) -> Option<Chain> {
    let of = |members: &[(usize, usize)]| {
        Group::new(ground, tables, members, (regime, limit_ms, latest_ms)).best(depth)
    };
    let mut best = of(members);
    if depth.exact() && ground.rules.token_return && members.len() > 1 {
        // The way is a ring: a class may be both its beginning and its end.
        for (place, (class, count)) in members.iter().enumerate() {
            for first in 1..*count {
                let mut split = members.to_vec();
                split[place].1 = first;
                split.push((*class, count - first));
                best = better(best, of(&split));
            }
        }
    }
    best.map(|(_, chain)| chain)
}

fn better(a: Option<(f64, Chain)>, b: Option<(f64, Chain)>) -> Option<(f64, Chain)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

impl<'t> Rows<'t> {
    fn of(table: &'t Table, devices: usize) -> Self {
        let [first, middle, last] =
            [Role::First, Role::Middle, Role::Last].map(|role| table.row(role, devices));
        let [most, last_most] = [Role::Middle, Role::Last].map(|role| table.most(role, devices));
        Self { first, middle, last, most, last_most }
    }
}

impl<'a> Group<'a> {
    fn new(
        ground: &'a Ground,
        tables: &'a Tables<'a>,
        members: &'a [(usize, usize)],
        (regime, limit_ms, latest_ms): (Regime, f64, f64),
    ) -> Self {
        let classes = || members.iter().map(|(class, _)| *class);
        let hop = |from: usize, to: usize| ground.next_within(from, to, 1, (regime, limit_ms));
        let row = |from: usize| classes().map(|to| hop(from, to)).collect();
        let back = |from: usize| classes().map(|to| ground.return_ms(from, to, regime)).collect();
        Self {
            ground,
            all: tables,
            members,
            tables: classes().map(|class| tables.get(class, regime, limit_ms)).collect(),
            hops: classes().map(row).collect(),
            returns: classes().map(back).collect(),
            layers: ground.model.layers as usize,
            latest_ms,
            unbound: limit_ms.is_infinite(),
        }
    }

    fn best(&self, depth: Depth) -> Option<(f64, Chain)> {
        let count = self.members.len();
        let every = || self.every_order(depth.exact());
        let together = if count < 2 {
            None
        } else if count <= depth.ordered_max() {
            every()
        } else {
            // Whether there is a pipeline of use at all is not left to luck.
            let likely = self.likely_orders(depth).filter(|(ms, _)| *ms <= self.latest_ms);
            likely.or_else(|| (self.unbound && count <= ORDERED_MAX).then(every)?)
        };
        better(self.alone(), together)
    }
}

impl Group<'_> {
    fn run(&self, place: usize, role: Role, layers: usize) -> f64 {
        self.tables[place].ms(role, self.members[place].1, layers)
    }

    fn chain(&self, runs: &[(usize, Role, usize)]) -> Chain {
        let stages = |(place, role, layers): &(usize, Role, usize)| {
            let (class, devices) = self.members[*place];
            let run = self.tables[*place].run(*role, devices, *layers);
            run.into_iter().map(move |(kind, layers)| (class, kind, layers))
        };
        runs.iter().flat_map(stages).collect()
    }

    /// The best of pipelines within one class.
    fn alone(&self) -> Option<(f64, Chain)> {
        if !self.ground.rules.idle && self.members.len() > 1 {
            return None;
        }
        let time = |place: usize| {
            let run = match self.inner(place) {
                None => self.run(place, Role::Only, self.layers),
                Some(_) => f64::INFINITY,
            };
            let back = self.returns[place][place];
            let many =
                || self.tables[place].run(Role::Only, self.members[place].1, self.layers).len() > 1;
            run + if run.is_finite() && back > 0.0 && many() { back } else { 0.0 }
        };
        let times: Vec<f64> = (0..self.members.len()).map(time).collect();
        let best = (0..times.len()).min_by(|a, b| times[*a].total_cmp(&times[*b]))?;
        let ms = times[best];
        ms.is_finite().then(|| (ms, self.chain(&[(best, Role::Only, self.layers)])))
    }

    /// Every subset in every order: a dynamic programme over the classes used, the last of them and
    /// the layers covered. Where tokens pay their way back it is done for each class that is first,
    /// or, if it need not be exact, for all at once, and the way back is added to what is found.
    fn every_order(&self, exact: bool) -> Option<(f64, Chain)> {
        let count = self.members.len();
        let all: Vec<usize> = (0..count).collect();
        let returns = exact && self.ground.rules.token_return;
        let firsts: Vec<&[usize]> = if returns { all.chunks(1).collect() } else { vec![&all] };
        let found =
            firsts.into_iter().filter_map(|firsts| self.shortest(&self.all.steps(count, firsts)));
        found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(ms, runs)| (ms, self.chain(&runs)))
    }

    /// For many classes: from each of a few firsts the nearest next, any of which may be left out.
    fn likely_orders(&self, depth: Depth) -> Option<(f64, Chain)> {
        let count = self.members.len();
        let starts = depth.starts();
        let found = (0..starts).filter_map(|start| {
            let start = start * (count - 1) / (starts - 1);
            let nearest = order::nearest(count, start, |from, to| self.hops[from][to]);
            let found = self.shortest(&order::one(&nearest));
            found.filter(|(_, runs)| self.ground.rules.idle || runs.len() == count)
        });
        found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(ms, runs)| (ms, self.chain(&runs)))
    }

    /// The best chain of runs along steps: for each, the least time by the layers covered.
    fn shortest(&self, steps: &[Step]) -> Option<(f64, Runs)> {
        self.all.worked((steps.len() * self.layers) as u64 * STEP_NS);
        let width = self.layers + 1;
        let rows: Vec<Rows<'_>> = (self.tables.iter().zip(self.members))
            .map(|(table, (_, devices))| Rows::of(table, *devices))
            .collect();
        let mut cells = vec![f64::INFINITY; steps.len() * width];
        let mut base = vec![f64::INFINITY; width];
        for (number, step) in steps.iter().enumerate() {
            let (done, rest) = cells.split_at_mut(number * width);
            let here = &mut rest[..width];
            let inner = self.inner(step.place);
            if step.first && inner.is_none() {
                here[..self.layers].copy_from_slice(&rows[step.place].first[..self.layers]);
            }
            base.fill(f64::INFINITY);
            for &before in &step.before {
                let hop = self.hops[steps[before].place][step.place];
                let from = &done[before * width..][..self.layers];
                for (base, ms) in base.iter_mut().zip(from) {
                    let ms = ms + hop;
                    *base = if ms < *base { ms } else { *base };
                }
            }
            self.extend(&base, &rows[step.place], inner, here);
        }
        let time = |number: usize| cells[number * width + self.layers];
        let shortest_way =
            |place: usize| self.returns[place].iter().copied().fold(f64::INFINITY, f64::min);
        let least = |number: usize| time(number) + shortest_way(steps[number].place);
        let mut ends: Vec<(f64, usize)> = (0..steps.len())
            .filter(|number| steps[*number].last)
            .map(|number| (least(number), number))
            .filter(|(ms, _)| ms.is_finite())
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut best: Option<(f64, Runs)> = None;
        for (least, end) in ends {
            if best.as_ref().is_some_and(|(best, _)| least >= *best) {
                break;
            }
            let runs = self.walk(steps, &rows, &cells, end);
            let ms = time(end) + self.returns[steps[end].place][runs[0].0];
            if ms.is_finite() && best.as_ref().is_none_or(|(best, _)| ms < *best) {
                best = Some((ms, runs));
            }
        }
        best
    }

    /// The layers that a class must keep to if it may not hold all.
    fn inner(&self, place: usize) -> Option<(usize, usize)> {
        let ends = &self.ground.ends;
        let free = ends.may(self.ground.classes[self.members[place].0].machines[0]);
        let end = self.layers.saturating_sub(ends.layers as usize);
        (!free).then_some((ends.layers as usize, end))
    }

    /// Runs of one more class behind what is covered so far. The loops are so that the compiler can
    /// take several layers at once; who led to a cell is found when it is asked for.
    fn extend(
        &self,
        base: &[f64],
        rows: &Rows<'_>,
        inner: Option<(usize, usize)>,
        here: &mut [f64],
    ) {
        let (begin, end) = inner.unwrap_or((1, self.layers - 1));
        for covered in begin..self.layers {
            let from = base[covered];
            if !from.is_finite() || from > self.latest_ms {
                continue;
            }
            let end = end.min(covered + rows.most).max(covered);
            for (cell, run) in here[covered + 1..=end].iter_mut().zip(&rows.middle[1..]) {
                let ms = from + run;
                *cell = if ms < *cell { ms } else { *cell };
            }
            if inner.is_none() {
                let whole = from + rows.last[self.layers - covered];
                here[self.layers] =
                    if whole < here[self.layers] { whole } else { here[self.layers] };
            }
        }
    }

    /// The runs that led to a step with all layers covered.
    fn walk(&self, steps: &[Step], rows: &[Rows<'_>], cells: &[f64], end: usize) -> Runs {
        let at = |number: usize, covered: usize| cells[number * (self.layers + 1) + covered];
        let (mut runs, mut number, mut covered) = (Vec::new(), end, self.layers);
        loop {
            let (step, rows) = (&steps[number], &rows[steps[number].place]);
            let role = if covered == self.layers { Role::Last } else { Role::Middle };
            let begins = step.first && self.inner(step.place).is_none();
            if begins && role == Role::Middle && rows.first[covered] == at(number, covered) {
                runs.push((step.place, Role::First, covered));
                break;
            }
            let (row, most) = match role {
                Role::Last => (rows.last, rows.last_most),
                _ => (rows.middle, rows.most),
            };
            let led = |run: usize, before: usize| {
                let hop = self.hops[steps[before].place][step.place];
                at(before, covered - run) + hop + row[run] == at(number, covered)
            };
            let longest = most.min(covered - 1);
            let runs_of = (1..=longest).flat_map(|r| step.before.iter().map(move |b| (r, *b)));
            let Some((run, before)) = runs_of.into_iter().find(|(r, b)| led(*r, *b)) else { break };
            runs.push((step.place, role, run));
            (number, covered) = (before, covered - run);
        }
        runs.reverse();
        runs
    }
}
