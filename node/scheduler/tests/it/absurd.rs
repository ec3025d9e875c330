//! Pools that no honest peer would report, and models that are none: no panic, no overflow, an end.

use proptest::{collection::vec, prelude::*, sample::select};
use swarm_proto::{
    ColumnRange, Device, HeadRange, LayerRange, LinkReport, Machine, Member, ModelSpec, NodeId,
    Pipeline, Plan, PlanId, Pool, Predicted, Stage,
};
use swarm_scheduler::{Options, caps, plan, predicted};

use crate::pools;

/// Honest most of the time.
fn odd<T: Clone + std::fmt::Debug + 'static>(
    honest: impl Strategy<Value = T> + 'static,
    absurd: Vec<T>,
) -> impl Strategy<Value = T> {
    prop_oneof![9 => honest, 1 => select(absurd)]
}

fn figure(honest: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    let big = [f64::MAX, 1e300, 1e18, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    odd(honest, [&big[..], &[0.0, -0.0, -1.0, 5e-324, 1e-9, 1.0]].concat())
}

fn number(honest: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = u32> {
    odd(honest, vec![0, 1, 2, 3, 7, 500, 1000, 1 << 16, 1 << 20, 1 << 22, 1 << 31, u32::MAX])
}

fn bytes(honest: std::ops::Range<u64>) -> impl Strategy<Value = u64> {
    odd(honest, vec![0, 1, 1 << 20, 1 << 40, 1 << 55, 1 << 56, 1 << 63, u64::MAX - 1, u64::MAX])
}

fn model() -> impl Strategy<Value = ModelSpec> {
    let shape = (number(1..=6), number(64..=64), number(4..=8), number(1..=4), number(16..=16));
    let ffn = (number(64..=256), number(32..=32), number(1000..=1000), number(128..=4096));
    let weights = (bytes(1000..200_000), figure(0.0..4000.0), bytes(0..512), bytes(64..256));
    let ends = (bytes(0..400_000), bytes(0..400_000), any::<bool>());
    (shape, ffn, weights, ends).prop_map(|(shape, ffn, weights, ends)| ModelSpec {
        name: "absurd".into(),
        hash: swarm_proto::Hash([1; 32]),
        layers: shape.0,
        hidden: shape.1,
        heads: shape.2,
        kv_heads: shape.3,
        head_dim: shape.4,
        ffn: ffn.0,
        ffn_grain: ffn.1,
        vocab: ffn.2,
        context_max: ffn.3,
        head_bytes: weights.0,
        column_bytes: weights.1,
        layer_shared_bytes: weights.2,
        kv_bytes: weights.3,
        embedding_bytes: ends.0,
        output_bytes: ends.1,
        tied: ends.2,
    })
}

fn device() -> impl Strategy<Value = Device> {
    let rates = (figure(1e8..1e11), figure(1e9..1e13));
    (any::<u8>(), bytes(0..20_000_000), rates).prop_map(|(index, memory, (bandwidth, flops))| {
        pools::device(index, memory, bandwidth, flops)
    })
}

fn link() -> impl Strategy<Value = LinkReport> {
    (0..12u8, figure(0.1..100.0), figure(1e5..1e10))
        .prop_map(|(to, rtt_ms, bytes_per_s)| pools::link(NodeId([to; 32]), rtt_ms, bytes_per_s))
}

/// Machines of few names, so that some come twice.
fn machines() -> impl Strategy<Value = Vec<Machine>> {
    let one = (0..12u8, vec(device(), 0..4), vec(link(), 0..6))
        .prop_map(|(n, devices, links)| Machine { node: NodeId([n; 32]), devices, links });
    vec(one, 0..10)
}

/// A plan that somebody says is running.
fn running() -> impl Strategy<Value = Plan> {
    let span = || (0..300u32, 1..300u32).prop_map(|(first, len)| (first, first + len));
    let member =
        (0..12u8, any::<u8>(), span(), span()).prop_map(|(node, device, heads, columns)| {
            let kv_heads = HeadRange::new(heads.0, heads.1).unwrap();
            let ffn_columns = ColumnRange::new(columns.0, columns.1).unwrap();
            Member { node: NodeId([node; 32]), device, kv_heads, ffn_columns }
        });
    let stage = (span(), vec(member, 0..4)).prop_map(|(layers, members)| Stage {
        layers: LayerRange::new(layers.0, layers.1).unwrap(),
        members,
        step_us: 0,
    });
    let pipeline =
        vec(stage, 0..4).prop_map(|stages| Pipeline { stages, predicted: Predicted::default() });
    vec(pipeline, 0..3).prop_map(|pipelines| Plan {
        id: PlanId::default(),
        leader: NodeId([0; 32]),
        model: swarm_proto::Hash([1; 32]),
        pipelines,
    })
}

fn pool() -> impl Strategy<Value = Pool> {
    (model(), machines(), number(1..=512), prop::option::of(running())).prop_map(
        |(model, machines, context_tokens, running)| Pool {
            model,
            machines,
            context_tokens,
            running,
        },
    )
}

/// Plans, and plans again where the first plan runs.
fn tried(pool: &Pool) {
    if let Some(running) = &pool.running {
        predicted(pool, running.clone());
    }
    if let Ok(found) = plan(pool, &Options::default()) {
        found.plan.check(&pool.model).unwrap();
        let again = Pool { running: Some(found.plan.clone()), ..pool.clone() };
        plan(&again, &Options::default()).unwrap().plan.check(&pool.model).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn absurd_pools_do_no_harm(pool in pool()) {
        tried(&pool);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn absurd_demos_do_no_harm(
        model in model(),
        nodes in odd(3..9usize, vec![0, 1, 2, 9, usize::MAX]),
        context_tokens in number(1..=512),
    ) {
        if let Ok(caps) = caps(&model, nodes, context_tokens) {
            let sum = |caps: &Vec<u64>| caps.iter().map(|cap| u128::from(*cap)).sum::<u128>();
            prop_assert!(caps.iter().all(|caps| sum(caps) < u128::from(model.total_bytes())));
        }
    }
}

/// The largest that the search lets through, of everything at once.
#[test]
fn the_largest_model_on_the_most_devices_comes_to_an_end() {
    let mut pool = pools::pool(3, 1);
    pool.model = ModelSpec {
        layers: 512,
        kv_heads: 1 << 20,
        heads: 1 << 20,
        ffn: 1 << 20,
        ffn_grain: 1,
        head_bytes: 1 << 10,
        column_bytes: 1e3,
        kv_bytes: 1,
        ..pool.model
    };
    let room = pool.model.scratch_bytes() + pool.model.total_bytes() / 16;
    pool.machines = (0..500u32)
        .map(|n| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            let rate = 1e10 + f64::from(n) * 1e6;
            let device = |d: u8| pools::device(d, room + u64::from(n) * 4096, rate, 1e12);
            Machine { node: NodeId(id), devices: (0..4).map(device).collect(), links: Vec::new() }
        })
        .collect();
    tried(&pool);
    pool.machines.truncate(1);
    tried(&pool);
}
