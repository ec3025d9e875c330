//! What a scenario can see of a swarm, and what its clients do.

use swarm_core::{Ask, Input, RequestId};
use swarm_proto::{NodeId, Plan};

use crate::{
    World,
    host::{Host, State},
    keys::{node_id, number_of},
    world::Event,
};

impl World {
    /// A client asks at a node.
    pub fn ask(&mut self, number: usize, ask: Ask) -> u64 {
        let at = node_id(number);
        let request = self.clients.ask(self.now, at, &ask);
        if let Some(film) = &mut self.film {
            film.asked(self.now, number);
        }
        if self.hosts.get(&at).is_some_and(Host::is_there) {
            self.push(self.now, at, Event::Input(Input::Asked { request, ask }));
        } else {
            self.lose_clients(at);
        }
        request.0
    }

    /// A node is gone, and its clients with it.
    pub(crate) fn lose_clients(&mut self, node: NodeId) {
        self.clients.lost(node);
        if let Some(film) = &mut self.film {
            film.lost(self.now, number_of(node));
        }
    }

    /// The oldest client that waits leaves.
    pub fn cancel_one(&mut self) {
        let oldest = self.clients.running().next();
        oldest.into_iter().for_each(|(request, at)| self.cancel(request, at));
    }

    /// All clients that wait leave.
    pub(crate) fn cancel_all(&mut self) {
        let all: Vec<_> = self.clients.running().collect();
        all.into_iter().for_each(|(request, at)| self.cancel(request, at));
    }

    fn cancel(&mut self, request: RequestId, at: NodeId) {
        self.clients.leave(request);
        if let Some(film) = &mut self.film {
            film.left(self.now, request);
        }
        self.push(self.now, at, Event::Input(Input::Cancelled(request)));
    }

    /// Whether a node's process runs.
    pub fn is_up(&self, number: usize) -> bool {
        self.host(number).is_some_and(|host| matches!(host.state, State::Up))
    }

    /// Whether a node's process is dead.
    pub fn is_dead(&self, number: usize) -> bool {
        !self.host(number).is_some_and(Host::is_there)
    }

    /// Whether a node was asked to leave.
    pub fn drains(&self, number: usize) -> bool {
        self.host(number).is_some_and(|host| host.drains)
    }

    /// How many other nodes that run think that a node is there.
    pub fn counts_on(&self, number: usize) -> usize {
        let counts = |host: &&Host| {
            host.number != number
                && matches!(host.state, State::Up)
                && host.node.is_alive(node_id(number))
        };
        self.hosts.values().filter(counts).count()
    }

    /// Who votes, as whoever leads sees it.
    pub fn voting(&self) -> Vec<usize> {
        let leader = self.led_by().and_then(|number| self.host(number));
        let voters = leader.map_or(&[][..], |host| host.node.voters());
        voters.iter().filter_map(|voter| self.number(*voter)).collect()
    }

    /// Who leads: who says so of itself, in the latest term.
    pub fn led_by(&self) -> Option<usize> {
        let up = self.hosts.values().filter(|host| matches!(host.state, State::Up));
        let leads = up.filter(|host| host.node.leader() == Some(host.id()));
        leads.max_by_key(|host| host.node.term()).map(|host| host.number)
    }

    /// Whom all nodes that run take for the leader, if they agree.
    pub fn all_follow(&self) -> Option<usize> {
        let mut up = self.hosts.values().filter(|host| matches!(host.state, State::Up));
        let leader = up.next()?.node.leader()?;
        up.all(|host| host.node.leader() == Some(leader)).then(|| self.number(leader))?
    }

    /// Whether all nodes that run know the same live plan, and its members are as they should be.
    pub fn all_know_a_plan(&self, fits: impl Fn(&[usize]) -> bool) -> bool {
        let mut up = self.hosts.values().filter(|host| matches!(host.state, State::Up));
        let Some(plan) = up.next().and_then(|host| host.node.live_plan()) else { return false };
        fits(&self.members(plan))
            && up.all(|host| host.node.live_plan().map(|live| live.id) == Some(plan.id))
    }

    /// Whether whoever leads knows that a node is not here.
    pub fn leader_misses(&self, number: usize) -> bool {
        self.led_by().is_some_and(|leader| self.misses(leader, number))
    }

    /// Whether one node knows that another is not here.
    pub fn misses(&self, by: usize, number: usize) -> bool {
        self.host(by).is_some_and(|host| !host.node.is_alive(node_id(number)))
    }

    /// How many peers a node has in view.
    pub fn entries(&self, number: usize) -> usize {
        self.host(number).map_or(0, |host| host.node.adverts().count())
    }

    /// Counts control traffic from now on.
    pub fn count_traffic(&mut self) {
        self.traffic.start(self.hosts.len());
    }

    /// What each node sent and received since.
    pub fn carried(&self) -> &[crate::Carried] {
        self.traffic.nodes()
    }

    /// How long deaths took to be noticed by anyone, of those that were.
    pub fn noticed_after(&self) -> &[std::time::Duration] {
        self.obituary.noticed()
    }

    /// With how many others a node is connected.
    pub fn connections(&self, number: usize) -> usize {
        let id = node_id(number);
        self.links.ends(id).iter().filter(|peer| self.links.is_up(id, **peer)).count()
    }

    /// How many of the nodes that run a node reaches over connections, itself counted.
    pub fn reaches(&self, number: usize) -> usize {
        let runs = |id: &NodeId| self.hosts.get(id).is_some_and(Host::is_there);
        let (mut seen, mut next) = (std::collections::BTreeSet::new(), vec![node_id(number)]);
        while let Some(id) = next.pop() {
            if runs(&id) && seen.insert(id) {
                let peers = self.links.ends(id).into_iter();
                next.extend(peers.filter(|peer| self.links.is_up(id, *peer)));
            }
        }
        seen.len()
    }

    /// Whether all nodes that are up know the same live plan, whose members are up.
    pub fn serves(&self) -> bool {
        let up = || self.hosts.values().filter(|host| matches!(host.state, State::Up));
        let Some(plan) = up().next().and_then(|host| host.node.live_plan()) else { return false };
        let whole = plan.members().all(|member| {
            self.hosts.get(&member.node).is_some_and(|host| matches!(host.state, State::Up))
        });
        whole && up().all(|host| host.node.live_plan().map(|p| p.id) == Some(plan.id))
    }

    /// How many voters the best informed node knows of.
    pub fn voters(&self) -> usize {
        self.hosts.values().map(|host| host.node.voters().len()).max().unwrap_or(0)
    }

    /// The plan that is live at a node.
    pub fn live_plan(&self, number: usize) -> Option<&Plan> {
        self.host(number)?.node.live_plan()
    }

    /// Why a node has no plan, if its leader said so.
    pub fn trouble(&self, number: usize) -> Option<&str> {
        self.host(number)?.node.trouble()
    }

    /// Who leads, as a node sees it.
    pub fn leader(&self, number: usize) -> Option<usize> {
        self.number(self.host(number)?.node.leader()?)
    }

    /// Whether every request has ended.
    pub fn answered(&self) -> bool {
        self.clients.open() == 0
    }

    /// How many requests there were.
    pub fn asked(&self) -> u64 {
        self.clients.asked()
    }

    /// How many tokens clients have got.
    pub fn tokens(&self) -> usize {
        self.clients.tokens()
    }

    /// How many requests were refused.
    pub fn refused(&self) -> usize {
        self.clients.refused()
    }

    /// The number of the node that leads a stage of the live plan.
    pub fn leader_of_stage(&self, stage: usize) -> Option<usize> {
        let up = self.hosts.values().find(|host| matches!(host.state, State::Up))?;
        let stages = &up.node.live_plan()?.pipelines.first()?.stages;
        self.number(stages.get(stage.min(stages.len() - 1))?.leader().node)
    }

    /// The numbers of a plan's members.
    pub fn members(&self, plan: &Plan) -> Vec<usize> {
        let mut numbers: Vec<_> = plan.members().filter_map(|m| self.number(m.node)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Whether a device holds or loads something under the plan that is live at its node.
    pub fn is_loading(&self, number: usize) -> bool {
        let loading = |w: &crate::worker::Worker| {
            matches!(w.running, Some(crate::worker::Running::Load { .. }))
        };
        self.host(number).is_some_and(|host| host.workers.values().any(loading))
    }

    fn host(&self, number: usize) -> Option<&Host> {
        self.hosts.get(&node_id(number))
    }

    fn number(&self, node: NodeId) -> Option<usize> {
        self.hosts.get(&node).map(|host| host.number)
    }
}
