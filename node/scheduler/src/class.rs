//! Devices that a plan need not tell apart.

use std::collections::BTreeMap;

use swarm_proto::ModelSpec;

use crate::{
    ends::Ends,
    ground::{Spot, Way, Ways},
};

/// Devices that are alike, on machines that are alike: any of them may stand for any other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    /// The devices, machine after machine.
    pub(crate) spots: Vec<usize>,
    /// Devices that each machine has of them.
    pub(crate) size: usize,
    /// The machines.
    pub(crate) machines: Vec<usize>,
}

impl Class {
    /// The classes of all devices, in the order of their first device.
    ///
    /// Devices of one name on one machine are alike. Machines of a region are alike if they have
    /// the same number of such devices, and that number is a power of two: then stages whose
    /// degrees are powers of two can be packed into them whatever their order. Unless machines are to
    /// be merged, none are alike.
    pub(crate) fn all(
        spots: &[Spot],
        inside: &[Way],
        ways: &Ways,
        ends: &Ends,
        model: &ModelSpec,
        merge: bool,
    ) -> Vec<Self> {
        let mut runs: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (number, spot) in spots.iter().enumerate() {
            runs.entry((spot.machine, &spot.name)).or_default().push(number);
        }
        let mut all: Vec<Self> = Vec::new();
        for ((machine, _), run) in runs {
            let size = run.len();
            let twin = all.iter_mut().find(|class| {
                let (a, b) = (&spots[class.spots[0]], &spots[run[0]]);
                merge
                    && class.size == size
                    && size.is_power_of_two()
                    && size <= model.kv_heads as usize
                    && region(ways, class.machines[0]).is_some()
                    && region(ways, class.machines[0]) == region(ways, machine)
                    && inside[class.machines[0]] == inside[machine]
                    && ends.may(class.machines[0]) == ends.may(machine)
                    && Spot { machine: a.machine, ..b.clone() } == *a
            });
            match twin {
                Some(class) => {
                    class.spots.extend(run);
                    class.machines.push(machine);
                }
                None => all.push(Self { spots: run, size, machines: vec![machine] }),
            }
        }
        all
    }

    /// How many devices there are.
    pub(crate) fn count(&self) -> usize {
        self.spots.len()
    }
}

fn region(ways: &Ways, machine: usize) -> Option<usize> {
    match ways {
        Ways::Measured(_) => None,
        Ways::Regions { of, .. } => Some(of[machine]),
    }
}
