//! One session at its entry.

use std::collections::BTreeSet;

use swarm_proto::{
    Attempt, BLOCK_TOKENS, Fault, Finish, NodeId, Open, Sampling, SessionId, SessionMessage, Time,
    Token,
};

use super::{
    super::post::{Post, Route, block_names},
    RETRY_AFTER, RETRY_DOUBLINGS_MAX,
    route::{Lack, Load, Place, Wanted},
};
use crate::{Answer, Ask, Effect, Refusal, RequestId, turn::Turn};

/// Tokens of a prompt that one message carries: well within what a message may weigh.
const PROMPT_TOKENS_MAX: usize = 8192;

/// Failed tries without a token after each of which a plan is waited for as long as at first.
const WAITS_RENEWED: u32 = 3;

/// A session and how far it is.
#[derive(Debug)]
pub(super) struct Running {
    id: SessionId,
    /// Who asked; nobody asks for a canary.
    pub(super) request: Option<RequestId>,
    asked: Time,
    ask: Ask,
    answer: Vec<u32>,
    number: u32,
    /// Tokens that prompt and answer may come to in the smallest KV cache on the way.
    tokens_max: u64,
    route: Option<Route>,
    opened: Time,
    pub(super) state: State,
    /// Since when it waits for a plan that gets it on.
    pub(super) progress: Time,
    /// When it wants to be looked at.
    pub(super) alarm: Time,
    started: bool,
    /// Tries that failed since a token came.
    failures: u32,
    /// Why the last try failed, or that it waits for its turn.
    fault: Option<Fault>,
    /// Where the last try came to nothing.
    tried: Option<Place>,
}

/// How far a try is.
#[derive(Debug)]
pub(super) enum State {
    /// No try is under way.
    Waiting,
    /// Members are asked to make room.
    Opening { waiting: BTreeSet<NodeId>, cached_blocks: u32 },
    /// Tokens come.
    Flowing,
}

/// Why a request cannot be, whoever is here.
pub(super) fn refusal(ask: &Ask, turn: &Turn<'_>) -> Option<Refusal> {
    let model = &turn.config.model;
    let tokens = (ask.tokens.len() as u64).saturating_add(u64::from(ask.answer_tokens_max));
    if ask.tokens.is_empty() {
        return Some(Refusal::Invalid("the prompt is empty".to_owned()));
    }
    if ask.answer_tokens_max == 0 {
        return Some(Refusal::Invalid("an answer of no tokens".to_owned()));
    }
    if let Some(token) = ask.tokens.iter().find(|token| **token >= model.vocab) {
        return Some(Refusal::Invalid(format!("token {token} is not below {}", model.vocab)));
    }
    if tokens > u64::from(model.context_max) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        return Some(Refusal::TooLong { tokens, tokens_max: model.context_max });
    }
    ask.sampling.check().err().map(|reason| Refusal::Invalid(reason.to_owned()))
}

/// What a canary asks: one token after one token.
pub(super) fn canary() -> Ask {
    Ask {
        tokens: vec![0],
        answer_tokens_max: 1,
        sampling: Sampling::default(),
        end_tokens: Vec::new(),
    }
}

impl Running {
    pub(super) fn new(id: SessionId, request: Option<RequestId>, ask: Ask, now: Time) -> Self {
        Self {
            id,
            request,
            asked: now,
            ask,
            answer: Vec::new(),
            number: 0,
            tokens_max: u64::MAX,
            route: None,
            opened: now,
            state: State::Waiting,
            progress: now,
            alarm: now,
            started: false,
            failures: 0,
            fault: None,
            tried: None,
        }
    }

    pub(super) fn attempt(&self) -> Attempt {
        Attempt { session: self.id, number: self.number }
    }

    /// Begins a try: asks every member node to make room.
    pub(super) fn open(&mut self, route: Route, post: &mut Post, turn: &mut Turn<'_>) {
        let nodes = route.nodes();
        let open = self.opening(&route);
        self.state =
            State::Opening { waiting: nodes.iter().copied().collect(), cached_blocks: u32::MAX };
        self.route = Some(route);
        self.opened = turn.now;
        self.tokens_max = u64::MAX;
        let prompt = (self.ask.tokens.len() + self.answer.len()) as u32;
        let prefill = turn.config.stall_max_of_prompt_token * prompt;
        self.alarm = turn.now + turn.config.stall_max + prefill;
        for node in nodes {
            post.say(node, SessionMessage::Open(Box::new(open.clone())), turn);
        }
    }

    fn opening(&self, route: &Route) -> Open {
        let prompt = self.prompt();
        // The penalty looks at tokens, and a cached prefix has none to look at.
        let plain = self.ask.sampling.repetition_penalty == 1.0;
        let mut prefix = if plain { block_names(&prompt) } else { Vec::new() };
        // The last token is always computed: its logits are what the answer begins with.
        prefix.truncate((prompt.len() - 1) / BLOCK_TOKENS as usize);
        prefix.truncate(swarm_proto::PREFIX_BLOCKS_MAX);
        Open {
            attempt: self.attempt(),
            plan: route.plan.id,
            pipeline: route.pipeline,
            prefix,
            prompt_tokens: prompt.len() as u32,
            step: self.answer.len() as u32,
            tokens_max: self.ask.tokens.len() as u32 + self.ask.answer_tokens_max,
            sampling: self.ask.sampling.clone(),
            end_tokens: self.ask.end_tokens.clone(),
        }
    }

    fn prompt(&self) -> Vec<u32> {
        [self.ask.tokens.as_slice(), self.answer.as_slice()].concat()
    }

    /// A member node made room; once all have, the prompt goes out.
    pub(super) fn opened(
        &mut self,
        from: NodeId,
        (cached, blocks_max): (u32, u32),
        post: &mut Post,
        turn: &mut Turn<'_>,
    ) {
        let State::Opening { waiting, cached_blocks } = &mut self.state else { return };
        if !waiting.remove(&from) {
            return;
        }
        *cached_blocks = cached.min(*cached_blocks);
        self.tokens_max = self.tokens_max.min(u64::from(blocks_max) * u64::from(BLOCK_TOKENS));
        if !waiting.is_empty() {
            return;
        }
        let prompt = self.prompt();
        let whole = (prompt.len() - 1) / BLOCK_TOKENS as usize;
        let State::Opening { cached_blocks, .. } = self.state else { return };
        let position = (cached_blocks as usize).min(whole) * BLOCK_TOKENS as usize;
        self.state = State::Flowing;
        let Some(first) = self.route.as_ref().map(Route::first_leader) else { return };
        let attempt = self.attempt();
        for (index, tokens) in prompt[position..].chunks(PROMPT_TOKENS_MAX).enumerate() {
            let at = position + index * PROMPT_TOKENS_MAX;
            let last = at + tokens.len() == prompt.len();
            let (position, tokens) = (at as u32, tokens.to_vec());
            post.say(first, SessionMessage::Prompt { attempt, position, tokens, last }, turn);
        }
        if let (Some(request), false) = (self.request, std::mem::replace(&mut self.started, true)) {
            let event = Answer::Started { cached_tokens: position as u32 };
            turn.emit(Effect::Answer { request, event });
        }
    }

    /// Whether a token is the one that is due, from whom it should come.
    pub(super) fn takes(&self, from: NodeId, token: &Token) -> bool {
        matches!(self.state, State::Flowing)
            && token.step as usize == self.answer.len()
            && self.route.as_ref().is_some_and(|route| route.last_leader() == from)
    }

    /// Takes the next token; why the answer ends with it, if it does.
    pub(super) fn advance(&mut self, token: &Token, turn: &mut Turn<'_>) -> Option<Finish> {
        self.answer.push(token.sampled.token);
        self.progress = turn.now;
        self.failures = 0;
        self.alarm = turn.now + turn.config.stall_max;
        let tokens = (self.ask.tokens.len() + self.answer.len()) as u64;
        let full = self.answer.len() as u64 >= u64::from(self.ask.answer_tokens_max)
            || tokens >= self.tokens_max;
        // Decided here once more: a stage cannot make an answer longer than was asked for.
        let ends = self.ask.end_tokens.contains(&token.sampled.token);
        let finish = match (ends, full) {
            (true, _) => Some(Finish::Stop),
            (false, true) => Some(Finish::Length),
            _ => None,
        };
        if let (Some(request), false) = (self.request, ends) {
            let event = Answer::Token(token.sampled.clone());
            turn.emit(Effect::Answer { request, event });
        }
        finish
    }

    /// Ends the try under way, and says so to whoever has part in it.
    pub(super) fn give_up_try(&mut self, fault: Fault, post: &mut Post, turn: &mut Turn<'_>) {
        if self.is_waiting() {
            return;
        }
        self.fault = Some(fault);
        // A try may have been under way for long, and its failure is nobody's lack of a plan.
        if self.failures < WAITS_RENEWED {
            self.progress = turn.now;
        }
        self.failures = self.failures.saturating_add(1);
        self.tried = self.route.as_ref().map(Route::place);
        self.close(post, turn);
        self.number += 1;
    }

    /// The way it goes and since when, if a try is under way.
    pub(super) fn way(&self) -> Option<(&Route, Time)> {
        self.route.as_ref().map(|route| (route, self.opened))
    }

    /// What decides where the next try goes.
    pub(super) fn wanted<'a>(&'a self, loads: &'a [Load], stage_sessions_max: u32) -> Wanted<'a> {
        // After one failed try the next is to go there again: what was computed lies in that
        // pipeline's KV cache. Not where there is no room.
        let again = !self.failures.is_multiple_of(2) && self.fault != Some(Fault::Full);
        let (session, ask, tried) = (self.id, &self.ask, self.tried);
        Wanted { session, ask, tried, again, loads, stage_sessions_max }
    }

    /// Tells every member node that the try is over.
    pub(super) fn close(&mut self, post: &mut Post, turn: &mut Turn<'_>) {
        let attempt = self.attempt();
        if let Some(route) = self.route.take() {
            for node in route.nodes() {
                post.say(node, SessionMessage::Close { attempt }, turn);
            }
        }
    }

    /// Waits for the next try, the longer the more have failed.
    pub(super) fn retry_later(&mut self, now: Time) {
        let doublings = self.failures.min(RETRY_DOUBLINGS_MAX);
        self.retry(now + RETRY_AFTER * 2_u32.pow(doublings));
    }

    fn retry(&mut self, until: Time) {
        self.state = State::Waiting;
        self.alarm = until;
    }

    /// Something changed that may help: tries now if it waits.
    pub(super) fn hurry(&mut self, now: Time) {
        if self.is_waiting() {
            self.retry(now);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    pub(super) fn has_member(&self, node: NodeId) -> bool {
        self.route
            .as_ref()
            .is_some_and(|route| route.pipeline().members().any(|member| member.node == node))
    }

    /// What a client is told if no other try can end better.
    pub(super) fn hopeless(&self, fault: Fault) -> Option<Refusal> {
        match fault {
            Fault::Numbers => {
                let reason = "the model computed something that is no number";
                Some(Refusal::Failed(reason.to_owned()))
            }
            Fault::TooLong { tokens_max } => {
                let tokens = self.ask.tokens.len() + self.answer.len();
                let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                Some(Refusal::NoRoom { tokens, tokens_max })
            }
            _ => None,
        }
    }

    /// Whether it waits for the first time, and not for another try.
    pub(super) fn is_new(&self) -> bool {
        self.is_waiting() && self.failures == 0
    }

    /// There is nowhere to go yet. While it waits for its turn it is not a plan that it lacks.
    pub(super) fn lacks(&mut self, lack: Lack, now: Time) {
        if self.is_new() {
            self.fault = (lack == Lack::Room).then_some(Fault::Full);
            if lack == Lack::Room {
                self.progress = now;
            }
        }
        self.retry_later(now);
    }

    /// Whether it has waited as long as anyone should.
    pub(super) fn is_overdue(&self, turn: &Turn<'_>) -> bool {
        let waits_turn = self.is_new() && self.fault == Some(Fault::Full);
        turn.now.since(self.progress) > turn.config.plan_wait_max
            || (waits_turn && turn.now.since(self.asked) > turn.config.turn_wait_max)
    }

    /// Who asked first is served first.
    pub(super) fn turn(&self) -> (Time, Option<RequestId>) {
        (self.asked, self.request)
    }

    /// What a client is told when there is no use in waiting longer.
    pub(super) fn why_not(&self) -> Refusal {
        match self.fault {
            None => Refusal::NoPlan("nothing serves the model yet".to_owned()),
            Some(Fault::Full) => Refusal::Busy,
            Some(Fault::OtherPlan) => Refusal::NoPlan("the swarm is changing its plan".to_owned()),
            Some(_) => Refusal::Failed("a stage is gone and nothing took its place".to_owned()),
        }
    }
}
