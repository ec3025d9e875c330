//! Where nodes get their routers from.

use std::{fmt, sync::Arc};

use swarm_core::{Router, Soonest};

/// Makes a router for each node that starts, which it keeps until it dies: [`Soonest`] if nothing else
/// is said.
#[derive(Clone)]
pub struct Routers(Arc<dyn Fn() -> Box<dyn Router> + Send + Sync>);

impl Routers {
    /// Routers of one's own.
    pub fn of<R: Router + 'static>(make: impl Fn() -> R + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || Box::new(make())))
    }

    pub(crate) fn make(&self) -> Box<dyn Router> {
        (self.0)()
    }
}

impl Default for Routers {
    fn default() -> Self {
        Self::of(|| Soonest)
    }
}

impl fmt::Debug for Routers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routers").field(&self.make()).finish()
    }
}
