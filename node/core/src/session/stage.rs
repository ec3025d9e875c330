//! A member's part of sessions: it makes room, gathers rows into batches, has its devices compute
//! them, and hands on what comes out.
//!
//! Whoever leads a stage decides what a batch is: steps of answers first, then pieces of prompts,
//! in turn, so that a long prompt holds nobody up. The other members compute the leader's batches
//! as they come.

mod batch;
mod own;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use swarm_proto::{
    Attempt, BATCH_ROWS_MAX, BLOCK_TOKENS, BatchId, Fault, FrameHeader, Load, NodeId, Open, Plan,
    RowsHeader, RowsItem, SessionId, SessionMessage, Time, Token,
};

use super::{
    guest::{Guest, Seat, Taken},
    post::Post,
};
use crate::{Effect, kv::KvPool, turn::Turn};
use own::OwnStage;

/// Sessions that have room here at a time; the KV cache is the tighter bound by far.
const GUESTS_MAX: usize = 4096;
/// Of one entry: it runs fewer at a time, so more are not meant well.
const GUESTS_OF_ONE_MAX: usize = 512;
/// Tokens of an answer that room is promised for.
const ANSWER_TOKENS_PROMISED: u32 = 256;
/// Numbered batches that may wait at a member: its leader sends the next one when it has begun
/// the one before.
const INBOUND_MAX: usize = 64;
/// How often sessions that nobody asks anything of are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Which stage: pipeline and place in it.
type StageKey = (u16, u16);

/// What this node does as a member.
#[derive(Debug, Default)]
pub(super) struct Stages {
    plan: Option<Arc<Plan>>,
    own: BTreeMap<StageKey, OwnStage>,
    pools: BTreeMap<u8, KvPool>,
    guests: BTreeMap<SessionId, Guest>,
    jobs: u64,
    sweep_at: Time,
}

impl Stages {
    /// Ends all sessions here, and tells their entries why.
    pub(super) fn abandon(&mut self, post: &mut Post, turn: &mut Turn<'_>) {
        for attempt in self.guests.values().map(Guest::attempt).collect::<Vec<_>>() {
            self.fault(attempt, Fault::OtherPlan, post, turn);
        }
        self.own.clear();
        self.plan = None;
    }

    /// Our devices hold their shards of `plan`. A device opens its shard anew, so its KV cache is
    /// empty, also where its share is what it was.
    ///
    /// A plan can be loaded twice, and the number of a batch names one batch under a plan: numbers
    /// begin at `batches`, above all that were used before.
    pub(super) fn adopt(
        &mut self,
        plan: Arc<Plan>,
        kv_blocks: &[(u8, u32)],
        me: NodeId,
        batches: u64,
    ) {
        self.own = own::stages(&plan, me, batches);
        self.pools = kv_blocks.iter().map(|(device, n)| (*device, KvPool::new(*n))).collect();
        self.plan = Some(plan);
    }

    /// An entry asks for room.
    pub(super) fn open(&mut self, from: NodeId, open: Open, post: &mut Post, turn: &mut Turn<'_>) {
        let attempt = open.attempt;
        if let Some(guest) = self.guests.get(&attempt.session) {
            if guest.entry != from || guest.attempt().number >= attempt.number {
                return;
            }
            self.close(from, guest.attempt());
        }
        let answer = match self.make_room(from, open, turn) {
            Ok((cached_blocks, blocks_max)) => {
                SessionMessage::Opened { attempt, cached_blocks, blocks_max }
            }
            Err(fault) => SessionMessage::Fault { attempt, fault },
        };
        post.say(from, answer, turn);
    }

    fn make_room(
        &mut self,
        entry: NodeId,
        open: Open,
        turn: &Turn<'_>,
    ) -> Result<(u32, u32), Fault> {
        if self.plan.as_ref().is_none_or(|plan| plan.id != open.plan) {
            return Err(Fault::OtherPlan);
        }
        let sane = open.check().is_ok()
            && open.sampling.check().is_ok()
            && open.prompt_tokens > 0
            && open.prompt_tokens < open.tokens_max
            && open.tokens_max <= turn.config.model.context_max
            && open.step < open.prompt_tokens;
        if !sane {
            return Err(Fault::Unknown);
        }
        let stages: Vec<(u16, Vec<u8>)> = self
            .own
            .iter()
            .filter(|((pipeline, _), _)| *pipeline == open.pipeline)
            .map(|((_, stage), own)| (*stage, own.devices.clone()))
            .collect();
        if stages.is_empty() {
            return Err(Fault::Unknown);
        }
        let devices = || stages.iter().flat_map(|(_, devices)| devices);
        let pools = &mut self.pools;
        let blocks_max = devices().map(|device| pools.get(device).map_or(0, KvPool::len)).min();
        let blocks_max = blocks_max.unwrap_or(0);
        if open.prompt_tokens.div_ceil(BLOCK_TOKENS) > blocks_max {
            return Err(Fault::TooLong { tokens_max: blocks_max.saturating_mul(BLOCK_TOKENS) });
        }
        // Room for the prompt and the beginning of an answer is promised. A longer answer takes
        // what is free when it gets there, or waits for it.
        let promised = open.prompt_tokens.saturating_add(ANSWER_TOKENS_PROMISED);
        let total = promised.min(open.tokens_max).div_ceil(BLOCK_TOKENS).min(blocks_max);
        let theirs = self.guests.values().filter(|guest| guest.entry == entry).count();
        if self.guests.len() >= GUESTS_MAX || theirs >= GUESTS_OF_ONE_MAX {
            return Err(Fault::Full);
        }
        let cached = devices().map(|device| pools[device].cached(&open.prefix)).min().unwrap_or(0);
        let prefix = &open.prefix[..cached as usize];
        let mut seats: BTreeMap<u16, Seat> = BTreeMap::new();
        let mut full = false;
        for (stage, devices) in &stages {
            let mut tables = BTreeMap::new();
            for device in devices {
                let room = pools.get_mut(device).and_then(|pool| pool.open(prefix, total));
                full |= room.is_none();
                tables.extend(room.map(|table| (*device, table)));
            }
            seats.insert(*stage, Seat::new(tables, prefix));
        }
        if full {
            seats.into_values().for_each(|seat| seat.close(pools));
            return Err(Fault::Full);
        }
        let session = open.attempt.session;
        self.guests.insert(session, Guest { entry, open, seats, touched: turn.now });
        Ok((cached, blocks_max))
    }

    /// The entry hands over the prompt.
    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    pub(super) fn prompt(
        &mut self,
        from: NodeId,
        attempt: Attempt,
        position: u32,
        tokens: Vec<u32>,
        last: bool,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(guest) = self.guests.get(&attempt.session) else { return };
        let key = (guest.open.pipeline, 0);
        let leads = self.own.get(&key).is_some_and(|own| own.leads);
        if guest.entry != from || guest.attempt() != attempt || !leads {
            return;
        }
        let step = last.then_some(guest.open.step);
        self.offer(key, RowsItem { attempt, position, tokens, step }, Bytes::new(), post, turn);
    }

    /// The ring: the last stage's token is the first stage's next row.
    pub(super) fn token(
        &mut self,
        from: NodeId,
        token: &Token,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(guest) = self.guests.get(&token.attempt.session) else { return };
        let Some(plan) = &self.plan else { return };
        let Some(pipeline) = plan.pipelines.get(usize::from(guest.open.pipeline)) else { return };
        let last_leader = pipeline.stages.last().map(|stage| stage.leader().node);
        let key = (guest.open.pipeline, 0);
        let leads = self.own.get(&key).is_some_and(|own| own.leads);
        if !leads || last_leader != Some(from) || token.finish.is_some() {
            return;
        }
        let (attempt, Some(position)) = (token.attempt, guest.position_of(token.step)) else {
            return;
        };
        let Some(next) = token.step.checked_add(1) else { return };
        let item =
            RowsItem { attempt, position, tokens: vec![token.sampled.token], step: Some(next) };
        self.offer(key, item, Bytes::new(), post, turn);
    }

    /// A frame of activations came; an error says why it is refused.
    pub(super) fn rows(
        &mut self,
        from: NodeId,
        header: RowsHeader,
        body: Bytes,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) -> Result<(), &'static str> {
        if self.plan.as_ref().is_none_or(|plan| plan.id != header.plan) {
            drop_batch(from, &header, post, turn); // late, or early: the entry tries again
            return Ok(());
        }
        let key = (header.pipeline, header.stage);
        let own = self.own.get_mut(&key).ok_or("rows for a stage that is not here")?;
        header.check()?;
        let rows = header.rows();
        let row_bytes = if own.first { 0 } else { 4 * turn.config.model.hidden as usize };
        if body.len() != rows * row_bytes {
            return Err("a frame whose body is not as long as its rows");
        }
        let end = |item: &RowsItem| u64::from(item.position) + item.tokens.len() as u64;
        if header.items.iter().any(|item| end(item) > u64::from(turn.config.model.context_max)) {
            return Err("rows beyond the model's context");
        }
        if header.items.iter().flat_map(|i| &i.tokens).any(|t| *t >= turn.config.model.vocab) {
            return Err("a token that is not in the vocabulary");
        }
        if header.batch.is_some() {
            if own.leads || own.leader != from || rows > BATCH_ROWS_MAX {
                return Err("a batch that is not its sender's to give, or too large");
            }
            if own.inbound.len() >= INBOUND_MAX {
                drop_batch(from, &header, post, turn);
                return Ok(());
            }
            own.inbound.push_back((header, body));
            return Ok(());
        }
        if !own.leads || own.before != Some(from) {
            return Err("rows from a peer that is not the stage before");
        }
        let mut rest = body;
        for item in header.items {
            let part = rest.split_to(item.tokens.len() * row_bytes);
            self.offer(key, item, part, post, turn);
        }
        Ok(())
    }

    /// Queues rows for a stage that we lead.
    fn offer(
        &mut self,
        key: StageKey,
        item: RowsItem,
        body: Bytes,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let attempt = item.attempt;
        let vocab = turn.config.model.vocab;
        let Some(guest) = self.guests.get_mut(&attempt.session) else { return };
        let Some(own) = self.own.get_mut(&key) else { return };
        if guest.attempt() != attempt || guest.open.pipeline != key.0 {
            return;
        }
        guest.touched = turn.now;
        let tokens_max = guest.open.tokens_max;
        let known = item.tokens.iter().all(|token| *token < vocab);
        let Some(seat) = guest.seats.get_mut(&key.1) else { return };
        match seat.take(item, body, tokens_max, &mut self.pools) {
            Taken::Yes if known => own.queue(attempt.session, seat),
            Taken::Again => {}
            _ => self.fault(attempt, Fault::Unknown, post, turn),
        }
    }

    /// The entry is done with a session.
    pub(super) fn close(&mut self, from: NodeId, attempt: Attempt) {
        let theirs =
            |guest: &Guest| guest.entry == from && guest.attempt().number <= attempt.number;
        if self.guests.get(&attempt.session).is_some_and(theirs) {
            self.evict(attempt.session);
        }
    }

    /// A member of a stage that we lead has not taken up a batch.
    pub(super) fn dropped(&mut self, from: NodeId, batch: BatchId, turn: &mut Turn<'_>) {
        let Some(own) = self.own.get(&(batch.pipeline, batch.stage)) else { return };
        let running =
            own.running.as_ref().map(|running| (running.header.plan, running.header.batch));
        if own.others.contains(&from) && running == Some((batch.plan, Some(batch.batch))) {
            turn.emit(Effect::Absent(from));
        }
    }

    /// A member of a stage that we lead has no place for a session.
    pub(super) fn member_fault(
        &mut self,
        from: NodeId,
        attempt: Attempt,
        fault: Fault,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(guest) = self.guests.get(&attempt.session) else { return };
        let pipeline = guest.open.pipeline;
        let mut led = self.own.iter().filter(|((p, _), own)| *p == pipeline && own.leads);
        if led.any(|(_, own)| own.others.contains(&from)) {
            self.fault(attempt, fault, post, turn);
        }
    }

    /// A peer is gone, and with it the sessions that it is the entry of.
    pub(super) fn lost(&mut self, peer: NodeId) {
        let theirs: Vec<_> =
            self.guests.iter().filter(|(_, g)| g.entry == peer).map(|(id, _)| *id).collect();
        theirs.into_iter().for_each(|session| self.evict(session));
    }

    /// Ends a try, and tells its entry why.
    fn fault(&mut self, attempt: Attempt, fault: Fault, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(guest) = self.guests.get(&attempt.session) else { return };
        if guest.attempt() == attempt {
            post.say(guest.entry, SessionMessage::Fault { attempt, fault }, turn);
            self.evict(attempt.session);
        }
    }

    fn evict(&mut self, session: SessionId) {
        if let Some(guest) = self.guests.remove(&session) {
            guest.seats.into_values().for_each(|seat| seat.close(&mut self.pools));
        }
    }

    /// Lets go of sessions that nobody has asked anything of for long.
    pub(super) fn tick(&mut self, post: &mut Post, turn: &mut Turn<'_>) {
        if self.guests.is_empty() || turn.now < self.sweep_at {
            return;
        }
        self.sweep_at = turn.now + SWEEP_EVERY;
        let idle = |guest: &&Guest| turn.now.since(guest.touched) > turn.config.idle_max;
        let idle: Vec<_> = self.guests.values().filter(idle).map(Guest::attempt).collect();
        for attempt in idle {
            self.fault(attempt, Fault::Unknown, post, turn);
        }
    }

    pub(super) fn deadline(&self) -> Time {
        if self.guests.is_empty() { Time::NEVER } else { self.sweep_at }
    }

    /// Sessions that hold KV cache here.
    pub(super) fn sessions(&self) -> u32 {
        self.guests.len() as u32
    }

    pub(super) fn load(&self) -> Load {
        Load {
            sessions: self.sessions(),
            kv_blocks_free: self.pools.values().map(KvPool::available).sum(),
            kv_blocks: self.pools.values().map(KvPool::len).sum(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.guests.is_empty()
    }

    /// Entries of these sessions, each once: for faults of a whole batch.
    fn attempts(items: &[RowsItem]) -> BTreeSet<Attempt> {
        items.iter().map(|item| item.attempt).collect()
    }
}

/// Tells the leader of a stage that a batch of its is not computed here, so that nobody waits for our
/// sums.
fn drop_batch(leader: NodeId, header: &RowsHeader, post: &mut Post, turn: &mut Turn<'_>) {
    if let Some(batch) = header.batch_id() {
        post.frame(leader, FrameHeader::Dropped(batch), Bytes::new(), turn);
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::{ColumnRange, Hash, HeadRange, LayerRange, Member, Pipeline, PlanId, Stage};

    use super::*;

    #[test]
    fn a_plan_loaded_anew_finds_no_kv_of_the_one_before() {
        let me = NodeId([1; 32]);
        let (kv_heads, ffn_columns) =
            (HeadRange::new(0, 1).unwrap(), ColumnRange::new(0, 8).unwrap());
        let members = vec![Member { node: me, device: 0, kv_heads, ffn_columns }];
        let stages = vec![Stage { layers: LayerRange::new(0, 2).unwrap(), members, step_us: 0 }];
        let pipelines = vec![Pipeline { stages, predicted: Default::default() }];
        let (id, model) = (PlanId::default(), Hash::of(b"model"));
        let plan = Arc::new(Plan { id, leader: me, model, pipelines });
        let (mut node, name) = (Stages::default(), Hash::of(b"block"));
        node.adopt(Arc::clone(&plan), &[(0, 8)], me, 0);
        let pool = node.pools.get_mut(&0).unwrap();
        let mut table = pool.open(&[], 1).unwrap();
        assert!(pool.grow(&mut table, 1));
        pool.name(&table, 0, name);
        pool.close(table);
        assert_eq!(node.pools[&0].cached(&[name]), 1);
        // The device opens its shard anew whenever it loads one, and its cache is empty then.
        node.adopt(plan, &[(0, 8)], me, 0);
        assert_eq!(node.pools[&0].cached(&[name]), 0);
    }
}
