//! What machines are made of: what a node measures of its devices and tells others, and how fast they
//! are in truth. Planners see the one, clocks the other.

mod efficiency;
mod layers;
mod load;
mod measured;
mod roofline;
mod timed;

use std::time::Duration;

use swarm_core::Shard;
use swarm_proto::{Batch, Device, ModelSpec};

use self::load::Load;
pub use self::{
    efficiency::{Efficiency, FitError, Reach, efficiency_table},
    layers::{Layers, LayersError},
    measured::Measured,
    roofline::Roofline,
    timed::Timed,
};
use crate::model;

/// A device of a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Rig {
    /// As its node measures it.
    pub told: Device,
    /// How long it takes in truth.
    pub pace: Pace,
}

/// How long a device takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// So long for any batch, and so much longer for each row.
    Steady {
        /// For any batch.
        batch: Duration,
        /// For each row.
        row: Duration,
    },
    /// As long as reading or computing takes, whichever is more.
    Roofline(Roofline),
    /// As long as its layers were measured to take.
    Measured(Measured),
    /// As long as batches like this one took it.
    Timed(Timed),
}

impl Rig {
    /// A device of the small simulated model, with so much memory.
    pub fn small(index: u8, memory_bytes: u64) -> Self {
        let (batch, row) = (Duration::from_millis(2), Duration::from_micros(40));
        Self { told: model::device(index, memory_bytes), pace: Pace::Steady { batch, row } }
    }

    /// Devices of one machine, by their memory.
    pub fn machine(memory_bytes: &[u64]) -> Vec<Self> {
        (0..).zip(memory_bytes).map(|(index, bytes)| Self::small(index, *bytes)).collect()
    }
}

impl Pace {
    /// How long a batch of a shard takes, of which so many members are on this machine.
    pub(crate) fn span(
        &self,
        shard: &Shard,
        batch: &Batch,
        (model, mates): (&ModelSpec, usize),
    ) -> Duration {
        match self {
            Self::Steady { batch: any, row } => *any + *row * batch.rows() as u32,
            Self::Roofline(of) => of.span(shard, Load::of(batch), (model, mates)),
            Self::Measured(of) => of.span(shard, Load::of(batch), (model, mates)),
            Self::Timed(of) => of.span(Load::of(batch)),
        }
    }
}
