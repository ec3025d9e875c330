//! A leader's pool: what peers say of themselves, as ground to plan on.

use std::collections::{BTreeMap, BTreeSet};

use swarm_proto::{
    ColumnRange, Device, HeadRange, LINKS_MAX, LayerRange, Machine, Member, NodeId, Pipeline, Pool,
    Predicted, Stage,
};

use crate::{
    draft::{Draft, Lane, Placed},
    fit::Pace,
    ground::{Ground, Model, Spot, TEAM_DEVICES_MAX, Way, Ways},
    lead::EXPECTED,
    proposal::{ProposedMember, ProposedPipeline, ProposedStage},
    rules::{Phase, Rules},
};

/// The way to a peer that nobody measured.
const BELIEVED: Way = Way { ms: 15.0, bytes_per_ms: 1e4 };
/// Between devices of one machine.
const INSIDE: Way = Way { ms: 0.03, bytes_per_ms: 1e7 };
/// Figures that differ by no more are those of like devices.
const ALIKE: f64 = 1.1;

/// The usable devices of a pool, and what stands for each of them.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) ground: Ground,
    /// The device of every spot, in the order of their ids.
    pub(crate) devices: Vec<(NodeId, u8)>,
    /// Devices whose figures cannot be, and that are left out.
    pub(crate) refused: usize,
}

impl Live {
    /// What of `pool` can be used, each device as it was measured.
    pub(crate) fn new(pool: &Pool) -> Self {
        Self::of(pool, false)
    }

    /// The same to search with: of more than a few devices, those that are about alike are alike.
    pub(crate) fn alike(pool: &Pool) -> Self {
        Self::of(pool, true)
    }

    fn of(pool: &Pool, alike: bool) -> Self {
        let nodes: BTreeSet<NodeId> = pool.machines.iter().map(|machine| machine.node).collect();
        let places: BTreeMap<NodeId, usize> = nodes.into_iter().zip(0..).collect();
        let mut all: BTreeMap<(usize, u8), (NodeId, &Device)> = BTreeMap::new();
        let mut refused = 0;
        for machine in &pool.machines {
            for device in &machine.devices {
                let real = |x: f64| x.is_finite() && x >= 1.0;
                if real(device.bandwidth_bytes_per_s) && real(device.flops_per_s) {
                    let place = (places[&machine.node], device.index);
                    all.entry(place).or_insert((machine.node, device));
                } else {
                    refused += 1;
                }
            }
        }
        let devices = all.iter().map(|((_, index), (node, _))| (*node, *index)).collect();
        let spots = spots(&all, alike && all.len() > TEAM_DEVICES_MAX);
        let ways = ways(&pool.machines, &places);
        let inside = vec![INSIDE; places.len()];
        let model = Model::llama(pool.model.clone());
        let ground = Ground::new(model, spots, inside, ways, (Rules::engine(), EXPECTED));
        Self { ground: ground.with_cache(pool.context_tokens), devices, refused }
    }

    /// A pipeline of a plan, where it stands on this ground; none if a device is not here, or is
    /// too small.
    pub(crate) fn lane(&self, pipeline: &Pipeline) -> Option<Lane> {
        let member = |member: &Member| {
            let spot = self.devices.binary_search(&(member.node, member.device)).ok()?;
            let kv_heads = (member.kv_heads.first(), member.kv_heads.end());
            let ffn_columns = (member.ffn_columns.first(), member.ffn_columns.end());
            Some(ProposedMember { spot, kv_heads, ffn_columns })
        };
        let stage = |stage: &Stage| {
            let layers = (stage.layers.first(), stage.layers.end());
            let members = stage.members.iter().map(member).collect::<Option<_>>()?;
            Some(Placed { layers, held: layers, members })
        };
        let stages = pipeline.stages.iter().map(stage).collect::<Option<_>>()?;
        let lane = Lane { stages, batch: 1, phase: Phase::Both };
        Draft::of(vec![lane.clone()]).holds(&self.ground).then_some(lane)
    }

    /// A pipeline that was proposed for this ground, as peers are told of it.
    pub(crate) fn pipeline(&self, of: &ProposedPipeline) -> Option<Pipeline> {
        let member = |member: &ProposedMember| {
            let (node, device) = self.devices[member.spot];
            let (heads, columns) = (member.kv_heads, member.ffn_columns);
            let kv_heads = HeadRange::new(heads.0, heads.1)?;
            Some(Member {
                node,
                device,
                kv_heads,
                ffn_columns: ColumnRange::new(columns.0, columns.1)?,
            })
        };
        let stage = |stage: &ProposedStage| {
            let layers = LayerRange::new(stage.layers.0, stage.layers.1)?;
            let members = stage.members.iter().map(member).collect::<Option<_>>()?;
            Some(Stage { layers, members, step_us: 0 })
        };
        let stages = of.stages.iter().map(stage).collect::<Option<_>>()?;
        Some(Pipeline { stages, predicted: Predicted::default() })
    }
}

/// Devices of one name on one machine that measured about the same are one kind, as fast and as
/// large as the least of them: in a large pool only like devices share layers.
fn spots(all: &BTreeMap<(usize, u8), (NodeId, &Device)>, merge: bool) -> Vec<Spot> {
    let devices: Vec<&Device> = all.values().map(|(_, device)| *device).collect();
    let mut spots: Vec<Spot> = Vec::with_capacity(all.len());
    for (number, (machine, index)) in all.keys().enumerate() {
        let device = devices[number];
        let rate = |x: f64| x.min(1e18) / 1e3;
        let mut one = Spot {
            machine: *machine,
            name: format!("{} {index}", device.name),
            memory_bytes: device.memory_bytes,
            pace: Pace::peak(rate(device.bandwidth_bytes_per_s), rate(device.flops_per_s)),
        };
        // They come machine after machine.
        let begun = spots.partition_point(|spot| spot.machine < *machine);
        let twin = (begun..number)
            .find(|n| merge && devices[*n].name == device.name && alike(&spots[*n], &one));
        if let Some(twin) = twin.map(|n| &spots[n]) {
            one.name.clone_from(&twin.name);
            one.pace = twin.pace.slower(&one.pace);
            one.memory_bytes = twin.memory_bytes.min(one.memory_bytes);
            for spot in spots[begun..].iter_mut().filter(|spot| spot.name == one.name) {
                *spot = one.clone();
            }
        }
        spots.push(one);
    }
    spots
}

fn alike(a: &Spot, b: &Spot) -> bool {
    let near = |a: f64, b: f64| a.max(b) <= ALIKE * a.min(b);
    near(a.memory_bytes as f64, b.memory_bytes as f64)
        && near(a.pace.bytes_per_ms, b.pace.bytes_per_ms)
        && near(a.pace.flops_per_ms, b.pace.flops_per_ms)
}

fn worse(a: Way, b: Way) -> Way {
    Way { ms: a.ms.max(b.ms), bytes_per_ms: a.bytes_per_ms.min(b.bytes_per_ms) }
}

/// Every pair of machines: as measured, or as believed. Two ends report one link: the worse word
/// counts. Each machine is a region of its own.
fn ways(machines: &[Machine], places: &BTreeMap<NodeId, usize>) -> Ways {
    let regions = places.len();
    let mut ways: Vec<Option<Way>> = vec![None; regions * regions];
    for machine in machines {
        let from = places[&machine.node];
        for link in &machine.links {
            let Some(&to) = places.get(&link.to) else { continue };
            let real = |x: f64| x.is_finite() && x > 0.0;
            let ms = if real(link.rtt_ms) { link.rtt_ms.min(1e7) / 2.0 } else { BELIEVED.ms };
            let rate = link.bytes_per_s / 1e3;
            let rate = if real(rate) { rate.clamp(0.1, 1e12) } else { BELIEVED.bytes_per_ms };
            for (a, b) in [(from, to), (to, from)] {
                let way = &mut ways[a * regions + b];
                let known = way.unwrap_or(Way { ms, bytes_per_ms: rate });
                *way = Some(worse(known, Way { ms, bytes_per_ms: rate }));
            }
        }
    }
    let mut untold = vec![BELIEVED; regions];
    // Whoever tells of as many as an advert has room for tells of the nearest.
    for machine in machines.iter().filter(|machine| machine.links.len() >= LINKS_MAX) {
        let from = places[&machine.node];
        let told = ways[from * regions..][..regions].iter().flatten();
        untold[from] = told.fold(BELIEVED, |worst, way| worse(worst, *way));
    }
    for (place, way) in ways.iter_mut().enumerate() {
        let (a, b) = (untold[place / regions], untold[place % regions]);
        way.get_or_insert(worse(a, b));
    }
    Ways::Regions { of: (0..regions).collect(), regions, ways }
}

#[cfg(test)]
mod tests {
    use swarm_proto::LinkReport;

    use super::*;

    /// A machine that tells of as many ways as it may has none that is shorter and untold.
    #[test]
    fn what_a_full_advert_leaves_out_is_no_nearer_than_what_it_tells() {
        let id = |n: usize| NodeId([u8::try_from(n).unwrap(); 32]);
        let link = |to: usize| LinkReport {
            to: id(to),
            rtt_ms: 80.0,
            rtt_spread_ms: 0.0,
            bytes_per_s: 1e6,
            loss: 0.0,
            age_ms: 0,
            predicted: false,
        };
        let machine = |n: usize, told: usize| {
            let links = (0..=told).filter(|to| *to != n).take(told).map(link).collect();
            Machine { node: id(n), devices: Vec::new(), links }
        };
        let untold = |told: usize| {
            let machines: Vec<_> =
                (0..80).map(|n| machine(n, if n == 0 { told } else { 0 })).collect();
            let places = (0..80).map(|n| (id(n), n)).collect();
            let Ways::Regions { regions, ways, .. } = ways(&machines, &places) else { panic!() };
            [ways[79], ways[79 * regions], ways[79 * regions + 78]].map(|way| way.unwrap().ms)
        };
        assert_eq!(untold(LINKS_MAX - 1), [15.0; 3]);
        assert_eq!(untold(LINKS_MAX), [40.0, 40.0, 15.0]);
    }
}
