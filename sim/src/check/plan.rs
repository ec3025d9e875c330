//! A deposed leader's plan goes live at nobody who knows of a later leader, unless that one has
//! endorsed it; and plans never go back to an earlier one.

use std::collections::BTreeMap;

use swarm_proto::{NodeId, Plan, PlanId, Term};

use super::Broken;

/// What each node knows that a plan must not contradict.
#[derive(Debug, Default)]
pub(super) struct Plans(BTreeMap<NodeId, Known>);

#[derive(Debug, Default)]
struct Known {
    term: Term,
    /// Who leads it; nobody that the node knows of if it has restarted since.
    leader: Option<NodeId>,
    live: PlanId,
}

impl Plans {
    /// A node heard who leads a term.
    pub(super) fn led(&mut self, node: NodeId, term: Term, leader: NodeId) {
        let known = self.0.entry(node).or_default();
        if term >= known.term {
            (known.term, known.leader) = (term, Some(leader));
        }
    }

    /// A node starts; of what it knew there is left what its disk says.
    pub(super) fn started(&mut self, node: NodeId, term: Term) {
        self.0.insert(node, Known { term, ..Known::default() });
    }

    /// A plan is live at a node.
    pub(super) fn live(&mut self, node: NodeId, plan: &Plan) -> Result<(), Broken> {
        let known = self.0.entry(node).or_default();
        if known.leader != Some(plan.leader) || plan.id < known.live {
            let (term, live) = (known.term, known.live);
            return Err(Broken::OldPlan { node, plan: plan.id, term, known: live });
        }
        known.live = plan.id;
        Ok(())
    }
}
