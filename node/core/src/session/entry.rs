//! The entry's part of a session: it admits, chooses a pipeline, opens, tells its client, and opens
//! anew when a try fails. The prompt of a later try is the prompt and the answer so far, so nothing
//! is said twice.

mod busy;
#[cfg(test)]
mod made;
mod route;
mod running;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::RngExt;
use swarm_proto::{Attempt, Fault, NodeId, Plan, PlanId, SessionId, Time, Token};

use super::{
    CanaryDone,
    post::{Post, Route},
};
use crate::{Answer, Ask, Effect, Refusal, RequestId, Router, turn::Turn};
use busy::Busy;
use route::{Lack, Load};
use running::{Running, State};

/// How long after a failed try the next begins, if nothing else happens meanwhile: doubled for each
/// that failed since a token came.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Doublings at most.
const RETRY_DOUBLINGS_MAX: u32 = 4;
/// How long a canary may take.
const CANARY_MAX: Duration = Duration::from_secs(20);

/// What this node does as an entry.
#[derive(Debug, Default)]
pub(super) struct Entry {
    sessions: BTreeMap<SessionId, Running>,
    requests: BTreeMap<RequestId, SessionId>,
    live: Option<Arc<Plan>>,
    pub(super) router: Box<dyn Router>,
    busy: Busy,
    canary: Option<Canary>,
    canary_done: Option<CanaryDone>,
    draining: bool,
    /// The first alarm of all, or a time before it.
    wake: Time,
}

#[derive(Debug)]
struct Canary {
    plan: Arc<Plan>,
    /// Those that run, and through which pipeline.
    sessions: BTreeMap<SessionId, u16>,
    until: Time,
}

impl Entry {
    pub(super) fn live(&mut self, plan: Arc<Plan>, turn: &mut Turn<'_>) {
        self.live = Some(plan);
        for session in self.sessions.values_mut() {
            session.hurry(turn.now);
        }
        self.rewake();
    }

    pub(super) fn asked(&mut self, request: RequestId, ask: Ask, turn: &mut Turn<'_>) {
        let bound = turn.config.sessions_max + turn.config.waiting_max;
        let refusal = if self.draining {
            Some(Refusal::Draining)
        } else if self.requests.len() >= bound {
            Some(Refusal::Busy)
        } else {
            running::refusal(&ask, turn)
        };
        if let Some(refusal) = refusal {
            turn.emit(Effect::Answer { request, event: Answer::Failed(refusal) });
            return;
        }
        let id = SessionId(turn.rng.random());
        self.requests.insert(request, id);
        self.sessions.insert(id, Running::new(id, Some(request), ask, turn.now));
        self.rewake();
    }

    pub(super) fn cancelled(&mut self, request: RequestId, post: &mut Post, turn: &mut Turn<'_>) {
        if let Some(session) = self.requests.get(&request).copied() {
            self.end(session, post, turn);
        }
    }

    pub(super) fn canary(&mut self, plan: Arc<Plan>, post: &mut Post, turn: &mut Turn<'_>) {
        let mut sessions = BTreeMap::new();
        for pipeline in 0..plan.pipelines.len() as u16 {
            let id = SessionId(turn.rng.random());
            let mut session = Running::new(id, None, running::canary(), turn.now);
            session.open(Route { plan: Arc::clone(&plan), pipeline }, post, turn);
            self.sessions.insert(id, session);
            sessions.insert(id, pipeline);
        }
        self.canary = Some(Canary { plan, sessions, until: turn.now + CANARY_MAX });
        self.rewake();
    }

    pub(super) fn take_canary(&mut self) -> Option<CanaryDone> {
        self.canary_done.take()
    }

    /// A token came through one pipeline.
    fn canary_passed(&mut self, session: SessionId, post: &mut Post, turn: &mut Turn<'_>) {
        self.end(session, post, turn);
        let Some(canary) = &mut self.canary else { return };
        // One of an earlier plan's may end late.
        if canary.sessions.remove(&session).is_some() && canary.sessions.is_empty() {
            self.end_canary(BTreeSet::new(), post, turn);
        }
    }

    /// None will come through those of the canary's pipelines that `sessions` were sent through.
    fn canary_failed(&mut self, sessions: &[SessionId], post: &mut Post, turn: &mut Turn<'_>) {
        for session in sessions {
            self.end(*session, post, turn);
        }
        let Some(canary) = &self.canary else { return };
        let failed: BTreeSet<_> =
            sessions.iter().filter_map(|id| canary.sessions.get(id).copied()).collect();
        if !failed.is_empty() {
            self.end_canary(failed, post, turn);
        }
    }

    fn end_canary(&mut self, failed: BTreeSet<u16>, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(canary) = self.canary.take() else { return };
        self.canary_done = Some(CanaryDone { plan: canary.plan.id, failed });
        for session in canary.sessions.into_keys() {
            self.end(session, post, turn);
        }
    }

    /// A member node made room.
    pub(super) fn opened(
        &mut self,
        from: NodeId,
        attempt: Attempt,
        blocks: (u32, u32),
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        if let Some(session) = self.current(attempt) {
            session.opened(from, blocks, post, turn);
        }
        self.rewake();
    }

    /// A token came.
    pub(super) fn token(
        &mut self,
        from: NodeId,
        token: Token,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(session) = self.current(token.attempt) else { return };
        if !session.takes(from, &token) {
            return;
        }
        let finish = session.advance(&token, turn);
        let (id, request) = (token.attempt.session, session.request);
        let Some(finish) = finish else { return };
        match request {
            None => self.canary_passed(id, post, turn),
            Some(request) => {
                turn.emit(Effect::Answer { request, event: Answer::Finished(finish) });
                self.end(id, post, turn);
            }
        }
    }

    /// A try failed.
    pub(super) fn fault(
        &mut self,
        from: NodeId,
        attempt: Attempt,
        fault: Fault,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let Some(session) = self.current(attempt) else { return };
        if !session.has_member(from) {
            return;
        }
        let (request, hopeless) = (session.request, session.hopeless(fault));
        match (request, hopeless) {
            (None, _) => self.canary_failed(&[attempt.session], post, turn),
            (Some(request), Some(refusal)) => {
                turn.emit(Effect::Answer { request, event: Answer::Failed(refusal) });
                self.end(attempt.session, post, turn);
            }
            (Some(_), None) => {
                session.give_up_try(fault, post, turn);
                session.retry_later(turn.now);
            }
        }
        self.rewake();
    }

    /// A peer is gone: every try through it has failed.
    pub(super) fn lost(&mut self, peer: NodeId, post: &mut Post, turn: &mut Turn<'_>) {
        self.busy.forget(peer);
        let mut canaries = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.has_member(peer) {
                if session.request.is_none() {
                    canaries.push(*id);
                } else {
                    session.give_up_try(Fault::Stage, post, turn);
                    session.retry_later(turn.now);
                }
            }
        }
        self.canary_failed(&canaries, post, turn);
        self.rewake();
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    /// Begins the tries that are due, and ends the waits that have lasted too long. So many sessions
    /// hold KV cache at this node.
    pub(super) fn tick(
        &mut self,
        gone: &BTreeSet<NodeId>,
        held: u32,
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        if self.wake > turn.now {
            return;
        }
        if let Some(canary) = self.canary.as_ref().filter(|canary| canary.until <= turn.now) {
            let sessions: Vec<_> = canary.sessions.keys().copied().collect();
            self.canary_failed(&sessions, post, turn);
        }
        // A canary for every pipeline is nobody's session.
        let clients = self.sessions.values().filter(|s| s.request.is_some());
        let mut active = clients.filter(|s| !s.is_waiting()).count();
        self.busy.hear(turn.me(), held, turn.now);
        let mut loads = self.loads();
        let due = self.sessions.iter().filter(|(_, s)| s.alarm <= turn.now);
        let mut due: Vec<_> = due.map(|(id, session)| (session.turn(), *id)).collect();
        due.sort_unstable();
        for (_, id) in due {
            let Some(session) = self.sessions.get_mut(&id) else { continue };
            match (&session.state, session.request) {
                (_, None) => self.canary_failed(&[id], post, turn),
                (State::Waiting, Some(request)) if session.is_overdue(turn) => {
                    let refusal = session.why_not();
                    turn.emit(Effect::Answer { request, event: Answer::Failed(refusal) });
                    self.end(id, post, turn);
                }
                (State::Waiting, Some(_)) => {
                    let wanted = session.wanted(&loads, turn.config.stage_sessions_max);
                    let route = match active < turn.config.sessions_max {
                        true => {
                            route::routed(&mut *self.router, self.live.as_ref(), gone, wanted, turn)
                        }
                        false => Err(Lack::Room),
                    };
                    match route {
                        Ok(route) => {
                            active += 1;
                            loads[usize::from(route.pipeline)].add();
                            session.open(route, post, turn);
                        }
                        Err(lack) => session.lacks(lack, turn.now),
                    }
                }
                (_, Some(_)) => {
                    session.give_up_try(Fault::Stage, post, turn);
                    session.retry_later(turn.now);
                }
            }
        }
        self.rewake();
    }

    /// So many sessions hold KV cache at a peer.
    pub(super) fn felt(&mut self, peer: NodeId, sessions: u32, now: Time) {
        self.busy.hear(peer, sessions, now);
    }

    /// Through whom our sessions run.
    pub(super) fn partners(&self) -> impl Iterator<Item = NodeId> {
        let routes = self.sessions.values().filter_map(Running::way).map(|(route, _)| route);
        routes.flat_map(|route| {
            let pipeline = route.plan.pipelines.get(usize::from(route.pipeline));
            pipeline.into_iter().flat_map(|p| p.members()).map(|member| member.node)
        })
    }

    /// Sessions through each pipeline of the live plan.
    fn loads(&self) -> Vec<Load> {
        let Some(live) = &self.live else { return Vec::new() };
        let ways = self.sessions.values().filter_map(Running::way);
        let own = ways.filter(|(route, _)| route.plan.id == live.id);
        let own: Vec<_> = own.map(|(route, since)| (route.pipeline, since)).collect();
        self.busy.loads(live, &own)
    }

    /// The plan and the pipeline of it that a request goes through, if a try is under way.
    pub(super) fn way(&self, request: RequestId) -> Option<(PlanId, u16)> {
        let (route, _) = self.sessions.get(self.requests.get(&request)?)?.way()?;
        Some((route.plan.id, route.pipeline))
    }

    pub(super) fn knows(&self, request: RequestId) -> bool {
        self.requests.contains_key(&request)
    }

    pub(super) fn deadline(&self) -> Time {
        self.wake
    }

    /// Looks for the first alarm anew. Tokens only put alarms off, so none of them calls for it.
    fn rewake(&mut self) {
        let sessions = self.sessions.values().map(|session| session.alarm);
        let canary = self.canary.iter().map(|canary| canary.until);
        self.wake = sessions.chain(canary).min().unwrap_or(Time::NEVER);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.sessions.values().all(|session| session.request.is_none())
    }

    fn current(&mut self, attempt: Attempt) -> Option<&mut Running> {
        let session = self.sessions.get_mut(&attempt.session)?;
        (session.attempt() == attempt && !session.is_waiting()).then_some(session)
    }

    /// Frees everything that a session holds, here and elsewhere.
    fn end(&mut self, id: SessionId, post: &mut Post, turn: &mut Turn<'_>) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        if let Some(request) = session.request {
            self.requests.remove(&request);
        }
        session.close(post, turn);
        let new = self.sessions.values_mut().filter(|other| other.is_new());
        if let Some(next) = new.min_by_key(|other| other.turn()) {
            next.hurry(turn.now);
        }
        self.rewake();
    }
}
