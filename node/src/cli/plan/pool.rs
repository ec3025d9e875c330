//! Machines of a file, as a leader would hear of them, and its plan as the other planner's are told.

use std::collections::BTreeMap;

use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, NodeId};
use swarm_scheduler::{Planned, PoolFile, PoolMachine};

use super::document::{
    MemberDocument, PhaseDocument, PipelineDocument, PlanDocument, StageDocument,
};
use crate::view;

fn id(machine: &PoolMachine) -> NodeId {
    NodeId(Hash::of(machine.name.as_bytes()).0)
}

/// The machines, by their ids, and what a person calls each peer.
pub(super) fn machines(pool: &PoolFile) -> (Vec<Machine>, BTreeMap<String, String>) {
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

/// A leader's plan, as a document of one replica.
pub(super) fn document(pool: &PoolFile, found: &Planned) -> PlanDocument {
    let machines: BTreeMap<NodeId, &PoolMachine> =
        pool.machines.iter().map(|machine| (id(machine), machine)).collect();
    let member = |member: &swarm_proto::Member| {
        let machine = machines.get(&member.node)?;
        Some(MemberDocument {
            machine: machine.name.clone(),
            device: member.device.into(),
            gpu: machine.device.clone(),
            kv_heads: [member.kv_heads.first(), member.kv_heads.end()],
            ffn_columns: [member.ffn_columns.first(), member.ffn_columns.end()],
        })
    };
    let mut steps = found.predicted.step_ms.iter().copied();
    let mut stage = |stage: &swarm_proto::Stage| StageDocument {
        layers: [stage.layers.first(), stage.layers.end()],
        members: stage.members.iter().filter_map(member).collect(),
        step_ms: steps.next().unwrap_or_default(),
    };
    let pipelines = found.plan.pipelines.iter().map(|pipeline| PipelineDocument {
        stages: pipeline.stages.iter().map(&mut stage).collect(),
        phase: PhaseDocument::Both,
        ttft_ms: found.predicted.ttft_ms,
        tpot_ms: found.predicted.tpot_ms,
        latency_ms: found.predicted.ttft_ms,
        batch: 1,
        requests_per_s: found.predicted.requests_per_s,
    });
    let idle = found.idle.iter().filter_map(|(node, device)| {
        machines.get(node).map(|machine| (machine.name.clone(), usize::from(*device)))
    });
    PlanDocument {
        feasible: true,
        pipelines: pipelines.collect(),
        idle: idle.collect(),
        requests_per_s: found.predicted.requests_per_s,
        binding: vec![found.binding.clone()],
        notes: pool.notes.clone(),
        ..PlanDocument::default()
    }
}
