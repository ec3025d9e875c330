//! Servers: devices that hold layers together, whoever comes before or after them.

use std::rc::Rc;

use crate::{
    draft::Placed,
    flow::{Fleet, FlowNode},
    ground::Ground,
    kind::{Kind, Regime},
    place::members,
    rules::Phase,
};

/// Tokens a second of a flow, for each request a second: flows are counted in thousandths.
const SCALE: f64 = 1e3;
/// What no server takes, in the same measure.
const PLENTY: f64 = 1e9;

/// A server.
#[derive(Clone)]
pub(super) struct Unit {
    pub(super) spots: Vec<usize>,
    pub(super) kind: Rc<Kind>,
}

/// The servers of a pool, and how deep a chain of them their memory is reckoned for.
#[derive(Clone)]
pub(super) struct Units {
    pub(super) all: Vec<Unit>,
    pub(super) batch: u32,
    pub(super) stages_max: usize,
}

impl Units {
    /// Servers of at most so many devices of a machine, in the order of machines. There is room for
    /// the batches of chains twice as deep as the mean server asks for.
    pub(super) fn of(ground: &Ground, degree_max: usize, batch: u32) -> Self {
        let layers = ground.model.layers as usize;
        let alone = Self::with_room(ground, degree_max, batch, 1);
        let held: usize = alone.iter().map(|unit| unit.layers_max()).sum();
        let mean = (held / alone.len().max(1)).max(1);
        let stages_max = match ground.rules.plain() {
            true => usize::MAX,
            false => (2 * layers.div_ceil(mean)).next_power_of_two(),
        };
        let all = match ground.rules.plain() {
            true => alone,
            false => Self::with_room(ground, degree_max, batch, stages_max),
        };
        Self { all, batch, stages_max }
    }

    fn with_room(ground: &Ground, degree_max: usize, batch: u32, stages: usize) -> Vec<Unit> {
        let regime = Regime { batch, resident: ground.resident(batch, stages) };
        let mut all = Vec::new();
        for (number, class) in ground.classes.iter().enumerate() {
            let kinds = Kind::all(ground, number, regime).into_iter();
            let kinds: Vec<Rc<Kind>> = kinds
                .filter(|kind| kind.degree <= degree_max && kind.caps[3] > 0)
                .map(Rc::new)
                .collect();
            for mut machine in class.spots.chunks(class.size) {
                while let Some(kind) = kinds.iter().rfind(|kind| kind.degree <= machine.len()) {
                    let (spots, rest) = machine.split_at(kind.degree);
                    all.push(Unit { spots: spots.to_vec(), kind: Rc::clone(kind) });
                    machine = rest;
                }
            }
        }
        all.sort_by_key(|unit| unit.spots[0]);
        all
    }

    /// The servers as nodes of a flow: a request takes each layer's time of them, and activations of
    /// each of its tokens between them.
    pub(super) fn fleet(&self, ground: &Ground) -> Fleet {
        let node = |unit: &Unit| {
            let request_ms = unit.kind.cost_ms(ground, self.batch) / unit.kind.degree as f64;
            let rate = |layers: usize| SCALE * 1e3 / (request_ms * layers as f64);
            let tokens_per_s = (1..=unit.layers_max()).map(rate).map(|r| r.min(PLENTY)).collect();
            FlowNode { tokens_per_s, entry: PLENTY, exit: PLENTY }
        };
        let bytes = ground.carried_bytes(Phase::Both);
        let machine = |unit: &Unit| ground.spots[unit.spots[0]].machine;
        let link = |from: &Unit, to: &Unit| {
            let way = ground.way(machine(from), machine(to));
            way.map_or(0.0, |way| (SCALE * 1e3 * way.bytes_per_ms / bytes).min(PLENTY))
        };
        let row = |from: &Unit| self.all.iter().map(|to| link(from, to)).collect();
        Fleet {
            layers: ground.model.layers,
            nodes: self.all.iter().map(node).collect(),
            links: self.all.iter().map(row).collect(),
        }
    }
}

impl Unit {
    /// The most layers that it holds wherever it stands.
    pub(super) fn layers_max(&self) -> usize {
        self.kind.caps[3] as usize
    }

    /// It as a stage.
    pub(super) fn stage(&self, layers: (u32, u32), held: (u32, u32)) -> Placed {
        Placed { layers, held, members: members(&self.kind.parts, self.spots.clone()) }
    }
}

/// The degrees of servers that a pool has machines for: powers of two.
pub(super) fn degrees(ground: &Ground) -> Vec<usize> {
    let most = ground.classes.iter().map(|class| class.size).max().unwrap_or(1);
    let most = most.min(ground.model.kv_heads as usize);
    std::iter::successors(Some(1), |degree| Some(degree * 2)).take_while(|d| *d <= most).collect()
}
