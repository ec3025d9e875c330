//! Batches: gathered, given to devices, and handed on.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use swarm_proto::{
    Batch, FrameHeader, Item, NodeId, RowsHeader, RowsItem, Sampled, SessionMessage, Time, Token,
};

use super::{
    super::{
        guest::{Guest, Taken},
        post::Post,
    },
    Fault, StageKey, Stages,
    own::{OwnStage, RunningBatch},
};
use crate::{Body, ComputeFault, Computed, Effect, GroupKey, turn::Turn};

impl Stages {
    /// Gives every stage that has nothing to do its next batch.
    pub(in super::super) fn start(&mut self, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(plan) = self.plan.as_ref().map(|plan| plan.id) else { return };
        let ready = self.own.iter().filter(|(_, own)| own.could_start());
        let ready: Vec<StageKey> = ready.map(|(key, _)| *key).collect();
        for key in ready {
            let Some(own) = self.own.get_mut(&key) else { continue };
            let next = if own.leads {
                self.gather(key, plan, post, turn)
            } else {
                own.inbound.pop_front()
            };
            if let Some((header, body)) = next {
                self.compute(key, header, body, post, turn);
            }
        }
    }

    /// The next batch of a stage that we lead: steps of answers first, then pieces of prompts, one
    /// piece a session, until the batch is full.
    fn gather(
        &mut self,
        key: StageKey,
        plan: swarm_proto::PlanId,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) -> Option<(RowsHeader, Bytes)> {
        let hidden_bytes = 4 * turn.config.model.hidden as usize;
        let mut room = turn.config.batch_rows_max;
        let (mut items, mut bodies) = (Vec::new(), Vec::new());
        for _ in 0..self.own.get(&key)?.waiting() {
            let own = self.own.get_mut(&key)?;
            if room == 0 || items.len() >= turn.config.batch_sessions_max {
                break;
            }
            let row_bytes = if own.first { 0 } else { hidden_bytes };
            let Some(session) = own.next_session() else { break };
            let Some(guest) = self.guests.get_mut(&session) else { continue };
            let attempt = guest.attempt();
            let Some(seat) = guest.seats.get_mut(&key.1) else { continue };
            // Queues may hold an earlier try of the same session.
            if !std::mem::take(&mut seat.queued) {
                continue;
            }
            let Some((item, body)) = seat.next(attempt, room, row_bytes) else { continue };
            let rows = item.tokens.len();
            if !seat.grow(item.position + rows as u32, &mut self.pools) {
                self.fault(attempt, Fault::Full, post, turn);
                continue;
            }
            room -= rows;
            items.push(item);
            bodies.push(body);
        }
        // Only now, or one of them would have its turn twice.
        for item in &items {
            let guest = self.guests.get_mut(&item.attempt.session);
            let seat = guest.and_then(|guest| guest.seats.get_mut(&key.1));
            if let (Some(own), Some(seat)) = (self.own.get_mut(&key), seat) {
                own.queue(item.attempt.session, seat);
            }
        }
        if items.is_empty() {
            return None;
        }
        let own = self.own.get_mut(&key)?;
        let batch = Some(own.batches);
        own.batches += 1;
        let (pipeline, stage) = key;
        let header = RowsHeader { plan, pipeline, stage, batch, items };
        let body = joined(bodies);
        for node in own.others.clone() {
            post.frame(node, FrameHeader::Rows(header.clone()), body.clone(), turn);
        }
        Some((header, body))
    }

    /// Gives a batch to our devices in its stage.
    fn compute(
        &mut self,
        key: StageKey,
        header: RowsHeader,
        body: Bytes,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(own) = self.own.get(&key) else { return };
        let (devices, first, many) = (own.devices.clone(), own.first, own.members > 1);
        let samples = (own.leads && own.last).then_some(own.lead_device);
        if !own.leads {
            self.follow(key, &header, post, turn);
        }
        let group = many.then(|| GroupKey {
            plan: header.plan,
            pipeline: key.0,
            stage: key.1,
            batch: header.batch.unwrap_or_default(),
        });
        let mut jobs = BTreeMap::new();
        for device in devices {
            self.jobs += 1;
            jobs.insert(device, self.jobs);
            let items = header
                .items
                .iter()
                .map(|item| self.item(key.1, device, item, samples == Some(device)));
            let batch = Batch { items: items.collect() };
            let input = (!first).then(|| Body(body.clone()));
            turn.emit(Effect::Compute { device, job: self.jobs, batch, input, group });
        }
        if let Some(own) = self.own.get_mut(&key) {
            own.running = Some(RunningBatch { header, jobs, output: None, fault: None });
        }
    }

    /// Makes room for a batch that our leader gathered. Rows that have no place here are computed
    /// into the sink, so that the others get their sums, and the leader is told: it hears of that
    /// before our sums, which go the same way, and gives nothing out that was made with them.
    fn follow(&mut self, key: StageKey, header: &RowsHeader, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(leader) = self.own.get(&key).map(|own| own.leader) else { return };
        for item in &header.items {
            let attempt = item.attempt;
            if let Err(fault) = self.place(key, item, turn.now) {
                post.say(leader, SessionMessage::Fault { attempt, fault }, turn);
                if self.guests.get(&attempt.session).is_some_and(|g| g.attempt() == attempt) {
                    self.evict(attempt.session);
                }
            }
        }
    }

    fn place(&mut self, key: StageKey, item: &RowsItem, now: Time) -> Result<(), Fault> {
        let guest = self.guests.get_mut(&item.attempt.session);
        let guest = guest.filter(|guest| guest.attempt() == item.attempt).ok_or(Fault::Unknown)?;
        guest.touched = now;
        let tokens_max = guest.open.tokens_max;
        let seat = guest.seats.get_mut(&key.1).ok_or(Fault::Unknown)?;
        let end = item.position.saturating_add(item.tokens.len() as u32);
        let taken = seat.take(item.clone(), Bytes::new(), tokens_max, &mut self.pools);
        while seat.next(item.attempt, usize::MAX, 0).is_some() {}
        match (taken, seat.grow(end.min(tokens_max), &mut self.pools)) {
            (Taken::Yes, true) => Ok(()),
            (Taken::Yes, false) => Err(Fault::Full),
            _ => Err(Fault::Unknown),
        }
    }

    /// One session's rows as a device wants them.
    fn item(&self, stage: u16, device: u8, item: &RowsItem, samples: bool) -> Item {
        let guest = self.guests.get(&item.attempt.session);
        let guest = guest.filter(|guest| guest.attempt() == item.attempt);
        let end = item.position.saturating_add(item.tokens.len() as u32);
        let blocks = end.div_ceil(swarm_proto::BLOCK_TOKENS) as usize;
        let table = guest.and_then(|g| g.seats.get(&stage)?.tables.get(&device));
        let table = table.map(|table| Arc::clone(table.blocks())).filter(|t| t.len() >= blocks);
        let sink = self.pools.get(&device).map_or(0, crate::kv::KvPool::sink);
        let draw = |guest: &Guest, step| Arc::new(guest.draw(stage, step, &item.tokens));
        Item {
            position: item.position,
            tokens: item.tokens.clone(),
            blocks: table.unwrap_or_else(|| vec![sink; blocks].into()),
            sample: guest.zip(item.step).filter(|_| samples).map(|(g, step)| draw(g, step)),
        }
    }

    /// A device answered.
    pub(in super::super) fn computed(
        &mut self,
        device: u8,
        job: u64,
        outcome: Result<Computed, ComputeFault>,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let asked = |own: &&mut OwnStage| {
            own.running.as_ref().is_some_and(|batch| batch.jobs.get(&device) == Some(&job))
        };
        let Some(own) = self.own.values_mut().find(asked) else { return };
        let Some(batch) = &mut own.running else { return };
        batch.jobs.remove(&device);
        match outcome {
            Ok(output) if own.leads && device == own.lead_device => batch.output = Some(output),
            Ok(_) => {}
            Err(fault) => batch.fault = Some(fault),
        }
        if !batch.jobs.is_empty() {
            return;
        }
        let key = (batch.header.pipeline, batch.header.stage);
        if let Some(batch) = own.running.take() {
            self.finish(key, batch, post, turn);
        }
    }

    /// All our devices are done with a batch.
    fn finish(&mut self, key: StageKey, batch: RunningBatch, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(own) = self.own.get(&key) else { return };
        let (leads, after) = (own.leads, own.after);
        let header = batch.header;
        let hidden_bytes = 4 * turn.config.model.hidden as usize;
        let output = match (batch.fault, batch.output) {
            (Some(ComputeFault::Numbers), _) => Err(Fault::Numbers),
            (Some(_), _) => Err(Fault::Stage),
            (None, Some(Computed::Activations(Body(rows))))
                if after.is_some() && rows.len() == header.rows() * hidden_bytes =>
            {
                Ok(Some(Computed::Activations(Body(rows))))
            }
            (None, Some(Computed::Samples(samples)))
                if after.is_none() && samples.len() == header.items.len() =>
            {
                Ok(Some(Computed::Samples(samples)))
            }
            (None, None) if !leads => Ok(None),
            // A device that answers something else than was asked is a device that failed.
            (None, _) => Err(Fault::Stage),
        };
        match output {
            Err(fault) => {
                for attempt in Self::attempts(&header.items) {
                    self.fault(attempt, fault, post, turn);
                }
            }
            Ok(output) => {
                self.note(key, &header);
                match (output, after) {
                    (Some(Computed::Activations(Body(rows))), Some(next)) => {
                        let stage = header.stage + 1;
                        let header = RowsHeader { stage, batch: None, ..header };
                        self.hand_on(next, header, rows, post, turn);
                    }
                    (Some(Computed::Samples(samples)), _) => {
                        self.hand_out(&header, samples, post, turn);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Writes down what was computed: names of blocks, tokens for the repetition penalty.
    fn note(&mut self, key: StageKey, header: &RowsHeader) {
        for item in &header.items {
            let Some(guest) = self.guests.get_mut(&item.attempt.session) else { continue };
            if guest.attempt() != item.attempt {
                continue;
            }
            let penalised = guest.open.sampling.repetition_penalty != 1.0;
            let Some(seat) = guest.seats.get_mut(&key.1) else { continue };
            seat.computed(&item.tokens, &mut self.pools);
            if penalised {
                seat.remember(&item.tokens);
            }
        }
    }

    /// Activations go to the next stage; not those of sessions that have ended here meanwhile, for
    /// a member may have had no place for their rows.
    fn hand_on(
        &mut self,
        next: NodeId,
        mut header: RowsHeader,
        mut rows: Bytes,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let row_bytes = 4 * turn.config.model.hidden as usize;
        let lives = |item: &RowsItem| {
            let guest = self.guests.get(&item.attempt.session);
            guest.is_some_and(|guest| guest.attempt() == item.attempt)
        };
        if !header.items.iter().all(lives) {
            let parts = header.items.iter().filter_map(|item| {
                let part = rows.split_to(item.tokens.len() * row_bytes);
                lives(item).then_some(part)
            });
            let parts: Vec<_> = parts.collect();
            header.items.retain(lives);
            if header.items.is_empty() {
                return;
            }
            rows = joined(parts);
        }
        post.frame(next, FrameHeader::Rows(header), rows, turn);
    }

    /// Tokens go to the entry and, if the answer goes on, to the first stage, at once.
    fn hand_out(
        &mut self,
        header: &RowsHeader,
        samples: Vec<Option<Sampled>>,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let first = self.first_leader(header.pipeline);
        for (item, sampled) in header.items.iter().zip(samples) {
            let guest = self.guests.get(&item.attempt.session);
            let guest = guest.filter(|guest| guest.attempt() == item.attempt);
            let (Some(guest), Some(step), Some(sampled)) = (guest, item.step, sampled) else {
                continue;
            };
            let finish = guest.finish(step, &sampled);
            let entry = guest.entry;
            let token = Token { attempt: item.attempt, step, sampled, finish };
            post.say(entry, SessionMessage::Token(token.clone()), turn);
            if let Some(first) = first.filter(|first| *first != entry && finish.is_none()) {
                post.say(first, SessionMessage::Token(token), turn);
            }
        }
    }

    fn first_leader(&self, pipeline: u16) -> Option<NodeId> {
        let pipeline = self.plan.as_ref()?.pipelines.get(usize::from(pipeline))?;
        Some(pipeline.stages.first()?.leader().node)
    }
}

/// Bodies in a row; a single one is not copied.
fn joined(mut bodies: Vec<Bytes>) -> Bytes {
    if bodies.len() == 1 {
        return bodies.remove(0);
    }
    let mut all = BytesMut::with_capacity(bodies.iter().map(Bytes::len).sum());
    bodies.iter().for_each(|body| all.extend_from_slice(body));
    all.freeze()
}
