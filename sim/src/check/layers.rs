//! Every layer is held, or it is known what is lacking.

use swarm_core::Shard;
use swarm_proto::Plan;

use super::Broken;
use crate::{World, host::Host};

impl World {
    /// Every layer of the live plan is held with all its heads and columns, in each pipeline; without
    /// a live plan, whoever leads says why there is none.
    pub fn check_layers(&self) -> Result<(), Broken> {
        let there = || self.hosts.values().filter(|host| host.is_there());
        let leads = |host: &&Host| host.node.leader() == Some(host.id());
        let Some(leader) = there().filter(leads).max_by_key(|host| host.node.term()) else {
            return Ok(());
        };
        match (leader.node.live_plan(), leader.node.trouble()) {
            (Some(plan), _) => self.held(plan),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Broken::LackUnknown { node: leader.number }),
        }
    }

    fn held(&self, plan: &Plan) -> Result<(), Broken> {
        let model = &self.setup.model;
        for (number, pipeline) in plan.pipelines.iter().enumerate() {
            let held = |member: &swarm_proto::Member| {
                let worker = self.hosts.get(&member.node)?.workers.get(&member.device)?;
                let (id, shard) = worker.holds.as_ref()?;
                (*id == plan.id).then_some(shard)
            };
            let shards: Vec<&Shard> = pipeline.members().filter_map(held).collect();
            for layer in 0..model.layers {
                let has =
                    |shard: &&&Shard| (shard.layers.first()..shard.layers.end()).contains(&layer);
                let of = |part: fn(&Shard) -> u32| -> u32 {
                    shards.iter().filter(has).map(|shard| part(shard)).sum()
                };
                let heads = of(|shard| shard.kv_heads.len());
                let columns = of(|shard| shard.ffn_columns.len());
                if (heads, columns) != (model.kv_heads, model.ffn) {
                    return Err(Broken::Unheld { plan: plan.id, pipeline: number, layer });
                }
            }
        }
        Ok(())
    }
}
