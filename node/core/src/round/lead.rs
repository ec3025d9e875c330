//! What the leader does: look, plan, propose, wait, try with a canary, announce.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use swarm_proto::{
    Epoch, Machine, Member, Message, ModelSpec, NodeId, Plan, PlanId, Pool, Pulse, RoundMessage,
    Signed, Time,
};

use super::{Rounds, World};
use crate::{
    Effect, Notice, council::Council, membership::Membership, session::CanaryDone, turn::Turn,
};

/// Failed plans in a row after which the leader waits longer before the next.
const HASTE: u32 = 2;

/// Machines that are planned with: those that serve, then the best. A plan has no room for more.
const POOL_MAX: usize = 512;

/// The leader's part of a round.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    phase: Phase,
    /// Whether the view changed since it was last planned.
    dirty: bool,
    requests: u64,
    /// The last plan's number, of whatever term.
    last: PlanId,
    failures: u32,
    /// Members that could not do their part, left out of the next plan.
    suspects: BTreeSet<NodeId>,
    /// Members of the live plan that cannot hold their share of it.
    failing: BTreeSet<NodeId>,
    /// Which plan serves, and of which view it was last looked whether a member of it leaves or is gone;
    /// and whether one does.
    looked: Option<((PlanId, u64, bool), bool)>,
    /// The latest plan of an earlier term that a peer said serves: if it is later than the one we
    /// know, we cannot endorse what serves and must plan anew.
    seen: PlanId,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Rest,
    /// Lets the view come to rest.
    Settling {
        until: Time,
    },
    Planning {
        request: u64,
    },
    Loading {
        plan: Signed<Plan>,
        waiting: BTreeSet<NodeId>,
        until: Time,
    },
    Trying {
        plan: Signed<Plan>,
    },
}

impl Phase {
    /// The plan that is proposed.
    fn proposal(&self) -> Option<&Signed<Plan>> {
        match self {
            Self::Loading { plan, .. } | Self::Trying { plan } => Some(plan),
            _ => None,
        }
    }

    fn plan(&self) -> Option<PlanId> {
        self.proposal().map(|plan| plan.statement.id)
    }
}

impl Lead {
    /// The view changed.
    pub(crate) fn stir(&mut self) {
        self.dirty = true;
        self.suspects.clear();
    }

    /// The plan that we propose, if we do.
    pub(super) fn proposal(&self) -> Option<&Plan> {
        self.phase.proposal().map(|plan| &plan.statement)
    }

    /// Whether a member has not taken up what we propose, if this is the last that it has.
    pub(super) fn awaits(&self, member: NodeId, proposed: PlanId) -> bool {
        matches!(&self.phase, Phase::Loading { plan, waiting, .. }
            if waiting.contains(&member) && proposed < plan.statement.id)
    }

    /// Proposes to a member.
    pub(super) fn propose_to(&self, member: NodeId, council: &Council, turn: &mut Turn<'_>) {
        let Phase::Loading { plan, .. } = &self.phase else { return };
        let Some(certificate) = council.certificate().cloned().map(Box::new) else { return };
        let plan = Box::new(plan.clone());
        turn.send(member, Message::Round(RoundMessage::Propose { plan, certificate }));
    }

    pub(crate) fn deadline(&self) -> Time {
        match &self.phase {
            Phase::Settling { until } | Phase::Loading { until, .. } => *until,
            _ => Time::NEVER,
        }
    }
}

impl Rounds {
    /// Goes on, if we lead. Called after every input: cheap when there is nothing to do.
    pub(crate) fn proceed(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        if !world.council.leads(turn.me()) {
            self.lead.phase = Phase::Rest;
            self.lead.dirty = true;
            return;
        }
        self.endorse(world, turn);
        let broken = self.broken(world.membership, turn);
        match &self.lead.phase {
            Phase::Rest if self.lead.dirty || (broken && self.lead.failures == 0) => {
                self.lead.phase = Phase::Settling {
                    until: turn.now + self.pause(broken, world.membership, turn),
                };
            }
            Phase::Settling { until } if *until <= turn.now => self.ask(world, turn),
            Phase::Settling { until } if broken => {
                let until = (*until).min(turn.now + self.pause(broken, world.membership, turn));
                self.lead.phase = Phase::Settling { until };
            }
            Phase::Loading { waiting, until, .. } => {
                let gone = waiting.iter().any(|m| !world.membership.is_alive(*m, turn.me()));
                if gone || *until <= turn.now {
                    let laggards = waiting.clone();
                    self.failed(laggards, "members that do not load their part", world, turn);
                }
            }
            Phase::Trying { plan } => {
                let gone =
                    plan.statement.members().any(|m| !world.membership.is_alive(m.node, turn.me()));
                if gone {
                    self.failed(BTreeSet::new(), "a member that is gone", world, turn);
                }
            }
            _ => {}
        }
    }

    /// Gives our word for the plan that we found when we came to lead: serving goes on as it was.
    fn endorse(&mut self, world: &World<'_>, turn: &mut Turn<'_>) {
        let found = self.live.as_mut().filter(|live| live.by != turn.me());
        let Some(live) = found else { return };
        let plan = Plan { leader: turn.me(), ..live.statement.clone() };
        *live = turn.keys.signed(plan);
        self.tell_everyone(world, turn);
    }

    fn tell_everyone(&self, world: &World<'_>, turn: &mut Turn<'_>) {
        for peer in world.membership.neighbours() {
            self.tell_live(peer, world.council, turn);
        }
    }

    /// A beat tells us, if we lead, who holds what was proposed, who holds what came to nothing, and
    /// whether a plan serves that we do not know.
    pub(crate) fn felt(
        &mut self,
        from: NodeId,
        pulse: &Pulse,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if !world.council.leads(turn.me()) {
            return;
        }
        // Nobody but us makes plans in our term, whatever they say.
        if world.council.term() > pulse.live.term && pulse.live > self.lead.seen {
            self.lead.seen = pulse.live;
            self.lead.dirty |= self.is_behind();
        }
        match pulse.holds {
            held if held == self.live_id() => drop(self.lead.failing.remove(&from)),
            held if self.lead.phase.plan() == Some(held) => self.ready(from, held, world, turn),
            held if held.term == world.council.term() && held > self.live_id() => {
                self.tell(from, RoundMessage::Withdrawn { plan: held }, world, turn);
            }
            _ => {}
        }
    }

    /// Whether such a beat, if it is not the first of its author's, is nothing to a leader: who sends it
    /// follows the plan that serves, and holds it or nothing of our term.
    pub(crate) fn expects(&self, pulse: &Pulse, council: &Council) -> bool {
        let live = self.live_id();
        let idle = pulse.holds == live || pulse.holds.term != council.term();
        pulse.live == live && idle && self.lead.failing.is_empty()
    }

    fn is_behind(&self) -> bool {
        self.lead.seen > self.live_id()
    }

    /// What we sent to a peer did not arrive: it cannot take part in what is proposed.
    pub(crate) fn undelivered(&mut self, peer: NodeId, world: &mut World<'_>, turn: &mut Turn<'_>) {
        if matches!(&self.lead.phase, Phase::Loading { waiting, .. } if waiting.contains(&peer)) {
            self.failed(BTreeSet::new(), "a member that cannot be reached", world, turn);
        }
    }

    /// How long to wait for the view to come to rest: hardly at all when nothing serves any more,
    /// longer and longer when plans keep failing.
    fn pause(&self, broken: bool, membership: &Membership, turn: &Turn<'_>) -> std::time::Duration {
        let settle = turn.config.settle;
        let had_plan = self.live.is_some();
        match self.lead.failures {
            0..=HASTE if broken && had_plan => settle / 8,
            0..=HASTE if had_plan => membership.size.settle(turn.config),
            0..=HASTE => settle,
            failures => settle * 2_u32.pow((failures - HASTE).min(6)),
        }
    }

    /// Whether the live plan cannot serve, or there is none.
    fn broken(&mut self, membership: &Membership, turn: &Turn<'_>) -> bool {
        let Some(plan) = self.live_plan() else { return true };
        let fails = |member: &Member| self.lead.failing.contains(&member.node);
        if !self.lead.failing.is_empty() && plan.members().any(fails) {
            return true;
        }
        let view = (plan.id, membership.changes(), membership.size.is_large());
        if let Some((_, missed)) = self.lead.looked.filter(|(seen, _)| *seen == view) {
            return missed;
        }
        let missed = plan.members().any(|member| {
            let draining = membership.advert(member.node).is_some_and(|advert| advert.draining);
            draining || !membership.is_alive(member.node, turn.me())
        });
        self.lead.looked = Some((view, missed));
        missed
    }

    fn ask(&mut self, world: &World<'_>, turn: &mut Turn<'_>) {
        let wanted = turn.config.nodes_min as usize;
        let mut pool = Box::new(self.pool(world.membership, turn));
        if self.live.is_none() && pool.machines.len() < wanted && !self.lead.suspects.is_empty() {
            // Without them there is no plan: they may be well again.
            self.lead.suspects.clear();
            pool = Box::new(self.pool(world.membership, turn));
        }
        let here = pool.machines.len();
        if self.live.is_none() && here < wanted {
            self.trouble =
                Some(format!("{here} of {wanted} nodes are here: waiting for the others"));
            self.lead.phase = Phase::Settling { until: turn.now + turn.config.settle };
            return;
        }
        self.lead.dirty = false;
        self.lead.requests += 1;
        let request = self.lead.requests;
        self.lead.phase = Phase::Planning { request };
        turn.emit(Effect::Plan { request, pool });
    }

    /// Whoever is here, has devices and the model, and stays.
    fn pool(&self, membership: &Membership, turn: &Turn<'_>) -> Pool {
        let model = &turn.config.model;
        let mut machines: Vec<_> = membership
            .here(turn.me())
            .filter(|advert| !advert.draining && !advert.devices.is_empty())
            .filter(|advert| advert.model == Some(model.hash))
            .filter(|advert| !self.lead.suspects.contains(&advert.node))
            .map(|advert| Machine {
                node: advert.node,
                devices: advert.devices.clone(),
                links: advert.links.clone(),
            })
            .collect();
        let serves = |machine: &Machine| {
            self.live_plan().is_some_and(|plan| plan.members().any(|m| m.node == machine.node))
        };
        if machines.len() > POOL_MAX {
            machines.sort_by_cached_key(|machine| Reverse((serves(machine), worth(machine))));
            machines.truncate(POOL_MAX);
            machines.sort_unstable_by_key(|machine| machine.node);
        }
        let mut running = self.live_plan().cloned();
        if let Some(plan) = &mut running {
            // Who is gone has no machine here; who fails has.
            plan.pipelines.retain(|pipeline| {
                !pipeline.members().any(|member| self.lead.failing.contains(&member.node))
            });
        }
        Pool {
            model: model.clone(),
            machines: of_one_class(machines, model),
            context_tokens: turn.config.context_tokens,
            running,
        }
    }

    /// The planner answers.
    pub(crate) fn planned(
        &mut self,
        request: u64,
        outcome: Result<Plan, String>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if !matches!(self.lead.phase, Phase::Planning { request: asked } if asked == request) {
            return;
        }
        self.lead.phase = Phase::Rest;
        let broken = self.broken(world.membership, turn);
        match outcome {
            Err(reason) => {
                if broken && self.trouble.as_deref() != Some(reason.as_str()) {
                    turn.emit(Effect::Notice(Notice::Infeasible(reason.clone())));
                }
                self.trouble = Some(reason);
                // Nothing to do until the view changes; but those left out may be well again.
                self.lead.failures = self.lead.failures.max(1);
                if !std::mem::take(&mut self.lead.suspects).is_empty() {
                    let until = turn.now + self.pause(broken, world.membership, turn);
                    self.lead.phase = Phase::Settling { until };
                }
            }
            Ok(plan) if plan.members().any(|m| !world.membership.is_alive(m.node, turn.me())) => {
                // Who has gone while the planner thought would only be waited for.
                let until = turn.now + self.pause(broken, world.membership, turn);
                self.lead.phase = Phase::Settling { until };
            }
            Ok(plan) => {
                let behind = self.is_behind();
                let same = self.live_plan().is_some_and(|live| live.same_work(&plan));
                if !same || broken || behind {
                    self.propose(plan, world, turn);
                }
            }
        }
    }

    fn propose(&mut self, plan: Plan, world: &mut World<'_>, turn: &mut Turn<'_>) {
        let Some(term) = world.council.certificate().map(|c| c.term) else { return };
        let me = turn.me();
        let known = self.lead.last.max(self.proposed).max(self.live_id());
        let epoch = if known.term == term { Epoch(known.epoch.0 + 1) } else { Epoch(1) };
        let id = PlanId { term, epoch };
        self.lead.last = id;
        let plan = Plan { id, leader: me, ..plan };
        if let Err(fault) = plan.check(&turn.config.model) {
            let reason = format!("the planner's plan cannot be: {fault}");
            turn.emit(Effect::Notice(Notice::Infeasible(reason.clone())));
            self.trouble = Some(reason);
            self.lead.failures = self.lead.failures.max(1);
            return;
        }
        let members: BTreeSet<_> = plan.members().map(|member| member.node).collect();
        let signed = turn.keys.signed(plan);
        self.lead.phase = Phase::Loading {
            plan: signed.clone(),
            waiting: members.clone(),
            until: turn.now + turn.config.load_max,
        };
        for member in members.iter().filter(|member| **member != me) {
            self.lead.propose_to(*member, world.council, turn);
        }
        if members.contains(&me) {
            self.proposed(me, signed, world, turn);
        }
    }

    pub(super) fn ready(
        &mut self,
        from: NodeId,
        id: PlanId,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Phase::Loading { plan, waiting, .. } = &mut self.lead.phase else { return };
        if plan.statement.id != id {
            return;
        }
        waiting.remove(&from);
        if waiting.is_empty() {
            let plan = plan.clone();
            self.lead.phase = Phase::Trying { plan: plan.clone() };
            world.sessions.canary(&plan.statement, turn);
        }
    }

    pub(super) fn unready(
        &mut self,
        from: NodeId,
        id: PlanId,
        reason: &str,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if !world.council.leads(turn.me()) {
            return;
        }
        // Only its members can fail a plan.
        let member = |plan: &Plan| plan.id == id && plan.members().any(|m| m.node == from);
        let proposed = self.lead.phase.proposal().is_some_and(|plan| member(&plan.statement));
        if proposed {
            self.failed(BTreeSet::from([from]), reason, world, turn);
        } else if self.live_plan().is_some_and(member) && self.lead.failing.insert(from) {
            turn.emit(Effect::Notice(Notice::Infeasible(format!("the live plan fails: {reason}"))));
            self.lead.suspects.insert(from);
            self.lead.dirty = true;
        }
    }

    /// A canary ended.
    pub(crate) fn canary_done(
        &mut self,
        done: CanaryDone,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Phase::Trying { plan } = &self.lead.phase else { return };
        if plan.statement.id != done.plan {
            return;
        }
        if !done.failed.is_empty() {
            let who = self.blamed(&plan.statement, &done.failed);
            self.failed(who, "a canary token that did not come through", world, turn);
            return;
        }
        let signed = plan.clone();
        self.lead.phase = Phase::Rest;
        self.lead.failures = 0;
        self.lead.failing.clear();
        self.announced(turn.me(), signed, world, turn);
        self.tell_everyone(world, turn);
    }

    /// Members of pipelines that no token came through. Those who serve now are not to blame, if others
    /// may be.
    fn blamed(&self, plan: &Plan, failed: &BTreeSet<u16>) -> BTreeSet<NodeId> {
        let pipelines = failed.iter().filter_map(|p| plan.pipelines.get(usize::from(*p)));
        let all: BTreeSet<NodeId> = pipelines.flat_map(|p| p.members()).map(|m| m.node).collect();
        let serve =
            |node: &NodeId| self.live_plan().is_some_and(|p| p.members().any(|m| m.node == *node));
        let new: BTreeSet<NodeId> = all.iter().copied().filter(|node| !serve(node)).collect();
        if new.is_empty() { all } else { new }
    }

    /// This plan came to nothing: its members go back to the one that serves, and the next one does
    /// without those who failed it.
    fn failed(
        &mut self,
        who: BTreeSet<NodeId>,
        reason: &str,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let phase = std::mem::take(&mut self.lead.phase);
        turn.emit(Effect::Notice(Notice::Infeasible(format!("a plan failed: {reason}"))));
        self.trouble = Some(reason.to_owned());
        self.lead.failures = self.lead.failures.saturating_add(1);
        if self.lead.failures > HASTE {
            self.lead.suspects.extend(who);
        }
        self.lead.phase =
            Phase::Settling { until: turn.now + self.pause(true, world.membership, turn) };
        if let Phase::Loading { plan, .. } | Phase::Trying { plan } = phase {
            self.withdraw(&plan.statement, world, turn);
        }
    }

    fn withdraw(&mut self, plan: &Plan, world: &mut World<'_>, turn: &mut Turn<'_>) {
        let me = turn.me();
        let members: BTreeSet<_> = plan
            .members()
            .map(|member| member.node)
            .filter(|node| world.membership.is_alive(*node, me))
            .collect();
        for member in members {
            self.tell(member, RoundMessage::Withdrawn { plan: plan.id }, world, turn);
        }
    }
}

/// What a machine is worth to a planner that cannot look at all of them: memory times how fast it is
/// read.
fn worth(machine: &Machine) -> u128 {
    let worth = |d: &swarm_proto::Device| {
        u128::from(d.memory_bytes) * u128::from(d.bandwidth_bytes_per_s as u64)
    };
    machine.devices.iter().map(worth).fold(0, u128::saturating_add)
}

/// Of devices that compute different bits the class with the most memory: an answer must not
/// depend on which of them it met. No machine counts for more than the model, whatever it claims.
fn of_one_class(mut machines: Vec<Machine>, model: &ModelSpec) -> Vec<Machine> {
    let mut classes = BTreeMap::<_, u64>::new();
    for machine in &machines {
        let mut own = BTreeMap::<_, u64>::new();
        for device in &machine.devices {
            let bytes = own.entry(device.drift_class).or_default();
            *bytes = bytes.saturating_add(device.memory_bytes).min(model.total_bytes());
        }
        for (class, bytes) in own {
            let all = classes.entry(class).or_default();
            *all = all.saturating_add(bytes);
        }
    }
    let class = classes.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(class, _)| class);
    for machine in &mut machines {
        machine.devices.retain(|device| Some(device.drift_class) == class);
    }
    machines.retain(|machine| !machine.devices.is_empty());
    machines
}
