//! Once faults have stopped the swarm is one again: one leader and one live plan that all know, its
//! members hold it, and everyone counts on everyone.

use swarm_proto::{Member, NodeId};

use super::Broken;
use crate::{World, host::Host, keys::node_id};

impl World {
    /// In what way the swarm is not one, if it is not.
    pub fn apart(&self) -> Option<String> {
        self.divided().or_else(|| self.unplanned())
    }

    /// In what way nodes do not agree on who leads and who is there, if they do not.
    fn divided(&self) -> Option<String> {
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
            let misses = |other: &&Host| self.meet(host, other) && !host.node.is_alive(other.id());
            if let Some(other) = there().find(misses) {
                return Some(format!("node {number} thinks that node {} is dead", other.number));
            }
        }
        None
    }

    /// Whether two nodes are to count on each other: in a large swarm they need not have met, nor where
    /// there is no way between them.
    fn meet(&self, one: &Host, other: &Host) -> bool {
        let (one, other) = (one.id(), other.id());
        one == other
            || (self.all_meet() && self.links.open(one, other) && self.links.open(other, one))
    }

    /// Whether there is no way between some nodes.
    pub(crate) fn has_gaps(&self) -> bool {
        let open = |one, other| one == other || self.links.open(one, other);
        self.hosts.ids().any(|one| !self.hosts.ids().all(|other| open(one, other)))
    }

    /// In what way there is not one live plan that all know and its members hold.
    fn unplanned(&self) -> Option<String> {
        let there = || self.hosts.values().filter(|host| host.is_there());
        let first = there().next()?;
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

    /// The same where machines may be gone for good: whoever is left agrees on a leader, unless of all
    /// sets of voters most are gone, and on a plan, unless the leader knows why there is none.
    pub(crate) fn check_left(&self) -> Result<(), Broken> {
        if self.outvoted() {
            return Ok(());
        }
        let apart = self.divided().or_else(|| match self.lacks() {
            true => None,
            false => self.unplanned(),
        });
        match apart {
            Some(why) => Err(Broken::Apart { why }),
            None if self.lacks() => Ok(()),
            None => self.check_layers(),
        }
    }

    /// Whether nobody who is left can win a vote: of the voters that each knows most are gone for good.
    fn outvoted(&self) -> bool {
        let is_there = |id: &NodeId| self.hosts.get(id).is_some_and(Host::is_there);
        let few = |host: &Host| {
            let voters = host.node.voters();
            voters.iter().filter(|voter| is_there(voter)).count() * 2 <= voters.len()
        };
        self.hosts.values().filter(|host| host.is_there()).all(few)
    }

    /// Whether no plan serves, as members of the last one are gone or there was none, and whoever leads
    /// knows why there is no other.
    fn lacks(&self) -> bool {
        let leader = self.led_by().and_then(|number| self.hosts.get(&node_id(number)));
        let is_gone = |member: &Member| !self.hosts.get(&member.node).is_some_and(Host::is_there);
        leader.is_some_and(|host| {
            let serves = host.node.live_plan().is_some_and(|plan| !plan.members().any(is_gone));
            host.node.trouble().is_some() && !serves
        })
    }
}
