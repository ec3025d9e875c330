//! From a partition to pipelines.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{Group, Partition};
use crate::{
    ground::Ground,
    phase1::{Layout, Search, Tables, front},
};

/// About what judging takes for a group.
const JUDGED_NS: u64 = 9_000;
/// The same with the requests that a plan is told by.
const AGAIN_NS: u64 = 8 * JUDGED_NS;

/// Phase 1, asked once for every group.
pub(crate) struct Decoder<'a> {
    pub(crate) ground: &'a Ground,
    tables: Tables<'a>,
    pub(crate) search: Search,
    fronts: RefCell<BTreeMap<Group, Rc<Vec<Layout>>>>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(ground: &'a Ground, search: Search) -> Self {
        Self { ground, tables: Tables::new(ground), search, fronts: RefCell::default() }
    }

    /// The pipelines that a group can be; none if the model does not fit.
    pub(crate) fn front(&self, group: &Group) -> Rc<Vec<Layout>> {
        if let Some(known) = self.fronts.borrow().get(group) {
            return Rc::clone(known);
        }
        let room = self.ground.has_room(group);
        let found =
            if room { front(self.ground, &self.tables, group, self.search) } else { Vec::new() };
        let found = Rc::new(found);
        self.fronts.borrow_mut().insert(group.clone(), Rc::clone(&found));
        found
    }

    /// All groups that were looked at and that the model fits.
    pub(crate) fn known(&self) -> Vec<(Group, Rc<Vec<Layout>>)> {
        let fronts = self.fronts.borrow();
        let fit = fronts.iter().filter(|(_, front)| !front.is_empty());
        fit.map(|(group, front)| (group.clone(), Rc::clone(front))).collect()
    }

    /// That so much was done with what is known.
    pub(crate) fn worked(&self, ns: u64) {
        self.tables.worked(ns);
    }

    pub(crate) fn knows(&self, group: &Group) -> bool {
        self.fronts.borrow().contains_key(group)
    }

    /// All groups that were looked at, for another to learn.
    pub(crate) fn taught(self) -> Vec<(Group, Vec<Layout>)> {
        let fronts = self.fronts.into_inner().into_iter();
        fronts.map(|(group, front)| (group, Rc::unwrap_or_clone(front))).collect()
    }

    /// Groups that another looked at in the same way.
    pub(crate) fn learn(&self, known: Vec<(Group, Vec<Layout>)>) {
        let mut fronts = self.fronts.borrow_mut();
        for (group, front) in known {
            fronts.entry(group).or_insert_with(|| Rc::new(front));
        }
    }

    /// About how long was worked so far, judgements included. Counted, not timed: the same anywhere.
    pub(crate) fn worked_ns(&self) -> u64 {
        self.tables.worked_ns()
    }

    /// That a partition is judged again, with many requests.
    pub(crate) fn worked_again(&self, partition: &Partition) {
        self.tables.worked(partition.groups.len() as u64 * AGAIN_NS);
    }

    /// The pipelines that each group can be, of a partition that is to be judged.
    pub(crate) fn fronts(&self, partition: &Partition) -> Vec<Rc<Vec<Layout>>> {
        self.tables.worked(partition.groups.len() as u64 * JUDGED_NS);
        partition.groups.iter().map(|group| self.front(group)).collect()
    }
}
