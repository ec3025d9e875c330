//! Who answers [`swarm_core::Effect::Plan`]: the scheduler that nodes run, a layout that a scenario
//! wants to see, or a planner of one's own.

use std::{fmt::Debug, sync::Arc};

use swarm_proto::{
    ColumnRange, HeadRange, LayerRange, Member, NodeId, Pipeline, Plan, PlanId, Pool, Predicted,
    Stage, codec,
};

use crate::{Fleet, memo::Memo, model};

/// A planner of one's own. It is asked for a plan whenever a swarm has none or may need another, and is
/// told who is here. The swarm checks what it says, and refuses what cannot be.
pub trait Plans: Debug + Send + Sync {
    /// A plan for these machines, or why there is none. Its number, its author and what is expected
    /// of its pipelines may be left as they are by default: then they are filled in.
    fn plan(&self, pool: &Pool) -> Result<Plan, String>;
}

/// Where plans come from.
#[derive(Clone, Debug, Default)]
pub enum Planner {
    /// The scheduler.
    #[default]
    Scheduler,
    /// Two stages, each shared by devices of two nodes in unequal parts: what the scheduler does
    /// only on links faster than the simulated ones.
    Pairs,
    /// Any planner of the scheduler's, for the machines of a pool file.
    Fleet(Arc<Fleet>),
    /// Always these, as soon as all of their members are here: see [`crate::node_id`].
    Given(Arc<[Pipeline]>),
    /// One's own.
    Own(Arc<dyn Plans>),
}

/// Plans are the same for the same pool, and many runs plan the same pools.
static KNOWN: Memo<Vec<u8>, Result<Plan, String>> = Memo::new();

impl Planner {
    pub(crate) fn plan(&self, pool: &Pool) -> Result<Plan, String> {
        match self {
            Self::Fleet(fleet) => fleet.plan(pool),
            Self::Scheduler => scheduled(pool),
            Self::Pairs => pairs(pool),
            Self::Given(pipelines) => given(pool, pipelines),
            Self::Own(plans) => plans.plan(pool).map(|plan| expected(pool, plan)),
        }
    }
}

fn given(pool: &Pool, pipelines: &[Pipeline]) -> Result<Plan, String> {
    let (id, leader) = (PlanId::default(), NodeId([0; 32]));
    let plan = Plan { id, leader, model: pool.model.hash, pipelines: pipelines.to_vec() };
    plan.check(&pool.model).map_err(|fault| fault.to_string())?;
    let here = |member: &Member| pool.machines.iter().any(|machine| machine.node == member.node);
    if !plan.members().all(here) {
        return Err("not all members of the given plan are here".to_owned());
    }
    Ok(swarm_scheduler::predicted(pool, plan))
}

/// A plan with what the scheduler expects of its pipelines, if it does not say itself: entries go by
/// that.
fn expected(pool: &Pool, plan: Plan) -> Plan {
    let silent = |pipeline: &Pipeline| pipeline.predicted == Predicted::default();
    match plan.pipelines.iter().all(silent) {
        true => swarm_scheduler::predicted(pool, plan),
        false => plan,
    }
}

fn scheduled(pool: &Pool) -> Result<Plan, String> {
    let mut pool = pool.clone();
    if let Some(running) = &mut pool.running {
        // Its number and its author say nothing about how good it is.
        (running.id, running.leader) = (PlanId::default(), NodeId([0; 32]));
    }
    KNOWN.get(codec::encode(&pool), || {
        swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default())
            .map(|found| found.plan)
            .map_err(|error| error.to_string())
    })
}

/// The four largest devices, each of another node, in two stages: two heads and one.
fn pairs(pool: &Pool) -> Result<Plan, String> {
    let devices = pool.machines.iter().filter_map(|machine| {
        let largest = machine.devices.iter().max_by_key(|device| device.memory_bytes)?;
        Some((largest.memory_bytes, machine.node, largest.index))
    });
    let mut devices: Vec<_> = devices.collect();
    devices.sort_unstable_by(|a, b| b.cmp(a));
    let [a, b, c, d] = devices[..] else {
        return match devices.len() {
            0..4 => Err(format!("{} nodes are here, four are wanted", devices.len())),
            _ => pairs(&Pool { machines: largest(pool, &devices[..4]), ..pool.clone() }),
        };
    };
    let half = model::LAYERS / 2;
    let stages = [(0, half, a, c), (half, model::LAYERS, b, d)].into_iter().filter_map(
        |(first, end, large, small)| {
            let split = model::FFN / 3 * 2 / model::FFN_GRAIN * model::FFN_GRAIN;
            let member = |(_, node, device), heads: (u32, u32), columns: (u32, u32)| {
                let kv_heads = HeadRange::new(heads.0, heads.1)?;
                let ffn_columns = ColumnRange::new(columns.0, columns.1)?;
                Some(Member { node, device, kv_heads, ffn_columns })
            };
            let members = vec![
                member(large, (0, 2), (0, split))?,
                member(small, (2, model::KV_HEADS), (split, model::FFN))?,
            ];
            Some(Stage { layers: LayerRange::new(first, end)?, members, step_us: 0 })
        },
    );
    let pipelines = vec![Pipeline { stages: stages.collect(), predicted: Predicted::default() }];
    let (id, leader) = (PlanId::default(), NodeId([0; 32]));
    Ok(Plan { id, leader, model: pool.model.hash, pipelines })
}

fn largest(pool: &Pool, devices: &[(u64, NodeId, u8)]) -> Vec<swarm_proto::Machine> {
    let among = |node: NodeId| devices.iter().any(|device| device.1 == node);
    pool.machines.iter().filter(|machine| among(machine.node)).cloned().collect()
}
