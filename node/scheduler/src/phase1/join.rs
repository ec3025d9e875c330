//! A pipeline out of runs: which classes, in which order, with how many layers each.
//!
//! The stages of a class follow one another, round the ring of those who hand tokens on. Where hops
//! are no detours (`a` to `c` takes no longer than `a` to `b` to `c`) and none is shorter than within
//! a machine, no other order is faster.

use std::rc::Rc;

use super::{
    Tables,
    table::{Role, Table},
};
use crate::{ground::Ground, kind::Regime};

/// Up to so many classes, every order is looked at; above, a few.
const ORDERED_MAX: usize = 6;

/// Stages before they have devices: (class, kind, layers).
pub(crate) type Chain = Vec<(usize, usize, u32)>;

/// Runs in their order: (place in the group, role, layers).
type Runs = Vec<(usize, Role, usize)>;

#[derive(Clone, Copy)]
struct Cell {
    ms: f64,
    /// The state before, and the layers of the run that led here.
    from: usize,
    layers: usize,
}

const NONE: Cell = Cell { ms: f64::INFINITY, from: usize::MAX, layers: 0 };

/// What a search over the classes of one group works with.
struct Group<'a> {
    ground: &'a Ground,
    /// (class, devices), and its runs.
    members: &'a [(usize, usize)],
    tables: Vec<Rc<Table>>,
    hops: Vec<Vec<f64>>,
    returns: Vec<Vec<f64>>,
    layers: usize,
}

/// The chain with the lowest time of a request; none if no chain fits.
pub(crate) fn join(
    ground: &Ground,
    tables: &Tables<'_>,
    members: &[(usize, usize)],
    regime: Regime,
    limit_ms: f64,
    exact: bool,
) -> Option<Chain> {
    let of = |members: &[(usize, usize)]| {
        Group::new(ground, tables, members, regime, limit_ms).best(exact)
    };
    let mut best = of(members);
    if exact && ground.rules.token_return && members.len() > 1 {
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

impl<'a> Group<'a> {
    fn new(
        ground: &'a Ground,
        tables: &Tables<'_>,
        members: &'a [(usize, usize)],
        regime: Regime,
        limit_ms: f64,
    ) -> Self {
        let classes = || members.iter().map(|(class, _)| *class);
        let row = |from: usize| classes().map(|to| ground.next_ms(from, to, 1, regime)).collect();
        let back = |from: usize| classes().map(|to| ground.return_ms(from, to, regime)).collect();
        Self {
            ground,
            members,
            tables: classes().map(|class| tables.get(class, regime, limit_ms)).collect(),
            hops: classes().map(row).collect(),
            returns: classes().map(back).collect(),
            layers: ground.model.layers as usize,
        }
    }

    fn best(&self, exact: bool) -> Option<(f64, Chain)> {
        let together = if self.members.len() < 2 {
            None
        } else if self.members.len() <= ORDERED_MAX {
            self.every_order(exact)
        } else {
            self.likely_orders()
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
            let run = self.run(place, Role::Only, self.layers);
            let chain = || self.chain(&[(place, Role::Only, self.layers)]);
            let many = run.is_finite() && chain().len() > 1;
            run + if many { self.returns[place][place] } else { 0.0 }
        };
        let best = (0..self.members.len()).min_by(|a, b| time(*a).total_cmp(&time(*b)))?;
        let ms = time(best);
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
        let found = firsts.into_iter().filter_map(|firsts| self.every_order_from(firsts));
        found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(ms, runs)| (ms, self.chain(&runs)))
    }

    fn every_order_from(&self, firsts: &[usize]) -> Option<(f64, Runs)> {
        let (count, layers) = (self.members.len(), self.layers);
        let state = |mask: usize, last: usize, covered: usize| {
            (mask * count + last) * (layers + 1) + covered
        };
        let mut cells = vec![NONE; (count * (layers + 1)) << count];
        for &first in firsts {
            for covered in 1..layers {
                let ms = self.run(first, Role::First, covered);
                cells[state(1 << first, first, covered)] =
                    Cell { ms, from: usize::MAX, layers: covered };
            }
        }
        let has = |mask: usize, place: usize| mask >> place & 1 == 1;
        for mask in 1..1usize << count {
            for last in (0..count).filter(|last| has(mask, *last)) {
                for covered in 1..layers {
                    let at = state(mask, last, covered);
                    if !cells[at].ms.is_finite() {
                        continue;
                    }
                    for next in (0..count).filter(|next| !has(mask, *next)) {
                        let used = mask | 1 << next;
                        let base = cells[at].ms + self.hops[last][next];
                        if base.is_finite() {
                            self.extend(&mut cells, base, at, next, covered, |to| {
                                state(used, next, to)
                            });
                        }
                    }
                }
            }
        }
        let place = |at: usize| at / (layers + 1) % count;
        let all = (1usize << count) - 1;
        let mut best: Option<(f64, usize)> = None;
        for mask in if self.ground.rules.idle { 1..=all } else { all..=all } {
            for last in 0..count {
                let at = state(mask, last, layers);
                if !cells[at].ms.is_finite() {
                    continue;
                }
                let ms = cells[at].ms + self.returns[last][place(first_of(&cells, at))];
                if best.is_none_or(|(best, _)| ms < best) {
                    best = Some((ms, at));
                }
            }
        }
        best.filter(|(ms, _)| ms.is_finite()).map(|(ms, at)| (ms, self.walk(&cells, at, place)))
    }

    /// Runs of one more class behind a state.
    fn extend(
        &self,
        cells: &mut [Cell],
        base: f64,
        from: usize,
        next: usize,
        covered: usize,
        state: impl Fn(usize) -> usize,
    ) {
        let last = &self.tables[next];
        for run in 1..=last.most(self.members[next].1).min(self.layers - covered) {
            let role = if covered + run == self.layers { Role::Last } else { Role::Middle };
            let ms = base + self.run(next, role, run);
            let cell = &mut cells[state(covered + run)];
            if ms < cell.ms {
                *cell = Cell { ms, from, layers: run };
            }
        }
    }

    fn walk(&self, cells: &[Cell], end: usize, place: impl Fn(usize) -> usize) -> Runs {
        let mut runs = Vec::new();
        let mut at = end;
        while at != usize::MAX {
            let role = match (cells[at].from, at == end) {
                (usize::MAX, _) => Role::First,
                (_, true) => Role::Last,
                _ => Role::Middle,
            };
            runs.push((place(at), role, cells[at].layers));
            at = cells[at].from;
        }
        runs.reverse();
        runs
    }

    /// For many classes: from each of a few firsts the nearest next, any of which may be left out.
    fn likely_orders(&self) -> Option<(f64, Chain)> {
        let count = self.members.len();
        let starts = [0, count / 3, 2 * count / 3, count - 1];
        let found = starts.iter().filter_map(|start| self.in_order(&self.nearest(*start)));
        found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(ms, runs)| (ms, self.chain(&runs)))
    }

    fn nearest(&self, start: usize) -> Vec<usize> {
        let mut order = vec![start];
        let mut left: Vec<usize> = (0..self.members.len()).filter(|p| *p != start).collect();
        while !left.is_empty() {
            let last = order[order.len() - 1];
            let hop = |place: &usize| self.hops[last][*place];
            let nearest = (0..left.len()).min_by(|a, b| hop(&left[*a]).total_cmp(&hop(&left[*b])));
            order.push(left.remove(nearest.unwrap_or(0)));
        }
        order
    }

    /// The best chain of classes in a given order.
    fn in_order(&self, order: &[usize]) -> Option<(f64, Runs)> {
        let (count, layers) = (order.len(), self.layers);
        let state = |place: usize, covered: usize| place * (layers + 1) + covered;
        let mut best: Option<(f64, Runs)> = None;
        let mut cells = vec![NONE; count * (layers + 1)];
        for (place, &next) in order.iter().enumerate() {
            for covered in 1..layers {
                let ms = self.run(next, Role::First, covered);
                let at = state(place, covered);
                if ms < cells[at].ms {
                    cells[at] = Cell { ms, from: usize::MAX, layers: covered };
                }
                for (before, &last) in order[..place].iter().enumerate() {
                    let from = state(before, covered);
                    let base = cells[from].ms + self.hops[last][next];
                    if base.is_finite() {
                        self.extend(&mut cells, base, from, next, covered, |to| state(place, to));
                    }
                }
            }
            let end = state(place, layers);
            if !cells[end].ms.is_finite() {
                continue;
            }
            let runs = self.walk(&cells, end, |at| order[at / (layers + 1)]);
            let ms = cells[end].ms + self.returns[next][runs[0].0];
            if best.as_ref().is_none_or(|(best, _)| ms < *best) {
                best = Some((ms, runs));
            }
        }
        best.filter(|(_, runs)| self.ground.rules.idle || runs.len() == count)
    }
}

/// The state that a state's chain began with.
fn first_of(cells: &[Cell], mut at: usize) -> usize {
    while cells[at].from != usize::MAX {
        at = cells[at].from;
    }
    at
}
