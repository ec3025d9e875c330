//! Pools drawn from a seed, and what a plan takes of a device.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use swarm_proto::{
    BLOCK_TOKENS, Device, DeviceKind, Hash, LinkReport, Machine, ModelSpec, NodeId, Plan, Pool,
};

/// A model of a few layers.
pub(crate) fn model(rng: &mut ChaCha8Rng) -> ModelSpec {
    let kv_heads = rng.random_range(1..=3);
    ModelSpec {
        name: "tiny".into(),
        hash: Hash([1; 32]),
        layers: rng.random_range(1..=4),
        hidden: 64,
        heads: kv_heads * 2,
        kv_heads,
        head_dim: 16,
        ffn: 32 * rng.random_range(2..=4),
        ffn_grain: 32,
        vocab: 1000,
        context_max: 128,
        head_bytes: 200_000,
        column_bytes: 4_000.5,
        layer_shared_bytes: 512,
        embedding_bytes: rng.random_range(0..400_000),
        output_bytes: rng.random_range(0..400_000),
        tied: rng.random(),
        kv_bytes: 128,
    }
}

/// A device with some memory.
pub(crate) fn device(index: u8, memory_bytes: u64, bandwidth: f64, flops: f64) -> Device {
    Device {
        index,
        kind: DeviceKind::Cpu,
        name: "test".into(),
        memory_bytes,
        bandwidth_bytes_per_s: bandwidth,
        flops_per_s: flops,
        threads: 1,
        drift_class: Hash([0; 32]),
    }
}

/// A link.
pub(crate) fn link(to: NodeId, rtt_ms: f64, bytes_per_s: f64) -> LinkReport {
    LinkReport {
        to,
        rtt_ms,
        rtt_spread_ms: 0.0,
        bytes_per_s,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    }
}

/// A pool of so many devices.
pub(crate) fn pool(seed: u64, devices: u8) -> Pool {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let model = model(&mut rng);
    let mut machines: Vec<Machine> = Vec::new();
    let whole = model.total_bytes() as f64;
    for number in 0..devices {
        let room = model.scratch_bytes() + (whole * rng.random_range(0.05..1.3)) as u64;
        let rates =
            (10f64.powf(rng.random_range(8.0..10.5)), 10f64.powf(rng.random_range(8.5..12.0)));
        if machines.is_empty() || rng.random_bool(0.6) {
            let node = NodeId([number + 1; 32]);
            machines.push(Machine { node, devices: Vec::new(), links: Vec::new() });
        }
        let machine = machines.last_mut().unwrap();
        machine.devices.push(device(number, room, rates.0, rates.1));
    }
    let ids: Vec<_> = machines.iter().map(|m| m.node).collect();
    for machine in &mut machines {
        for &to in &ids {
            if to != machine.node && rng.random_bool(0.8) {
                let rtt = [0.0, 0.05, 0.2, 2.0][rng.random_range(0..4usize)];
                machine.links.push(link(to, rtt, 10f64.powf(rng.random_range(6.0..10.0))));
            }
        }
    }
    Pool { model, machines, context_tokens: rng.random_range(1..128), running: None }
}

/// Whether every member's share, KV cache and scratch fit its device; reckoned from scratch.
pub(crate) fn fits(pool: &Pool, plan: &Plan) -> bool {
    let m = &pool.model;
    let blocks = pool.context_tokens.div_ceil(BLOCK_TOKENS) + 1;
    plan.pipelines.iter().all(|pipeline| {
        let last = pipeline.stages.len() - 1;
        pipeline.stages.iter().enumerate().all(|(s, stage)| {
            stage.members.iter().enumerate().all(|(n, member)| {
                let (layers, heads) = (stage.layers.len(), member.kv_heads.len());
                let columns = member.ffn_columns.len();
                let share = m.share_bytes(layers, heads, columns, s == 0, s == last && n == 0);
                let kv = m.kv_block_bytes(layers, heads) * u64::from(blocks);
                let machine = pool.machines.iter().find(|x| x.node == member.node).unwrap();
                let device = machine.devices.iter().find(|d| d.index == member.device).unwrap();
                share + kv + m.scratch_bytes() <= device.memory_bytes
            })
        })
    })
}
