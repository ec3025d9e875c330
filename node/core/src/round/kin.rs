//! Whom a node has to do with by the plan that serves and the one that is proposed.

use std::collections::BTreeMap;

use swarm_proto::{NodeId, Pipeline, Plan};

use super::Rounds;
use crate::{council::Council, neighbourhood::Kin};

/// Members of our own stages, and of those before and after, that are watched.
const MATES_MAX: usize = 6;
/// Members of a plan that whoever leads or could lead is connected with.
const LED_MAX: usize = 192;

impl Rounds {
    /// Adds them to `kin`.
    pub(crate) fn kin(&self, me: NodeId, council: &Council, kin: &mut Kin) {
        let loading = self.loading.as_ref().map(|loading| &loading.plan);
        let proposal = self.lead.proposal();
        let plans = || self.live_plan().into_iter().chain(loading).chain(proposal);
        let mut mates = BTreeMap::new();
        for pipeline in plans().flat_map(|plan| &plan.pipelines) {
            distances(pipeline, me, &mut mates);
        }
        mates.remove(&me);
        let mut mates: Vec<_> =
            mates.into_iter().map(|(node, distance)| (distance, node)).collect();
        mates.sort_unstable();
        let next = mates.iter().filter(|(distance, _)| *distance <= 1);
        kin.close.extend(next.take(MATES_MAX).map(|(_, node)| *node));
        let votes = council.is_told(me);
        let members = plans().flat_map(Plan::members).map(|member| member.node);
        if votes {
            kin.close.extend(council.told().filter(|voter| *voter != me));
            kin.near.extend(members.take(LED_MAX).filter(|node| *node != me));
        } else if !mates.is_empty() || members.into_iter().any(|node| node == me) {
            kin.near.extend(council.told());
        }
    }
}

/// How many stages away from us everyone in a pipeline is, the least counts. The last stage hands
/// tokens to the first.
fn distances(pipeline: &Pipeline, me: NodeId, mates: &mut BTreeMap<NodeId, usize>) {
    let count = pipeline.stages.len();
    let has = |stage: usize| pipeline.stages[stage].members.iter().any(|m| m.node == me);
    for ours in (0..count).filter(|stage| has(*stage)) {
        for (theirs, stage) in pipeline.stages.iter().enumerate() {
            let apart = ours.abs_diff(theirs);
            let apart = apart.min(count - apart);
            for member in &stage.members {
                let least = mates.entry(member.node).or_insert(apart);
                *least = apart.min(*least);
            }
        }
    }
}
