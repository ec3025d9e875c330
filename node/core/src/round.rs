//! How plans come into force: what this node does as a member, and what it knows to be live.
//!
//! A plan is adopted in two steps. The leader proposes it; every member checks that the leader won
//! its term and that its own share fits, loads what it lacks, and says ready. When all are ready a
//! canary token goes through; then the plan is live for everyone. What the leader does of this is
//! in [`lead`].
//!
//! Nothing here depends on a message that comes once. A live plan is a standing order to its
//! members; beats show who does not know it; a proposal whose leader is gone or has said that it
//! came to nothing is left for the plan that serves.

mod kin;
mod lead;
mod share;

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::{
    Certificate, Hello, Message, NodeId, Plan, PlanId, Pulse, Reason, RoundMessage, Signed, Term,
    Time,
};

use crate::{
    Effect, Notice, Shard, council::Council, membership::Membership, session::Sessions, turn::Turn,
};
use lead::Lead;

/// After what time a share that could not be loaded is tried again; doubled each time.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Batches in a row that a device may fail.
const DEVICE_FAULTS_MAX: u32 = 3;
/// Doublings at most: about a minute.
const TRY_AGAIN_DOUBLINGS_MAX: u32 = 6;

/// One node's view of plans.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) lead: Lead,
    /// What each of our devices holds, or is loading.
    holds: BTreeMap<u8, Shard>,
    /// The plan that we are loading.
    loading: Option<Loading>,
    /// Loads so far.
    loads: u64,
    /// The plan that we hold our share of: the live one, or one that was proposed.
    held: Option<Held>,
    /// The latest proposal that was taken up: none is twice.
    proposed: PlanId,
    live: Option<Signed<Plan>>,
    /// That our share of the live plan could not be loaded.
    spurned: Option<Spurned>,
    /// Batches in a row that devices failed.
    faults: BTreeMap<u8, u32>,
    /// Why no plan serves, for people.
    trouble: Option<String>,
}

#[derive(Debug)]
struct Loading {
    plan: Plan,
    /// Devices that have not answered, with the load that each was given.
    waiting: BTreeMap<u8, u64>,
}

#[derive(Debug)]
struct Spurned {
    plan: PlanId,
    /// When to try again, and how often that was done.
    again: Time,
    times: u32,
}

#[derive(Debug)]
struct Held {
    id: PlanId,
    leader: NodeId,
}

/// The other machines that a round concerns.
pub(crate) struct World<'a> {
    pub(crate) membership: &'a Membership,
    pub(crate) council: &'a Council,
    pub(crate) sessions: &'a mut Sessions,
}

impl Rounds {
    /// Hears another peer.
    pub(crate) fn hear(
        &mut self,
        from: NodeId,
        message: RoundMessage,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        match message {
            RoundMessage::Propose { plan, .. } => self.proposed(from, *plan, world, turn),
            RoundMessage::Ready { plan } => self.ready(from, plan, world, turn),
            RoundMessage::Unready { plan, reason } => {
                self.unready(from, plan, reason.as_str(), world, turn)
            }
            RoundMessage::Live { plan, .. } => self.announced(from, *plan, world, turn),
            RoundMessage::Withdrawn { plan } => {
                if self.pending() == Some((plan, from)) {
                    self.fall_back(world, turn);
                }
            }
        }
    }

    /// A leader proposes a plan.
    pub(crate) fn proposed(
        &mut self,
        from: NodeId,
        signed: Signed<Plan>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let plan = match verified(signed, world.council, turn) {
            Ok(plan) => plan,
            Err(reason) => return refuse(from, reason, turn),
        };
        if Some(plan.id.term) != world.council.certificate().map(|c| c.term) {
            return refuse(from, format!("the proposal {}, of an earlier term", plan.id), turn);
        }
        if plan.id <= self.proposed.max(self.live_id()) {
            return; // said before
        }
        self.proposed = plan.id;
        match share::shards(&plan, world.membership, turn) {
            Ok(shards) => self.load(plan, shards, world, turn),
            Err(reason) => self.cannot(plan.id, reason, world, turn),
        }
    }

    /// Loads what a plan gives our devices, in place of what they hold.
    fn load(
        &mut self,
        plan: Plan,
        shards: BTreeMap<u8, Shard>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        world.sessions.abandon(turn);
        self.held = None;
        let idle: Vec<u8> =
            self.holds.keys().filter(|d| !shards.contains_key(d)).copied().collect();
        for device in idle {
            self.holds.remove(&device);
            turn.emit(Effect::Unload { device });
        }
        let mut waiting = BTreeMap::new();
        for (device, shard) in shards {
            // A share that has not changed is asked for too: sums are exchanged under the new plan's
            // number, and everyone begins with an empty KV cache. Its device keeps the weights.
            self.loads += 1;
            waiting.insert(device, self.loads);
            self.holds.insert(device, shard.clone());
            turn.emit(Effect::Load { load: self.loads, plan: plan.id, device, shard });
        }
        self.loading = Some(Loading { plan, waiting });
        self.check_loaded(world, turn);
    }

    /// A device holds its shard now, or does not.
    pub(crate) fn loaded(
        &mut self,
        load: u64,
        device: u8,
        outcome: Result<(), String>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let asked = |loading: &&mut Loading| loading.waiting.get(&device) == Some(&load);
        let Some(loading) = self.loading.as_mut().filter(asked) else { return };
        let id = loading.plan.id;
        loading.waiting.remove(&device);
        if let Err(reason) = outcome {
            self.loading = None;
            self.holds.remove(&device);
            return self.cannot(id, reason, world, turn);
        }
        self.check_loaded(world, turn);
    }

    /// A device computed a batch or failed it. One that goes on failing cannot hold its share.
    pub(crate) fn computed(
        &mut self,
        device: u8,
        failed: bool,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if !failed {
            self.faults.remove(&device);
            return;
        }
        let live = self.live_id();
        let faults = self.faults.entry(device).or_default();
        *faults += 1;
        if *faults >= DEVICE_FAULTS_MAX && self.held.as_ref().is_some_and(|held| held.id == live) {
            self.faults.clear();
            self.held = None;
            world.sessions.abandon(turn);
            self.cannot(live, format!("device {device} fails every batch"), world, turn);
        }
    }

    fn check_loaded(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        let Some(loading) = self.loading.take_if(|loading| loading.waiting.is_empty()) else {
            return;
        };
        let plan = loading.plan;
        let (id, leader) = (plan.id, plan.leader);
        self.held = Some(Held { id, leader });
        self.spurned = None;
        let blocks: Vec<_> = self.holds.iter().map(|(d, shard)| (*d, shard.kv_blocks)).collect();
        world.sessions.adopted(&plan, &blocks, turn);
        if id > self.live_id() {
            self.tell(leader, RoundMessage::Ready { plan: id }, world, turn);
        }
    }

    /// We cannot do our part of a plan: whoever leads must know.
    fn cannot(&mut self, id: PlanId, reason: String, world: &mut World<'_>, turn: &mut Turn<'_>) {
        if id == self.live_id() {
            let before = self.spurned.take().filter(|spurned| spurned.plan == id);
            let times = before.map_or(0, |spurned| spurned.times.saturating_add(1));
            let again = turn.now + TRY_AGAIN * 2_u32.pow(times.min(TRY_AGAIN_DOUBLINGS_MAX));
            self.spurned = Some(Spurned { plan: id, again, times });
        } else {
            self.fall_back(world, turn);
        }
        if let Some(leader) = world.council.leader() {
            let reason = Reason::new(&reason);
            self.tell(leader, RoundMessage::Unready { plan: id, reason }, world, turn);
        }
    }

    /// Says something to the leader, who may be ourselves.
    fn tell(
        &mut self,
        leader: NodeId,
        message: RoundMessage,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if leader != turn.me() {
            turn.send(leader, Message::Round(message));
            return;
        }
        self.hear(leader, message, world, turn);
    }

    /// A plan is live, says whoever leads.
    pub(crate) fn announced(
        &mut self,
        from: NodeId,
        signed: Signed<Plan>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let known = self.live.as_ref().map(|live| (live.statement.id, live.by));
        let id = signed.statement.id;
        if known.is_some_and(|(live, by)| live > id || (live == id && by == signed.by)) {
            return;
        }
        let plan = match verified(signed.clone(), world.council, turn) {
            Ok(plan) => plan,
            Err(reason) => return refuse(from, reason, turn),
        };
        self.live = Some(signed);
        if known.is_some_and(|(live, _)| live == id) {
            return; // endorsed by a later leader: the same plan
        }
        turn.emit(Effect::Notice(Notice::Live(id)));
        (self.trouble, self.spurned) = (None, None);
        world.sessions.live(&plan, turn);
        self.uphold(world, turn);
    }

    /// The live plan is a standing order: whoever is a member of it and does not hold its share
    /// loads it, whatever it missed; whoever is not lets go of what it holds.
    fn uphold(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        let live = self.live_id();
        let under_way = self.loading.as_ref().map(|loading| loading.plan.id);
        if under_way.max(self.held.as_ref().map(|held| held.id)) >= Some(live) {
            return;
        }
        let spurned = self.spurned.as_ref().filter(|spurned| spurned.plan == live);
        if spurned.is_some_and(|spurned| turn.now < spurned.again) {
            return;
        }
        let Some(plan) = self.live_plan().cloned() else { return };
        match share::shards(&plan, world.membership, turn) {
            Ok(shards) => self.load(plan, shards, world, turn),
            Err(reason) => self.cannot(live, reason, world, turn),
        }
    }

    /// A proposal that we hold or load and that is not live, with whoever made it.
    fn pending(&self) -> Option<(PlanId, NodeId)> {
        let loading = self.loading.as_ref().map(|loading| (loading.plan.id, loading.plan.leader));
        let pending = loading.or(self.held.as_ref().map(|held| (held.id, held.leader)));
        pending.filter(|(id, _)| *id > self.live_id())
    }

    /// What was proposed came to nothing: back to the plan that serves.
    fn fall_back(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        (self.loading, self.held) = (None, None);
        self.uphold(world, turn);
    }

    /// A proposal whose leader is gone, or leads no more, has come to nothing. A share that could
    /// not be loaded is tried again.
    pub(crate) fn tick(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        if self.spurned.is_some() {
            self.uphold(world, turn);
        }
        let Some((id, leader)) = self.pending() else { return };
        let leads = world.council.leader() == Some(leader) && world.council.follows(id.term);
        if !leads || !world.membership.is_alive(leader, turn.me()) {
            self.fall_back(world, turn);
            let reason = Reason::new("its leader was gone from here");
            self.tell(leader, RoundMessage::Unready { plan: id, reason }, world, turn);
        }
    }

    pub(crate) fn deadline(&self) -> Time {
        let again = self.spurned.as_ref().map_or(Time::NEVER, |spurned| spurned.again);
        self.lead.deadline().min(if self.loading.is_some() { Time::NEVER } else { again })
    }

    /// How far we are with plans, beside so many sessions.
    pub(crate) fn pulse(&self, council: &Council, sessions: u32) -> Pulse {
        let ((term, set), (live, endorsed)) = (council.pulse(), self.word(council));
        let (proposed, holds) = (self.proposed, self.held());
        Pulse { term, set, live, endorsed, proposed, holds, sessions, ..Pulse::default() }
    }

    /// The plan that serves, and the term of the leader whose word we have for it: that of now, or none.
    pub(crate) fn word(&self, council: &Council) -> (PlanId, Term) {
        let live = self.live.as_ref();
        let by = live.and_then(|live| council.certificate().filter(|c| c.leader == live.by));
        (self.live_id(), by.map_or(Term(0), |certificate| certificate.term))
    }

    /// The plan whose share we hold.
    pub(crate) fn held(&self) -> PlanId {
        self.held.as_ref().map(|held| held.id).unwrap_or_default()
    }

    /// Whether a peer lacks a plan that we could send it.
    pub(crate) fn could_help(&self, peer: NodeId, pulse: &Pulse, council: &Council) -> bool {
        self.knows_later(pulse, council) || self.lead.awaits(peer, pulse.proposed)
    }

    fn knows_later(&self, pulse: &Pulse, council: &Council) -> bool {
        self.word(council) > (pulse.live, pulse.endorsed)
    }

    /// Sends a peer that lags what it lacks: the plan that serves, or the one that is proposed.
    pub(crate) fn help(&self, to: NodeId, pulse: &Pulse, council: &Council, turn: &mut Turn<'_>) {
        if self.knows_later(pulse, council) {
            self.tell_live(to, council, turn);
        }
        if self.lead.awaits(to, pulse.proposed) {
            self.lead.propose_to(to, council, turn);
        }
    }

    fn tell_live(&self, to: NodeId, council: &Council, turn: &mut Turn<'_>) {
        if let Some((plan, certificate)) = self.endorsed(council) {
            turn.send(to, Message::Round(RoundMessage::Live { plan, certificate }));
        }
    }

    /// The live plan, if it has the word of whoever leads now, with the proof that they lead.
    fn endorsed(&self, council: &Council) -> Option<(Box<Signed<Plan>>, Box<Certificate>)> {
        let (live, certificate) = (self.live.clone()?, council.certificate()?.clone());
        (live.by == certificate.leader).then(|| (Box::new(live), Box::new(certificate)))
    }

    /// What we tell a peer that we meet.
    pub(crate) fn hello(&self, council: &Council, advert: Signed<swarm_proto::Advert>) -> Message {
        Message::Hello(Hello {
            certificate: council.certificate().cloned().map(Box::new),
            plan: self.endorsed(council).map(|(plan, _)| plan),
            advert: Box::new(advert),
        })
    }

    /// The plan that serves.
    pub(crate) fn live_plan(&self) -> Option<&Plan> {
        self.live.as_ref().map(|live| &live.statement)
    }

    fn live_id(&self) -> PlanId {
        self.live_plan().map(|plan| plan.id).unwrap_or_default()
    }

    /// Why none does.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// The plan, if whoever leads now signed it, and it is a plan at all. It may have been made in an
/// earlier term: then its leader endorses what it found.
fn verified(signed: Signed<Plan>, council: &Council, turn: &Turn<'_>) -> Result<Plan, String> {
    let certificate = council.certificate().ok_or("a plan, but nobody leads")?;
    let (by, plan) = turn.keys.open(signed).ok_or("a plan whose signature is wrong")?;
    if plan.leader != by || by != certificate.leader || plan.id.term > certificate.term {
        return Err(format!("the plan {}, whose author does not lead", plan.id));
    }
    plan.check(&turn.config.model).map_err(|fault| format!("an impossible plan: {fault}"))?;
    Ok(plan)
}

fn refuse(peer: NodeId, reason: String, turn: &mut Turn<'_>) {
    turn.emit(Effect::Notice(Notice::Refused { peer, reason }));
}
