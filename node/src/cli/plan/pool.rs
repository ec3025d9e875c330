//! Machines of a file, as a leader would hear of them.

use std::collections::BTreeMap;

use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, NodeId};
use swarm_scheduler::{PoolFile, PoolMachine};

use crate::view;

/// The machines, by their ids, and what a person calls each peer.
pub(super) fn machines(pool: &PoolFile) -> (Vec<Machine>, BTreeMap<String, String>) {
    let id = |machine: &PoolMachine| NodeId(Hash::of(machine.name.as_bytes()).0);
    let mut all: Vec<Machine> = Vec::new();
    for (number, machine) in pool.machines.iter().enumerate() {
        let link = |(other, to): (usize, &PoolMachine)| {
            let way = pool.ways.between(number, other).filter(|_| other != number)?;
            Some(LinkReport {
                to: id(to),
                rtt_ms: 2.0 * way.ms,
                rtt_spread_ms: 0.0,
                bytes_per_s: way.bytes_per_ms * 1e3,
                loss: 0.0,
                age_ms: 0,
                predicted: false,
            })
        };
        let links = pool.machines.iter().enumerate().filter_map(link).collect();
        all.push(Machine { node: id(machine), devices: devices(machine), links });
    }
    all.sort_by_key(|machine| machine.node);
    let name = |machine: &PoolMachine| (view::peer(id(machine)), machine.name.clone());
    (all, pool.machines.iter().map(name).collect())
}

fn devices(machine: &PoolMachine) -> Vec<Device> {
    let device = |(index, device): (usize, &swarm_scheduler::PoolDevice)| Device {
        index: u8::try_from(index).unwrap_or(u8::MAX),
        kind: DeviceKind::Cpu,
        name: machine.device.clone(),
        memory_bytes: device.memory_bytes,
        bandwidth_bytes_per_s: device.bytes_per_s,
        flops_per_s: device.flops_per_s,
        threads: 1,
        drift_class: Hash::of(b"plan"),
    };
    machine.devices.iter().enumerate().map(device).collect()
}
