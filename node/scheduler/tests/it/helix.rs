//! Helix's fleets: tokens per second with 1, 2, ... layers of Llama-2-70B, as its search has them.

use swarm_scheduler::flow::{Fleet, FlowNode};

pub(crate) const A100: &[f64] =
    &[23834., 11384., 7201., 5265., 4097., 3124., 2596., 2046., 1754., 1393., 1212., 952.];
pub(crate) const L4: &[f64] = &[7558., 3626., 2172., 1476., 1018., 748., 532.];
pub(crate) const T4: &[f64] = &[5709., 2434., 1348., 758.];

/// Bytes of an activation, and of a token id.
const ACTIVATION: f64 = 16384.0;
const TOKEN: f64 = 2.0;

/// Cards of one cluster, at 10 Gbit/s.
pub(crate) fn single() -> Fleet {
    fleet(&[(A100, 4, 0), (L4, 8, 0), (T4, 12, 0)])
}

/// The same cards in three regions, with 0.1 Gbit/s between them. The coordinator is in the first.
pub(crate) fn geo() -> Fleet {
    fleet(&[(A100, 4, 0), (L4, 2, 1), (T4, 8, 1), (L4, 6, 2), (T4, 4, 2)])
}

fn fleet(groups: &[(&[f64], usize, usize)]) -> Fleet {
    let rate = |a: usize, b: usize| if a == b { 1.25e9 } else { 12.5e6 };
    let cards: Vec<(&[f64], usize)> =
        groups.iter().flat_map(|&(rates, count, region)| vec![(rates, region); count]).collect();
    let node = |&(rates, region): &(&[f64], usize)| {
        let way = rate(0, region) / TOKEN;
        FlowNode { tokens_per_s: rates.to_vec(), entry: way, exit: way }
    };
    let row = |&(_, from): &(&[f64], usize)| {
        cards.iter().map(|&(_, to)| rate(from, to) / ACTIVATION).collect()
    };
    Fleet {
        layers: 80,
        nodes: cards.iter().map(node).collect(),
        links: cards.iter().map(row).collect(),
    }
}
