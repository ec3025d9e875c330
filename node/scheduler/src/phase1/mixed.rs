//! A pipeline whose stages may be of unlike devices: every order of every set of teams.
//!
//! A dynamic programme over the devices used of each class, the team that is last, and the layers
//! covered. A team takes the same time for each of its layers, so the best place to begin with it is
//! the least of a sliding window.

use std::{collections::VecDeque, rc::Rc};

use super::{Tables, table::least_before};
use crate::{ground::Ground, kind::Regime, team::Team};

/// Teams in their order, and the layers of each.
pub(super) type Chain = Vec<(Rc<Team>, u32)>;

/// A team as the last of a chain that uses some of the devices.
pub(super) struct Node {
    team: Rc<Team>,
    /// Devices used of each class, the team's own included, as one number.
    used: usize,
    /// The nodes that may come before.
    before: Vec<usize>,
}

/// The chain with the lowest time of a request, no stage of which is busy for longer than the limit;
/// none if no chain fits.
pub(super) fn mixed(
    ground: &Ground,
    tables: &Tables<'_>,
    group: &[(usize, usize)],
    (regime, limit_ms, latest_ms): (Regime, f64, f64),
) -> Option<Chain> {
    let nodes = tables.nodes(group, regime);
    // Where tokens pay their way back, the chain is looked for from each first machine.
    let firsts: Vec<Option<usize>> = match ground.rules.token_return {
        true => group.iter().map(|(class, _)| Some(*class)).collect(),
        false => vec![None],
    };
    let found = firsts.into_iter().filter_map(|first| {
        Search { ground, nodes: &nodes, regime, limit_ms, latest_ms, first }.best()
    });
    found.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, chain)| chain)
}

/// Every team out of every set of devices.
pub(super) fn nodes(tables: &Tables<'_>, group: &[(usize, usize)], regime: Regime) -> Vec<Node> {
    let counts = group.iter().map(|(_, count)| count + 1);
    let sizes: Vec<usize> = counts
        .scan(1, |size, count| {
            let own = *size;
            *size *= count;
            Some(own)
        })
        .collect();
    let states: usize = group.iter().map(|(_, count)| count + 1).product();
    let used = |state: usize, place: usize| state / sizes[place] % (group[place].1 + 1);
    let within = |part: usize, whole: usize| {
        (0..group.len()).all(|place| used(part, place) <= used(whole, place))
    };
    let teams: Vec<Vec<Rc<Team>>> = (0..states)
        .map(|state| {
            let of = (0..group.len()).map(|place| (group[place].0, used(state, place)));
            let of: Vec<(usize, usize)> = of.filter(|(_, count)| *count > 0).collect();
            if of.is_empty() { Vec::new() } else { tables.teams(&of, regime) }
        })
        .collect();
    let mut nodes: Vec<Node> = Vec::new();
    let mut of_state: Vec<Vec<usize>> = vec![Vec::new(); states];
    for state in 1..states {
        for part in (1..=state).filter(|part| within(*part, state)) {
            for team in &teams[part] {
                of_state[state].push(nodes.len());
                let before = of_state[state - part].clone();
                nodes.push(Node { team: Rc::clone(team), used: state, before });
            }
        }
    }
    nodes
}

struct Search<'a> {
    ground: &'a Ground,
    nodes: &'a [Node],
    regime: Regime,
    limit_ms: f64,
    latest_ms: f64,
    /// The class whose device leads the first stage, if that matters.
    first: Option<usize>,
}

/// The least time, and the node and the layers before.
#[derive(Clone, Copy)]
struct Cell {
    ms: f64,
    before: usize,
    covered: u32,
}

const NONE: Cell = Cell { ms: f64::INFINITY, before: usize::MAX, covered: 0 };

impl Search<'_> {
    fn best(&self) -> Option<(f64, Chain)> {
        let layers = self.ground.model.layers as usize;
        let width = layers + 1;
        let mut cells = vec![NONE; self.nodes.len() * width];
        let mut window = VecDeque::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let row = self.row(&cells, node, &mut window);
            cells[number * width..][..width].copy_from_slice(&row);
        }
        let all = self.nodes.last()?.used;
        let total = |number: usize| {
            let cell = cells[number * width + layers];
            let back = match (cell.before, self.first) {
                (usize::MAX, _) | (_, None) => 0.0,
                (_, Some(first)) => {
                    let last = self.nodes[number].team.classes[0];
                    self.ground.return_ms(last, first, self.regime)
                }
            };
            cell.ms + back
        };
        let ends = (0..self.nodes.len())
            .filter(|number| self.ground.rules.idle || self.nodes[*number].used == all);
        let end = ends.min_by(|a, b| total(*a).total_cmp(&total(*b)))?;
        let ms = total(end);
        if !ms.is_finite() {
            return None;
        }
        let (mut chain, mut number, mut covered) = (Vec::new(), end, self.ground.model.layers);
        while number != usize::MAX {
            let cell = cells[number * width + covered as usize];
            chain.push((Rc::clone(&self.nodes[number].team), covered - cell.covered));
            (number, covered) = (cell.before, cell.covered);
        }
        chain.reverse();
        Some((ms, chain))
    }

    /// The least times with a team as the last, by the layers covered.
    fn row(&self, cells: &[Cell], node: &Node, window: &mut VecDeque<usize>) -> Vec<Cell> {
        let layers = self.ground.model.layers as usize;
        let (kind, lead) = (&node.team.kind, node.team.classes[0]);
        let (layer_ms, head_ms) = kind.request_ms(self.ground);
        let [middle, first, last, only] = self.most(node);
        let mut row = vec![NONE; layers + 1];
        let begins = self.first.is_none_or(|first| first == lead);
        if node.before.is_empty() && begins {
            for (covered, cell) in row.iter_mut().enumerate().take(layers).skip(1) {
                if covered <= first {
                    *cell = Cell { ms: layer_ms * covered as f64, ..NONE };
                }
            }
            if layers <= only {
                row[layers] = Cell { ms: layer_ms * layers as f64 + head_ms, ..NONE };
            }
        }
        // The best of those before, by what they cover, with the hop from them.
        let mut base = vec![NONE; layers];
        let free = self.free(node, (0, 1));
        let begin = if free { 0 } else { self.ground.ends.layers as usize };
        for &before in &node.before {
            let from = self.nodes[before].team.classes[0];
            let limits = (self.regime, self.limit_ms);
            let hop = self.ground.next_within(from, lead, kind.degree, limits);
            for (covered, base) in base.iter_mut().enumerate().skip(begin) {
                let ms = cells[before * (layers + 1) + covered].ms + hop;
                if ms < base.ms && ms <= self.latest_ms {
                    *base = Cell { ms, before, covered: covered as u32 };
                }
            }
        }
        let mut times: Vec<f64> = base.iter().map(|cell| cell.ms).collect();
        times.push(f64::INFINITY);
        for (most, ends) in [(middle, false), (last, true)] {
            least_before(&times, layer_ms, most, window, |covered, from| {
                if ends != (covered == layers) || !self.free(node, (from as u32, covered as u32)) {
                    return;
                }
                let own = layer_ms * (covered - from) as f64 + if ends { head_ms } else { 0.0 };
                let ms = times[from] + own;
                if ms < row[covered].ms {
                    row[covered] = Cell { ms, ..base[from] };
                }
            });
        }
        row
    }

    /// The most layers within memory and the limit, and where a team may be at all: in the middle,
    /// first, last, alone.
    fn most(&self, node: &Node) -> [usize; 4] {
        let mut most = node.team.kind.most(self.ground, self.regime.batch, self.limit_ms);
        let whole = self.ground.model.layers;
        for (role, ends) in [(1, (0, 1)), (2, (whole - 1, whole)), (3, (0, whole))] {
            most[role] = if self.free(node, ends) { most[role] } else { 0 };
        }
        most
    }

    /// Whether all of a team may hold some layers.
    fn free(&self, node: &Node, layers: (u32, u32)) -> bool {
        let machine = |class: &usize| self.ground.classes[*class].machines[0];
        node.team.classes.iter().all(|class| self.ground.may_hold(machine(class), layers))
    }
}
