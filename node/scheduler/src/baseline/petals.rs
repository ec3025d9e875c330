//! Petals' rule: servers of one device each, which come one by one and take the layers that are
//! served least.

use super::routed::by_rule;
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
        by_rule(ground, 1, true, |_, fleet| petals(fleet))
    }
}
