//! Fleets of many scenarios.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::Fleet;

/// Fleets that are the same are one, so that each plan is searched once.
#[derive(Debug, Default)]
pub(crate) struct Fleets(Mutex<VecDeque<Arc<Fleet>>>);

/// Of more fleets than this the first is forgotten: runs come point by point.
const FLEETS_MAX: usize = 256;

impl Fleets {
    /// The fleet that is the same as this one, or this one, for those to come.
    pub(crate) fn only(&self, fleet: Fleet) -> Arc<Fleet> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| known.same(&fleet)) {
            return Arc::clone(same);
        }
        let fleet = Arc::new(fleet);
        if known.len() >= FLEETS_MAX {
            known.pop_front();
        }
        known.push_back(Arc::clone(&fleet));
        fleet
    }
}
