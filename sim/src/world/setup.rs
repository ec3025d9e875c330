//! What swarms are made of.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use swarm_core::Config;
use swarm_proto::{LinkReport, ModelSpec};
use swarm_scheduler::Ways;

use crate::{Planner, Routers, Sabotage, host::usual, link::Weather, model, rig::Rig};

/// What a swarm is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The model that is served.
    pub model: ModelSpec,
    /// The devices of every node. The first node founds the swarm.
    pub machines: Vec<Vec<Rig>>,
    /// The ways between them; a LAN on a busy day between any two if it does not say.
    pub ways: Option<Arc<Ways>>,
    /// What those ways are like beside.
    pub weather: Weather,
    /// What nodes measure of ways, by the numbers of the near and the far end, where they take them
    /// for other than they are.
    pub believed: BTreeMap<(usize, usize), LinkReport>,
    /// Bytes of a row of activations on its way.
    pub row_bytes: u64,
    /// Nodes that are there only once they are started.
    pub late: Vec<usize>,
    /// What nodes are told, but for their model, which is that of above, and what is each one's own.
    pub told: Config,
    /// How much the times of one batch differ: their standard deviation over their mean.
    pub noise: f64,
    /// By how many millionths nodes' clocks are fast or slow, at most.
    pub skew_ppm: u32,
    /// Who plans.
    pub planner: Planner,
    /// Who decides which pipelines sessions take.
    pub routers: Routers,
    /// What goes wrong that must not.
    pub sabotage: Sabotage,
    /// Whether everything that happens is written down.
    pub record: bool,
    /// Whether what a viewer needs is kept.
    pub film: bool,
    /// Whether a run goes on after a property did not hold.
    pub lenient: bool,
}

impl Default for Setup {
    /// Nobody, to serve a small model.
    fn default() -> Self {
        Self {
            model: model::spec(),
            machines: Vec::new(),
            ways: None,
            weather: Weather::default(),
            believed: BTreeMap::new(),
            row_bytes: model::ROW_WIRE_BYTES,
            late: Vec::new(),
            // Sessions whose end was lost are to be let go of while a story still looks.
            told: Config { idle_max: Duration::from_secs(30), ..usual() },
            noise: 0.0,
            skew_ppm: 0,
            planner: Planner::default(),
            routers: Routers::default(),
            sabotage: Sabotage::default(),
            record: false,
            film: false,
            lenient: false,
        }
    }
}

impl Setup {
    /// Nodes whose devices have so much memory each, to serve a small model.
    pub fn of(memory_bytes: &[Vec<u64>]) -> Self {
        let machines = memory_bytes.iter().map(|machine| Rig::machine(machine)).collect();
        Self { machines, ..Self::default() }
    }

    /// A swarm with memory to spare, of nodes that differ: the founder holds no layer, and any two
    /// of the rest hold all of them.
    pub fn ample(nodes: usize) -> Self {
        const MIB: u64 = 1 << 20;
        let rest = (1..nodes).map(|number| vec![(92 + 4 * number as u64) * MIB]);
        let memory_bytes: Vec<_> = std::iter::once(vec![4 * MIB]).chain(rest).collect();
        Self::of(&memory_bytes)
    }
}
