//! Maximum flows against cuts tried one by one, and a published placement's throughput.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use swarm_scheduler::flow::{
    Fleet, FlowError, FlowNode, Graph, Hop, Placement, even, helix, petals, throughput,
};

use crate::helix::{A100, L4, T4, geo, single};

// Node, first layer, one past the last.
const PUBLISHED: [(&[f64], Range<u32>); 24] = [
    (T4, 0..3),
    (L4, 3..7),
    (L4, 7..11),
    (T4, 11..14),
    (A100, 14..23),
    (T4, 23..25),
    (T4, 25..26),
    (T4, 26..30),
    (L4, 26..33),
    (T4, 30..34),
    (T4, 33..37),
    (T4, 34..38),
    (A100, 37..49),
    (T4, 38..42),
    (T4, 42..46),
    (L4, 42..49),
    (L4, 46..53),
    (T4, 49..53),
    (L4, 53..60),
    (L4, 53..60),
    (L4, 53..60),
    (A100, 60..68),
    (A100, 68..77),
    (T4, 77..80),
];

type Edge = (usize, usize, u64);

/// The smallest cut, by trying every set of vertices around the source.
fn smallest_cut(vertices: usize, edges: &[Edge]) -> u64 {
    let crossing = |set: u32| {
        let inside = |vertex: usize| set >> vertex & 1 == 1;
        edges.iter().filter(|e| inside(e.0) && !inside(e.1)).map(|e| e.2).sum()
    };
    let sets = 0..1u32 << vertices;
    sets.filter(|set| set & 1 == 1 && set >> (vertices - 1) & 1 == 0).map(crossing).min().unwrap()
}

fn draw(rng: &mut ChaCha8Rng) -> (usize, Vec<Edge>) {
    let mut below = |n: u32| rng.next_u32() % n;
    let vertices = below(8) + 2;
    let edges = below(vertices * 4);
    let edge = |_| (below(vertices) as usize, below(vertices) as usize, u64::from(below(12)));
    (vertices as usize, (0..edges).map(edge).collect())
}

#[test]
fn a_flow_equals_the_smallest_cut_and_is_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for case in 0..5000 {
        let (vertices, edges) = draw(&mut rng);
        let mut graph = Graph::new(vertices);
        let ids: Vec<_> = edges.iter().map(|&(from, to, cap)| graph.edge(from, to, cap)).collect();
        let flow = graph.max_flow(0, vertices - 1);
        assert_eq!(flow.value, smallest_cut(vertices, &edges), "case {case}: {edges:?}");
        let mut excess = vec![0i64; vertices];
        for (&(from, to, cap), id) in edges.iter().zip(ids) {
            let carried = flow.on_edge[id.index()];
            assert!(carried <= cap, "case {case}");
            excess[from] -= i64::try_from(carried).unwrap();
            excess[to] += i64::try_from(carried).unwrap();
        }
        let value = i64::try_from(flow.value).unwrap();
        assert_eq!((excess[0], excess[vertices - 1]), (-value, value), "case {case}");
        assert!(excess[1..vertices - 1].iter().all(|&sum| sum == 0), "case {case}");
        let cut: u64 = flow.cut.iter().map(|id| edges[id.index()].2).sum();
        assert_eq!(cut, flow.value, "case {case}");
    }
}

fn published() -> (Fleet, Placement) {
    let node = |rates: &[f64]| FlowNode { tokens_per_s: rates.to_vec(), entry: 625e6, exit: 625e6 };
    let nodes: Vec<_> = PUBLISHED.iter().map(|(rates, _)| node(rates)).collect();
    let links = vec![vec![1.25e9 / 16384.0; nodes.len()]; nodes.len()];
    let held = PUBLISHED.iter().map(|(_, range)| Some(range.clone())).collect();
    (Fleet { layers: 80, nodes, links }, Placement(held))
}

#[test]
fn the_published_placement_serves_what_was_published() {
    let (fleet, placement) = published();
    let found = throughput(&fleet, &placement, true).unwrap();
    // The capacities are printed as whole tokens.
    assert!((found.tokens_per_s - 1289.6).abs() < 1.0, "{}", found.tokens_per_s);
    assert_eq!(found.cut, [Hop::Node(7), Hop::Node(8)]);
}

#[test]
fn partial_inference_uses_an_overlap() {
    let (mut fleet, _) = published();
    fleet.nodes.truncate(2);
    fleet.links = vec![vec![100.5; 2]; 2];
    fleet.layers = 5;
    let flow = |held: [Range<u32>; 2], partial| {
        throughput(&fleet, &Placement(held.map(Some).into()), partial).unwrap().tokens_per_s
    };
    assert_eq!(flow([0..3, 2..5], true), 100.5);
    assert_eq!(flow([0..3, 2..5], false), 0.0);
    assert_eq!(flow([0..2, 2..5], false), 100.5);
    assert_eq!(flow([0..2, 3..5], true), 0.0, "layer 2 is nowhere");
}

#[test]
fn what_is_no_fleet_is_refused() {
    let (mut fleet, mut placement) = published();
    placement.0[0] = Some(0..5);
    let refused = throughput(&fleet, &placement, true).unwrap_err();
    assert_eq!(refused.to_string(), "node 0 cannot hold layers 0 to 5");
    placement.0[0] = Some(0..3);
    fleet.links[0][1] = f64::NAN;
    let refused = throughput(&fleet, &placement, true).unwrap_err();
    assert_eq!(refused, FlowError::Rate { hop: Hop::Link(0, 1) });
    fleet.links.pop();
    let refused = throughput(&fleet, &placement, true).unwrap_err();
    assert_eq!(refused.to_string(), "24 nodes, but 23 rows of links");
}

#[test]
fn an_even_split_serves_what_was_published() {
    let fleet = single();
    let found = throughput(&fleet, &even(&fleet), false).unwrap();
    assert_eq!(found.tokens_per_s, 758.0);
}

#[test]
fn petals_rule_fills_the_weakest_layers() {
    let fleet = single();
    let held = petals(&fleet).0;
    // Four of 12 layers side by side, then L4s where nothing is.
    assert_eq!(held[..6], [0..12, 12..24, 24..36, 36..48, 48..55, 55..62].map(Some));
}

#[test]
fn a_search_finds_more_than_was_published_and_the_same_each_time() {
    for (fleet, published) in [(single(), 1289.6), (geo(), 1212.2)] {
        let (placement, found) = helix(&fleet, 1, 100_000).unwrap();
        assert!(found.tokens_per_s > published, "{}", found.tokens_per_s);
        assert_eq!(throughput(&fleet, &placement, true).unwrap(), found);
        assert_eq!(helix(&fleet, 1, 2_000).unwrap(), helix(&fleet, 1, 2_000).unwrap());
    }
}

/// One chain through all of Helix's cards carries 2046 tokens/s by its own capacities: 32 layers on
/// the A100s, 24 on the L4s, 24 on the T4s. Its own search ended at 1289.6.
#[test]
fn a_chain_by_hand_carries_more_than_was_published() {
    let fleet = single();
    let counts = [vec![8; 4], vec![3; 8], vec![2; 12]].concat();
    let ends = counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end - count..*end)
    });
    let placement = Placement(ends.map(Some).collect());
    assert_eq!(throughput(&fleet, &placement, true).unwrap().tokens_per_s, 2046.0);
}
