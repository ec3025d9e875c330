//! Petals' rule: servers of one device each, which come one by one and take the layers that are
//! served least.

use super::{
    routed::{ROUTED_MAX, routed},
    unit::Units,
};
use crate::{
    flow::petals,
    ground::Ground,
    propose::{Ask, Drafted, Plans},
};

/// Petals' placement (`block_selection` of its server), and the best ways through it: its clients
/// take the fastest, ours those of the largest flow, which serves it better.
pub(crate) struct Petals;

impl Plans for Petals {
    fn drafts(&self, ground: &Ground, _ask: &Ask) -> Drafted {
        let draft = |batch| {
            let units = Units::of(ground, 1, batch);
            if units.all.len() > ROUTED_MAX {
                return None;
            }
            let fleet = units.fleet(ground);
            routed(ground, &units, &fleet, &petals(&fleet), true)
        };
        let drafts: Vec<_> = ground.rules.batches(4).into_iter().filter_map(draft).collect();
        Drafted { evaluations: drafts.len(), drafts, ..Drafted::default() }
    }
}
