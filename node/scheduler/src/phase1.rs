//! Phase 1: the best pipelines out of so many devices of each class.

mod front;
#[cfg(test)]
mod golden;
mod join;
mod table;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

pub(crate) use front::{Aim, Layout, Search, front};
use table::Table;

use crate::{ground::Ground, kind::Regime};

/// More devices of one class than this are not put into one pipeline.
const RUN_MAX: usize = 64;

/// The runs of every class, made when they are first asked for.
pub(crate) struct Tables<'a> {
    ground: &'a Ground,
    made: RefCell<BTreeMap<(usize, Regime, u64), Rc<Table>>>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        Self { ground, made: RefCell::default() }
    }

    fn get(&self, class: usize, regime: Regime, limit_ms: f64) -> Rc<Table> {
        let make = || {
            let count = self.ground.classes[class].count().min(RUN_MAX);
            Rc::new(Table::new(self.ground, class, count, regime, limit_ms))
        };
        let key = (class, regime, limit_ms.to_bits());
        Rc::clone(self.made.borrow_mut().entry(key).or_insert_with(make))
    }
}
