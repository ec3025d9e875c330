//! Swarms of the machines that a pool file tells of, and plans for them by any planner.

mod why;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use swarm_proto::{
    ColumnRange, Device, DeviceKind, Hash, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan,
    PlanId, Pool, Predicted, Stage,
};
use swarm_scheduler::{
    Ask, Ground, Model, Phase, PoolFile, PoolMachine, Proposal, ProposedPipeline, ProposedStage,
    Rules, Way, Ways, Workload, at_once, predicted, propose, reference_ms,
};

use self::why::why_not;
use crate::{
    Planner, Setup, Weather,
    keys::{node_id, number_of},
    layout::Layout,
    memo::Memo,
    rig::{Efficiency, Layers, Measured, Pace, Reach, Rig, Roofline},
};

/// How fast devices are in truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// What layers were measured to take; cards that were not reach parts of what their makers say.
    pub layers: Option<Arc<Layers>>,
    /// Which parts of it cards reach each; all of them the two below, if it is not told.
    pub efficiency: Option<Arc<Efficiency>>,
    /// Which part of their memory's bandwidth,
    pub bandwidth: f64,
    /// and which of their arithmetic.
    pub arithmetic: f64,
    /// What every layer takes beside reading and computing.
    pub layer: Duration,
    /// The way between any two machines; what the pool says, if it is not told here.
    pub between: Option<Way>,
    /// What all ways are like beside.
    pub weather: Weather,
    /// How much the times of one batch differ: their standard deviation over their mean.
    pub noise: f64,
    /// By how many millionths nodes' clocks are fast or slow, at most.
    pub skew_ppm: u32,
}

/// What planners believe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// By whose formulas.
    pub rules: Rules,
    /// What requests are like.
    pub workload: Workload,
    /// How many times as fast as they do nodes say that their devices read,
    pub bandwidth: f64,
    /// and compute.
    pub arithmetic: f64,
}

/// Where its plans come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Planned {
    /// A planner; of pipelines that share devices only the first is kept, if it is to be so.
    By { ask: Ask, disjoint: bool },
    /// A hand.
    Laid(Layout),
    /// Whoever leads, as in a live swarm: by what nodes tell of themselves, and of their links.
    Live,
}

/// Machines of a pool file, and how they are planned.
#[derive(Debug)]
pub struct Fleet {
    pool: PoolFile,
    model: Model,
    belief: Belief,
    planned: Planned,
    /// A planner's plans are the same for the same machines, and many runs plan them.
    known: Memo<Vec<usize>, Result<Plan, String>>,
}

impl Fleet {
    /// Machines of a pool to serve a model, planned by what is believed of them.
    pub(crate) fn new(pool: PoolFile, model: Model, belief: Belief, planned: Planned) -> Self {
        Self { pool, model, belief, planned, known: Memo::new() }
    }

    /// How many machines there are.
    pub(crate) fn machines(&self) -> usize {
        self.pool.machines.len()
    }

    /// A swarm of these machines.
    pub fn setup(self: &Arc<Self>, truth: &Truth) -> Setup {
        let rigs = |machine: &PoolMachine| self.rigs(machine, truth);
        Setup {
            model: self.model.spec.clone(),
            machines: self.pool.machines.iter().map(rigs).collect(),
            ways: Some(Arc::new(self.ways(truth))),
            weather: truth.weather,
            planner: match self.planned {
                Planned::Live => Planner::Scheduler,
                _ => Planner::Fleet(Arc::clone(self)),
            },
            noise: truth.noise,
            skew_ppm: truth.skew_ppm,
            row_bytes: 2 * u64::from(self.model.spec.hidden),
            ..Setup::default()
        }
    }

    /// The ways between machines, as they are in truth.
    fn ways(&self, truth: &Truth) -> Ways {
        let count = self.pool.machines.len();
        match truth.between {
            None => self.pool.ways.clone(),
            Some(way) => Ways::Regions { of: vec![0; count], regions: 1, ways: vec![Some(way)] },
        }
    }

    fn rigs(&self, machine: &PoolMachine, truth: &Truth) -> Vec<Rig> {
        let spec = &self.model.spec;
        let rig = |(index, device): (usize, &swarm_scheduler::PoolDevice)| {
            let own = truth.efficiency.as_ref().map(|all| all.of(&machine.device));
            let reach =
                own.unwrap_or(Reach { bandwidth: truth.bandwidth, arithmetic: truth.arithmetic });
            let bytes_per_s = device.bytes_per_s * reach.bandwidth;
            let flops_per_s = device.flops_per_s * reach.arithmetic;
            let roofline = Roofline {
                bytes_per_s,
                flops_per_s,
                layer: truth.layer,
                params_per_byte: self.model.head_params / spec.head_bytes as f64,
                mate: Duration::from_secs_f64(machine.inside.ms / 1e3),
                mate_bytes_per_s: machine.inside.bytes_per_ms * 1e3,
            };
            let layers = truth.layers.as_ref().filter(|_| machine.known);
            let measured = layers.and_then(|all| Measured::of(all, &machine.device, roofline));
            let pace = measured.map_or(Pace::Roofline(roofline), Pace::Measured);
            let told = Device {
                index: index as u8,
                kind: DeviceKind::Cuda,
                name: machine.device.clone(),
                memory_bytes: device.memory_bytes,
                bandwidth_bytes_per_s: bytes_per_s * self.belief.bandwidth,
                flops_per_s: flops_per_s * self.belief.arithmetic,
                threads: 0,
                drift_class: Hash::of(b"simulated"),
            };
            Rig { told, pace }
        };
        machine.devices.iter().enumerate().map(rig).collect()
    }

    /// What its machines are called.
    pub fn names(&self) -> Vec<String> {
        self.pool.machines.iter().map(|machine| machine.name.clone()).collect()
    }

    /// What the planner proposes for all machines, asked as it would be or in another way; none if there
    /// is no planner, or no plan.
    pub fn propose(&self, otherwise: impl FnOnce(Ask) -> Ask) -> Option<Proposal> {
        let Planned::By { ask, .. } = &self.planned else { return None };
        propose(&self.ground(&self.pool), &otherwise(*ask))
    }

    /// What eight A100 take for a request, as planners think.
    pub fn reference_ms(&self) -> Option<f64> {
        reference_ms(&self.model, self.belief.workload)
    }

    /// The plan for whoever is here.
    pub(crate) fn plan(&self, pool: &Pool) -> Result<Plan, String> {
        let mut here: Vec<usize> = pool.machines.iter().map(|m| number_of(m.node)).collect();
        here.sort_unstable();
        match &self.planned {
            Planned::By { ask, disjoint } => {
                self.known.get(here.clone(), || self.searched(ask, *disjoint, &here))
            }
            // Entries go by what is expected of each pipeline, as they do with a planner's. That depends
            // on what is told of machines by then, so it is not kept for others.
            Planned::Laid(layout) => {
                layout.plan(&pool.model, &here).map(|plan| predicted(pool, plan))
            }
            Planned::Live => Planner::Scheduler.plan(pool),
        }
    }

    fn searched(&self, ask: &Ask, disjoint: bool, here: &[usize]) -> Result<Plan, String> {
        let mut pool = self.pool.clone();
        for (number, machine) in pool.machines.iter_mut().enumerate() {
            if here.binary_search(&number).is_err() {
                machine.devices.iter_mut().for_each(|device| device.memory_bytes = 0);
            }
        }
        let ground = self.ground(&pool);
        let mut found = propose(&ground, ask).ok_or_else(|| why_not(&ground, ask, &pool))?;
        if disjoint {
            keep_disjoint(&mut found.pipelines);
        }
        spoken(&pool.machines, &found, self.model.spec.hash)
    }

    /// The ground for machines, as planners believe it to be.
    fn ground(&self, pool: &PoolFile) -> Ground {
        let Belief { rules, workload, bandwidth, arithmetic } = self.belief;
        pool.ground(self.model.clone(), rules, workload).biased(bandwidth, arithmetic)
    }

    /// Whether it is of the same machines, planned in the same way.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.planned == other.planned
            && self.belief == other.belief
            && self.model == other.model
            && self.pool == other.pool
    }
}

/// Of pipelines that share devices keeps the first.
fn keep_disjoint(pipelines: &mut Vec<ProposedPipeline>) {
    let mut taken = BTreeSet::new();
    pipelines.retain(|pipeline| {
        let members = pipeline.stages.iter().flat_map(|stage| &stage.members);
        let spots: Vec<usize> = members.map(|member| member.spot).collect();
        let free = spots.iter().all(|spot| !taken.contains(spot));
        if free {
            taken.extend(spots);
        }
        free
    });
}

/// A proposal as a swarm says it. Pipelines that do a part of a request only are for no swarm; those
/// that share devices are refused by the swarm itself.
fn spoken(machines: &[PoolMachine], found: &Proposal, model: Hash) -> Result<Plan, String> {
    if found.pipelines.iter().any(|pipeline| pipeline.phase != Phase::Both) {
        return Err("this planner does prompts and answers apart, which no swarm does".to_owned());
    }
    let devices = machines.iter().enumerate();
    let devices = devices.flat_map(|(number, machine)| {
        (0..machine.devices.len()).map(move |index| (node_id(number), index as u8))
    });
    let devices: Vec<(NodeId, u8)> = devices.collect();
    let place = |spot: usize| devices[spot];
    let pipelines: Option<Vec<Pipeline>> =
        found.pipelines.iter().map(|pipeline| said(pipeline, &place)).collect();
    let pipelines = pipelines.ok_or("a plan with an empty share")?;
    Ok(Plan { id: PlanId::default(), leader: NodeId([0; 32]), model, pipelines })
}

fn said(pipeline: &ProposedPipeline, place: &impl Fn(usize) -> (NodeId, u8)) -> Option<Pipeline> {
    let us = |ms: f64| (ms * 1e3).round() as u64;
    let stage = |stage: &ProposedStage| {
        let member = |member: &swarm_scheduler::ProposedMember| {
            let (node, device) = place(member.spot);
            let kv_heads = HeadRange::new(member.kv_heads.0, member.kv_heads.1)?;
            let ffn_columns = ColumnRange::new(member.ffn_columns.0, member.ffn_columns.1)?;
            Some(Member { node, device, kv_heads, ffn_columns })
        };
        let members = stage.members.iter().map(member).collect::<Option<Vec<_>>>()?;
        let layers = LayerRange::new(stage.layers.0, stage.layers.1)?;
        Some(Stage { layers, members, step_us: us(stage.step_ms) })
    };
    let predicted = Predicted {
        ttft_us: us(pipeline.ttft_ms),
        tpot_us: us(pipeline.tpot_ms),
        requests_per_ks: (pipeline.requests_per_s * 1e3).round() as u64,
        sessions: at_once(pipeline.requests_per_s, pipeline.latency_ms),
    };
    let stages = pipeline.stages.iter().map(stage).collect::<Option<Vec<_>>>()?;
    Some(Pipeline { stages, predicted })
}
