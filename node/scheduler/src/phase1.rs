//! Phase 1: the best pipelines out of so many devices of each class.

mod front;
#[cfg(test)]
mod golden;
mod join;
mod lay;
mod layout;
mod mixed;
mod order;
mod table;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

pub(crate) use front::{Aim, Depth, Search, front};
pub(crate) use layout::Layout;
use mixed::{Node, nodes};
pub(crate) use order::nearest;
use order::{Step, every};
use table::Table;

use crate::{
    ground::Ground,
    kind::{Kind, Regime},
    team::Team,
};

/// More devices of one class than this are not put into one pipeline.
const RUN_MAX: usize = 64;
/// About what a cell of a table takes, and a layer of a step.
const CELL_NS: u64 = 25;
const STEP_NS: u64 = 7;

/// A class, and how its devices are run.
type Class = (usize, Regime);
/// How many classes there are, and which may be first.
type Members = (usize, Vec<usize>);
/// Devices of classes, and how they are run.
type Devices = (Vec<(usize, usize)>, Regime);

/// The runs of every class and the orders of classes, made when they are first asked for.
pub(crate) struct Tables<'a> {
    ground: &'a Ground,
    worked_ns: Cell<u64>,
    kinds: RefCell<BTreeMap<Class, Rc<Vec<Kind>>>>,
    made: RefCell<BTreeMap<(usize, Regime, u64), Rc<Table>>>,
    orders: RefCell<BTreeMap<Members, Rc<Vec<Step>>>>,
    teams: RefCell<BTreeMap<Devices, Vec<Rc<Team>>>>,
    nodes: RefCell<BTreeMap<Devices, Rc<Vec<Node>>>>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        Self {
            ground,
            worked_ns: Cell::default(),
            kinds: RefCell::default(),
            made: RefCell::default(),
            orders: RefCell::default(),
            teams: RefCell::default(),
            nodes: RefCell::default(),
        }
    }

    /// About how long was worked so far. Counted, not timed: the same anywhere.
    pub(crate) fn worked_ns(&self) -> u64 {
        self.worked_ns.get()
    }

    pub(crate) fn worked(&self, ns: u64) {
        self.worked_ns.set(self.worked_ns.get().saturating_add(ns));
    }

    /// The stages that a class can give.
    fn kinds(&self, class: usize, regime: Regime) -> Rc<Vec<Kind>> {
        let make = || Rc::new(Kind::all(self.ground, class, regime));
        Rc::clone(self.kinds.borrow_mut().entry((class, regime)).or_insert_with(make))
    }

    fn get(&self, class: usize, regime: Regime, limit_ms: f64) -> Rc<Table> {
        let make = || {
            let count = self.ground.classes[class].count().min(RUN_MAX);
            let kinds = self.kinds(class, regime);
            let cells = (count * kinds.len()) as u64 * u64::from(self.ground.model.layers);
            self.worked(cells * CELL_NS);
            Rc::new(Table::new(self.ground, (class, kinds), count, regime, limit_ms))
        };
        let key = (class, regime, limit_ms.to_bits());
        Rc::clone(self.made.borrow_mut().entry(key).or_insert_with(make))
    }

    /// The ways in which some devices, given as (class, devices), can be a stage.
    fn teams(&self, group: &[(usize, usize)], regime: Regime) -> Vec<Rc<Team>> {
        let make = || Team::all(self.ground, group, regime).into_iter().map(Rc::new).collect();
        self.teams.borrow_mut().entry((group.to_vec(), regime)).or_insert_with(make).clone()
    }

    /// Every team out of every set of some devices: the same for every limit of a stage's time.
    fn nodes(&self, group: &[(usize, usize)], regime: Regime) -> Rc<Vec<Node>> {
        let key = (group.to_vec(), regime);
        if let Some(known) = self.nodes.borrow().get(&key) {
            return Rc::clone(known);
        }
        let made = Rc::new(nodes(self, group, regime));
        self.nodes.borrow_mut().insert(key, Rc::clone(&made));
        made
    }

    /// Every order of so many classes, some of which may be first.
    fn steps(&self, count: usize, firsts: &[usize]) -> Rc<Vec<Step>> {
        let make = || Rc::new(every(count, firsts, self.ground.rules.idle));
        let key = (count, firsts.to_vec());
        Rc::clone(self.orders.borrow_mut().entry(key).or_insert_with(make))
    }
}
