//! How plans come into force: what this node does as a member, and what it knows to be live.
//!
//! A plan is adopted in two steps. The leader proposes it; every member checks that the leader won
//! its term and that its own share fits, loads what it lacks, and says ready. When all are ready a
//! canary token goes through; then the plan is live for everyone. What the leader does of this is
//! in [`lead`].

mod lead;

use std::collections::BTreeMap;

use swarm_proto::{
    BLOCK_TOKENS, Hello, Message, ModelSpec, NodeId, Plan, PlanId, Reason, RoundMessage, Signed,
};

use crate::{
    Effect, Notice, Shard, council::Council, membership::Membership, session::Sessions, turn::Turn,
};
use lead::Lead;

/// One node's view of plans.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) lead: Lead,
    /// What each of our devices holds, with its KV blocks, and under which plan it was loaded last.
    holds: BTreeMap<u8, Shard>,
    /// The plan that we are loading.
    loading: Option<Loading>,
    /// The last plan that we hold our share of.
    adopted: PlanId,
    live: Option<Live>,
    /// Why there is none, for people.
    trouble: Option<String>,
}

#[derive(Debug)]
struct Loading {
    plan: Plan,
    waiting: Vec<u8>,
}

#[derive(Debug)]
struct Live {
    signed: Signed<Plan>,
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
            RoundMessage::Unready { plan, reason } => self.unready(from, plan, reason, turn),
            RoundMessage::Live { plan, .. } => self.announced(from, *plan, world, turn),
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
        if plan.id <= self.adopted || self.loading.as_ref().is_some_and(|l| l.plan.id >= plan.id) {
            return; // said before
        }
        match self.shards(&plan, world.membership, turn) {
            Ok(shards) => self.load(plan, shards, world, turn),
            Err(reason) => {
                let message = RoundMessage::Unready { plan: plan.id, reason: Reason::new(&reason) };
                self.tell(plan.leader, message, world, turn);
            }
        }
    }

    /// Loads what our devices lack for a plan.
    fn load(
        &mut self,
        plan: Plan,
        shards: BTreeMap<u8, Shard>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        world.sessions.abandon(turn);
        let mut waiting = Vec::new();
        let idle: Vec<u8> =
            self.holds.keys().filter(|d| !shards.contains_key(d)).copied().collect();
        for device in idle {
            self.holds.remove(&device);
            turn.emit(Effect::Unload { device });
        }
        for (device, shard) in shards {
            // A share that has not changed is loaded too: sums are exchanged under the new plan's
            // number, and everyone begins with an empty KV cache.
            waiting.push(device);
            self.holds.insert(device, shard.clone());
            turn.emit(Effect::Load { plan: plan.id, device, shard });
        }
        self.loading = Some(Loading { plan, waiting });
        self.check_loaded(world, turn);
    }

    /// A device holds its shard now, or does not.
    pub(crate) fn loaded(
        &mut self,
        id: PlanId,
        device: u8,
        outcome: Result<(), String>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some(loading) = self.loading.as_mut().filter(|loading| loading.plan.id == id) else {
            return;
        };
        loading.waiting.retain(|waiting| *waiting != device);
        if let Err(reason) = outcome {
            let leader = loading.plan.leader;
            self.loading = None;
            self.holds.remove(&device);
            let reason = Reason::new(&reason);
            self.tell(leader, RoundMessage::Unready { plan: id, reason }, world, turn);
            return;
        }
        self.check_loaded(world, turn);
    }

    fn check_loaded(&mut self, world: &mut World<'_>, turn: &mut Turn<'_>) {
        let Some(loading) = self.loading.take_if(|loading| loading.waiting.is_empty()) else {
            return;
        };
        let plan = loading.plan;
        self.adopted = plan.id;
        let blocks: Vec<_> = self.holds.iter().map(|(d, shard)| (*d, shard.kv_blocks)).collect();
        world.sessions.adopted(&plan, &blocks, turn);
        self.tell(plan.leader, RoundMessage::Ready { plan: plan.id }, world, turn);
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

    /// A plan is live, says its leader.
    pub(crate) fn announced(
        &mut self,
        from: NodeId,
        signed: Signed<Plan>,
        world: &mut World<'_>,
        turn: &mut Turn<'_>,
    ) {
        if self.live_plan().is_some_and(|live| live.id >= signed.statement.id) {
            return;
        }
        match verified(signed.clone(), world.council, turn) {
            Ok(plan) => {
                turn.emit(Effect::Notice(Notice::Live(plan.id)));
                self.live = Some(Live { signed });
                self.trouble = None;
                world.sessions.live(&plan, turn);
            }
            Err(reason) => refuse(from, reason, turn),
        }
    }

    /// What our devices are to hold under a plan, or why they cannot.
    fn shards(
        &self,
        plan: &Plan,
        membership: &Membership,
        turn: &Turn<'_>,
    ) -> Result<BTreeMap<u8, Shard>, String> {
        let own = membership.advert(turn.me()).map_or(&[][..], |advert| &advert.devices);
        let mut shards = BTreeMap::new();
        for (p, pipeline) in plan.pipelines.iter().enumerate() {
            for (s, stage) in pipeline.stages.iter().enumerate() {
                for (m, member) in stage.members.iter().enumerate() {
                    if member.node != turn.me() {
                        continue;
                    }
                    let device = own.iter().find(|device| device.index == member.device);
                    let device = device.ok_or(format!("there is no device {}", member.device))?;
                    let last = s + 1 == pipeline.stages.len();
                    let mut shard = Shard {
                        pipeline: p as u16,
                        stage: s as u16,
                        layers: stage.layers,
                        kv_heads: member.kv_heads,
                        ffn_columns: member.ffn_columns,
                        embeds: s == 0,
                        samples: last && m == 0,
                        leads: m == 0,
                        kv_blocks: 0,
                        members: stage.members.iter().map(|m| (m.node, m.device)).collect(),
                    };
                    shard.kv_blocks = kv_blocks(&turn.config.model, &shard, device.memory_bytes)?;
                    shards.insert(member.device, shard);
                }
            }
        }
        Ok(shards)
    }

    /// What we tell a peer that we meet.
    pub(crate) fn hello(&self, council: &Council, advert: Signed<swarm_proto::Advert>) -> Message {
        Message::Hello(Hello {
            certificate: council.certificate().cloned().map(Box::new),
            plan: self.live.as_ref().map(|live| Box::new(live.signed.clone())),
            advert: Box::new(advert),
        })
    }

    /// The plan that serves.
    pub(crate) fn live_plan(&self) -> Option<&Plan> {
        self.live.as_ref().map(|live| &live.signed.statement)
    }

    /// Why none does.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// The plan, if whoever signed it leads the term that it belongs to, and it is a plan at all.
fn verified(signed: Signed<Plan>, council: &Council, turn: &Turn<'_>) -> Result<Plan, String> {
    let certificate = council.certificate().ok_or("a plan, but nobody leads")?;
    let (by, plan) = turn.keys.open(signed).ok_or("a plan whose signature is wrong")?;
    if (plan.leader, plan.id.term) != (by, certificate.term) || by != certificate.leader {
        return Err(format!("a plan of term {}, which it does not lead", plan.id.term.0));
    }
    plan.check(&turn.config.model).map_err(|fault| format!("an impossible plan: {fault}"))?;
    Ok(plan)
}

fn refuse(peer: NodeId, reason: String, turn: &mut Turn<'_>) {
    turn.emit(Effect::Notice(Notice::Refused { peer, reason }));
}

/// KV blocks that fit beside a shard. Fewer than a short conversation needs is not enough.
fn kv_blocks(model: &ModelSpec, shard: &Shard, memory_bytes: u64) -> Result<u32, String> {
    /// A conversation of 256 tokens.
    const BLOCKS_MIN: u32 = 256 / BLOCK_TOKENS;
    /// More blocks than all contexts together could use are left to the owner of the host.
    const BLOCKS_MAX: u32 = 1 << 16;
    let (layers, heads) = (shard.layers.len(), shard.kv_heads.len());
    let columns = shard.ffn_columns.len();
    let share = model.share_bytes(layers, heads, columns, shard.embeds, shard.samples);
    let blocks = model.kv_blocks(memory_bytes, share, model.kv_block_bytes(layers, heads));
    if blocks < BLOCKS_MIN {
        return Err(format!(
            "{share} bytes of weights and {BLOCKS_MIN} KV blocks do not fit {memory_bytes}"
        ));
    }
    Ok(blocks.min(BLOCKS_MAX))
}
