//! Who may hold the ends of the model: first layers see what was asked, last ones what is answered.

use std::collections::BTreeSet;

use crate::ground::Ground;

/// The first and the last layers that only some machines may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// So many at either end; of none, anybody may hold all.
    pub(crate) layers: u32,
    /// The machines that may.
    machines: BTreeSet<usize>,
}

impl Ends {
    /// Whether a machine may hold any layer.
    pub(crate) fn may(&self, machine: usize) -> bool {
        self.layers == 0 || self.machines.contains(&machine)
    }

    /// The same after machines have other numbers, or are gone.
    pub(crate) fn renamed(&self, name: impl Fn(usize) -> Vec<usize>) -> Self {
        Self {
            layers: self.layers,
            machines: self.machines.iter().flat_map(|m| name(*m)).collect(),
        }
    }
}

impl Ground {
    /// With so many layers at either end that only these machines may hold.
    pub fn with_ends(self, layers: u32, machines: &[usize]) -> Self {
        let ends = Ends { layers, machines: machines.iter().copied().collect() };
        Self { ends, ..self }.classed()
    }

    /// Whether a machine may hold these layers.
    pub(crate) fn may_hold(&self, machine: usize, (first, end): (u32, u32)) -> bool {
        self.ends.may(machine)
            || first >= self.ends.layers && end + self.ends.layers <= self.model.layers
    }
}
