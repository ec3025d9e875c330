//! Where the devices of a pool file are.

use swarm_scheduler::{PoolFile, PoolMachine};

/// Where the devices of a ground are.
pub(super) struct Places<'a> {
    pub(super) pool: &'a PoolFile,
    /// Machine and number there, by device.
    pub(super) places: Vec<(usize, usize)>,
}

impl<'a> Places<'a> {
    pub(super) fn new(pool: &'a PoolFile) -> Self {
        let of = |(machine, with): (usize, &PoolMachine)| {
            (0..with.devices.len()).map(move |device| (machine, device)).collect::<Vec<_>>()
        };
        Self { pool, places: pool.machines.iter().enumerate().flat_map(of).collect() }
    }

    /// The device of a machine, if both are there.
    pub(super) fn spot(&self, machine: &str, device: usize) -> Option<usize> {
        let machine = self.pool.machines.iter().position(|known| known.name == machine)?;
        self.places.binary_search(&(machine, device)).ok()
    }

    /// What a person calls a device.
    pub(super) fn name(&self, spot: usize) -> String {
        let (machine, device) = self.places[spot];
        let of = &self.pool.machines[machine];
        format!("device {device} of {} ({})", of.name, of.device)
    }

    /// Whether a device was not left out, which takes its memory.
    pub(super) fn takes_part(&self, spot: usize) -> bool {
        let (machine, device) = self.places[spot];
        self.pool.machines[machine].devices[device].memory_bytes > 0
    }

    pub(super) fn machine(&self, number: usize) -> String {
        self.pool.machines[number].name.clone()
    }
}
