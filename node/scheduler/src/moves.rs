//! What it takes to go from one plan to another.

use std::collections::BTreeMap;

use swarm_proto::BLOCK_TOKENS;

use crate::{ground::Ground, proposal::Proposal};

/// A device's part of a plan that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The device, by its place in the ground.
    pub spot: usize,
    /// `first..end` of its layers.
    pub layers: (u32, u32),
    /// `first..end` of its KV heads.
    pub kv_heads: (u32, u32),
    /// `first..end` of its FFN columns.
    pub ffn_columns: (u32, u32),
}

/// What it takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    /// Weights that devices must load which do not have them.
    pub load_bytes: u64,
    /// The same of the device that must load most, and which that is.
    pub most: Option<(usize, u64)>,
    /// KV cache of one request, half-way through its answer, that must go to another device.
    pub session_bytes: u64,
    /// Requests under way when the plan that runs is busy, as far as a route of the new one needs
    /// any of their KV cache elsewhere: requests a second times how long one takes (Little's law).
    pub sessions: f64,
}

/// From parts that are held to a proposal.
pub fn moves(ground: &Ground, held: &[Part], to: &Proposal) -> Moves {
    let parts: Vec<Part> = parts(to);
    let mut all = Moves::default();
    let mut loads: BTreeMap<usize, u64> = BTreeMap::new();
    for part in &parts {
        let old = held.iter().filter(|old| old.spot == part.spot);
        let kept: u64 = old.map(|old| weights(ground, &common(part, old))).sum();
        *loads.entry(part.spot).or_default() += weights(ground, part).saturating_sub(kept);
    }
    all.load_bytes = loads.values().sum();
    all.most = loads.into_iter().filter(|(_, bytes)| *bytes > 0).max_by_key(|(_, bytes)| *bytes);
    // A request's cache is where its layers and heads were; a head of a layer that is nowhere the
    // same must go.
    let layers = ground.model.layers;
    let stays = |layer: u32, head: u32| {
        let has = |part: &&Part| within(layer, part.layers) && within(head, part.kv_heads);
        held.iter().filter(has).any(|old| parts.iter().filter(has).any(|new| new.spot == old.spot))
    };
    let heads = ground.model.kv_heads;
    let moved = (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head)));
    let moved = moved.filter(|(layer, head)| !stays(*layer, *head)).count() as u64;
    let tokens = ground.workload.input_tokens.saturating_add(ground.workload.output_tokens / 2);
    let blocks = u64::from(tokens.div_ceil(BLOCK_TOKENS));
    all.session_bytes =
        ground.model.kv_block_bytes(1, 1).saturating_mul(blocks).saturating_mul(moved);
    if moved > 0 {
        let busy = to.routes.iter().map(|route| route.requests_per_s * route.latency_ms / 1e3);
        all.sessions = busy.sum();
    }
    all
}

fn parts(of: &Proposal) -> Vec<Part> {
    let mut all: Vec<Part> = Vec::new();
    for stage in of.pipelines.iter().flat_map(|pipeline| &pipeline.stages) {
        for member in &stage.members {
            let (kv_heads, ffn_columns) = (member.kv_heads, member.ffn_columns);
            let part = Part { spot: member.spot, layers: stage.layers, kv_heads, ffn_columns };
            // What several pipelines need of a device is there once.
            match all.iter_mut().find(|known| known.spot == part.spot) {
                Some(known) => {
                    known.layers.0 = known.layers.0.min(part.layers.0);
                    known.layers.1 = known.layers.1.max(part.layers.1);
                }
                None => all.push(part),
            }
        }
    }
    all
}

fn within(place: u32, (first, end): (u32, u32)) -> bool {
    (first..end).contains(&place)
}

fn common(a: &Part, b: &Part) -> Part {
    let both = |a: (u32, u32), b: (u32, u32)| {
        let first = a.0.max(b.0);
        (first, a.1.min(b.1).max(first))
    };
    Part {
        spot: a.spot,
        layers: both(a.layers, b.layers),
        kv_heads: both(a.kv_heads, b.kv_heads),
        ffn_columns: both(a.ffn_columns, b.ffn_columns),
    }
}

/// Weights of the layers of a part; embedding and head are left out.
fn weights(ground: &Ground, part: &Part) -> u64 {
    let count = |(first, end): (u32, u32)| end - first;
    let (layers, heads, columns) =
        (count(part.layers), count(part.kv_heads), count(part.ffn_columns));
    if layers == 0 {
        return 0;
    }
    let per_layer = ground.model.head_bytes as f64 * f64::from(heads)
        + ground.model.column_bytes * f64::from(columns);
    (per_layer * f64::from(layers)) as u64
}
