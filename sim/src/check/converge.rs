//! Once faults have stopped the swarm is one again: one leader and one live plan that all know, its
//! members hold it, and everyone counts on everyone.

use super::Broken;
use crate::World;

impl World {
    /// In what way the swarm is not one, if it is not.
    pub fn apart(&self) -> Option<String> {
        let there = || self.hosts.values().filter(|host| host.is_there());
        let first = there().next()?;
        let (leader, term) = (first.node.leader(), first.node.term());
        if leader.is_none() {
            return Some(format!("node {} knows no leader", first.number));
        }
        if !there().any(|host| Some(host.id()) == leader) {
            return Some(format!("the leader of term {} is not there", term.0));
        }
        for host in there() {
            let number = host.number;
            if (host.node.leader(), host.node.term()) != (leader, term) {
                return Some(format!(
                    "node {} is at term {} and node {number} at {}, or they disagree on its leader",
                    first.number,
                    term.0,
                    host.node.term().0
                ));
            }
            if let Some(other) = there().find(|other| !host.node.is_alive(other.id())) {
                return Some(format!("node {number} thinks that node {} is dead", other.number));
            }
        }
        let Some(plan) = first.node.live_plan() else {
            return Some(format!("no plan is live at node {}", first.number));
        };
        for host in there() {
            let live = host.node.live_plan().map(|live| live.id);
            if live != Some(plan.id) {
                let live = live.map_or("none".to_owned(), |id| id.to_string());
                return Some(format!(
                    "plan {} is live at node {} and {live} at node {}",
                    plan.id, first.number, host.number
                ));
            }
        }
        for member in plan.members() {
            let host = self.hosts.get(&member.node)?;
            let held = host.workers.get(&member.device).and_then(|worker| worker.holds.as_ref());
            if held.is_none_or(|(id, _)| *id != plan.id) || !host.is_there() {
                return Some(format!(
                    "device {} of node {} does not hold its share of plan {}",
                    member.device, host.number, plan.id
                ));
            }
        }
        None
    }

    /// [`Self::apart`] as a property.
    pub fn check_converged(&self) -> Result<(), Broken> {
        self.apart().map_or(Ok(()), |why| Err(Broken::Apart { why }))
    }
}
