//! A deposed leader's plan goes live at nobody who knows of a later one, and plans only get newer.

use std::collections::BTreeMap;

use swarm_proto::{NodeId, PlanId, Term};

use super::Broken;

/// What each node knows that a plan must not contradict.
#[derive(Debug, Default)]
pub(super) struct Plans(BTreeMap<NodeId, (Term, PlanId)>);

impl Plans {
    /// A node heard who leads a term.
    pub(super) fn led(&mut self, node: NodeId, term: Term) {
        let (known, _) = self.0.entry(node).or_default();
        *known = term.max(*known);
    }

    /// A node starts; of what it knew there is left what its disk says.
    pub(super) fn started(&mut self, node: NodeId, term: Term) {
        self.0.insert(node, (term, PlanId::default()));
    }

    /// A plan is live at a node.
    pub(super) fn live(&mut self, node: NodeId, plan: PlanId) -> Result<(), Broken> {
        let (term, last) = self.0.entry(node).or_default();
        if plan.term < *term || plan <= *last {
            return Err(Broken::OldPlan { node, plan, term: *term, known: *last });
        }
        *last = plan;
        Ok(())
    }
}
