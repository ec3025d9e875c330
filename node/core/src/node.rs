//! The node: hands each input to the machine it concerns.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{
    Ballot, Heard, Hello, LinkReport, Message, NodeId, Plan, PlanId, Pulse, RoundMessage, Term,
    Time,
};

use crate::{
    Body, ComputeFault, Config, Effect, Input, Notice, RequestId,
    council::{Candidate, Council},
    keys::Keys,
    membership::Membership,
    round::{Rounds, World},
    session::Sessions,
    turn::Turn,
};

/// A node's mind. See the crate's front page.
pub struct Node {
    config: Config,
    keys: Box<dyn Keys>,
    rng: ChaCha8Rng,
    started: bool,
    membership: Membership,
    council: Council,
    rounds: Rounds,
    sessions: Sessions,
    effects: Vec<Effect>,
}

impl Node {
    /// A node that remembers `ballot` from before its last stop, if there was one.
    pub fn new(config: Config, keys: Box<dyn Keys>, seed: u64, ballot: Ballot) -> Self {
        Self {
            config,
            keys,
            rng: ChaCha8Rng::seed_from_u64(seed),
            started: false,
            membership: Membership::default(),
            council: Council::new(ballot),
            rounds: Rounds::default(),
            sessions: Sessions::default(),
            effects: Vec::new(),
        }
    }

    /// Takes in one input and gives out what follows from it.
    pub fn handle(&mut self, now: Time, input: Input) -> impl Iterator<Item = Effect> {
        let Self { config, keys, rng, started, membership, council, rounds, sessions, effects } =
            self;
        let turn = &mut Turn { now, config, keys: &**keys, rng, effects };
        if !std::mem::replace(started, true) {
            council.start(turn);
        }
        let mut parts = Parts { membership, council, rounds, sessions };
        parts.dispatch(input, turn);
        parts.tick(turn);
        self.effects.drain(..)
    }

    /// When this node wants an [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Time {
        if !self.started {
            return Time::ZERO;
        }
        let deadlines = [
            self.membership.deadline(self.config.advert_every),
            self.council.deadline(self.id()),
            self.rounds.deadline(),
            self.sessions.deadline(),
        ];
        deadlines.into_iter().min().unwrap_or(Time::NEVER)
    }

    /// Who we are.
    pub fn id(&self) -> NodeId {
        self.keys.id()
    }

    /// Who leads, as far as we know.
    pub fn leader(&self) -> Option<NodeId> {
        self.council.leader()
    }

    /// The latest term heard of.
    pub fn term(&self) -> Term {
        self.council.term()
    }

    /// Who votes.
    pub fn voters(&self) -> &[NodeId] {
        self.council.voters()
    }

    /// The plan that serves.
    pub fn live_plan(&self) -> Option<&Plan> {
        self.rounds.live_plan()
    }

    /// Why none does, if the leader said so here.
    pub fn trouble(&self) -> Option<&str> {
        self.rounds.trouble()
    }

    /// What everyone says of itself, ourselves included, in the order of ids.
    pub fn adverts(&self) -> impl Iterator<Item = &Heard> {
        self.membership.adverts()
    }

    /// Our own links.
    pub fn links(&self) -> impl Iterator<Item = &LinkReport> {
        self.membership.links()
    }

    /// Whether a peer is here, as far as we know.
    pub fn is_alive(&self, peer: NodeId) -> bool {
        self.membership.is_alive(peer, self.id())
    }

    /// Whether a member of the live plan holds its share of it, as far as we know.
    pub fn holds(&self, member: NodeId) -> bool {
        let (own, live) = (self.rounds.held(), self.rounds.live_plan().map(|plan| plan.id));
        let held = if member == self.id() { own } else { self.membership.holds(member) };
        Some(held) == live
    }

    /// The plan and the pipeline of it that a request which was asked here runs through now.
    pub fn way(&self, request: RequestId) -> Option<(PlanId, u16)> {
        self.sessions.way(request)
    }

    /// Whether no session runs here, as an entry or in a stage; and, if we leave, whether those who
    /// stay can go on without us.
    pub fn is_idle(&self) -> bool {
        let needed =
            self.membership.is_missed(self.id()) && !self.council.can_do_without(self.id());
        self.sessions.is_idle() && !needed
    }

    /// Sessions and KV blocks here.
    pub fn load(&self) -> swarm_proto::Load {
        self.sessions.load()
    }
}

/// The machines, while one input is handled.
struct Parts<'a> {
    membership: &'a mut Membership,
    council: &'a mut Council,
    rounds: &'a mut Rounds,
    sessions: &'a mut Sessions,
}

impl Parts<'_> {
    fn dispatch(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Tick => {}
            Input::PeerUp(peer) => self.up(peer, turn),
            Input::PeerDown(peer) => {
                if self.membership.down(peer, turn) {
                    self.lost(peer, turn);
                }
            }
            Input::Received { from, message } => {
                self.heard_from(from, turn);
                self.receive(from, message, turn);
            }
            Input::Heard(advert) => {
                if self.membership.hear(advert, turn) {
                    self.rounds.lead.stir();
                }
            }
            Input::Undeliverable(peer) => {
                self.sessions.undelivered(peer, turn);
                let (rounds, mut world) = self.split();
                rounds.undelivered(peer, &mut world, turn);
            }
            Input::Arrived { from, header, body: Body(body) } => {
                self.heard_from(from, turn);
                self.sessions.arrived(from, header, body, turn);
            }
            Input::Measured(devices) => {
                self.membership.measured(devices);
                // Our own advert must be there before it is planned with.
                let advert = self.membership.own(self.sessions.load(), turn);
                turn.emit(Effect::Publish(advert));
                self.rounds.lead.stir();
            }
            Input::LinkMeasured(link) => self.membership.link_measured(link),
            Input::Persisted(ballot) => self.council.persisted(&ballot, turn),
            Input::Planned { request, outcome } => {
                let (rounds, mut world) = self.split();
                rounds.planned(request, outcome, &mut world, turn);
            }
            Input::Loaded { load, device, outcome } => {
                let (rounds, mut world) = self.split();
                rounds.loaded(load, device, outcome, &mut world, turn);
            }
            Input::Computed { device, job, outcome } => {
                let failed = matches!(outcome, Err(ComputeFault::Device));
                self.sessions.computed(device, job, outcome, turn);
                let (rounds, mut world) = self.split();
                rounds.computed(device, failed, &mut world, turn);
            }
            Input::Asked { request, ask } => self.sessions.asked(request, ask, turn),
            Input::Cancelled(request) => self.sessions.cancelled(request, turn),
            Input::Reachability { address, reachable } => {
                self.membership.tried(address, reachable);
            }
            Input::Drain => {
                self.membership.drain(turn);
                self.sessions.drain();
                self.rounds.lead.stir();
            }
        }
    }

    fn receive(&mut self, from: NodeId, message: Message, turn: &mut Turn<'_>) {
        match message {
            Message::Beat(pulse) => self.felt(from, &pulse, turn),
            Message::Session(message) => self.sessions.hear(from, message, turn),
            Message::Hello(hello) => self.greeted(from, hello, turn),
            Message::Council(message) => self.council.hear(from, message, turn),
            Message::Round(message) => {
                // The proof comes along, for whoever missed the election.
                if let RoundMessage::Propose { certificate, .. }
                | RoundMessage::Live { certificate, .. } = &message
                    && !self.council.certified(from, (**certificate).clone(), turn)
                {
                    return;
                }
                let (rounds, mut world) = self.split();
                rounds.hear(from, message, &mut world, turn);
            }
        }
    }

    fn up(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.membership.up(peer, turn) {
            self.sessions.found(peer);
            let advert = self.membership.own(self.sessions.load(), turn);
            let hello = self.rounds.hello(self.council, advert);
            turn.send(peer, hello);
            self.rounds.lead.stir();
        }
    }

    fn greeted(&mut self, from: NodeId, hello: Hello, turn: &mut Turn<'_>) {
        // It says so when it has just met us: whatever it kept of our sessions is gone.
        self.sessions.undelivered(from, turn);
        if self.membership.hear(*hello.advert, turn) {
            self.rounds.lead.stir();
        }
        let believed = hello.certificate.is_some_and(|c| self.council.certified(from, *c, turn));
        if let Some(plan) = hello.plan.filter(|_| believed) {
            let (rounds, mut world) = self.split();
            rounds.announced(from, *plan, &mut world, turn);
        }
    }

    /// A beat says how far a peer is. If it goes on lacking what we have, we send it.
    fn felt(&mut self, from: NodeId, pulse: &Pulse, turn: &mut Turn<'_>) {
        self.membership.felt(from, pulse.holds);
        self.sessions.felt(from, pulse.sessions, turn.now);
        let (rounds, mut world) = self.split();
        rounds.felt(from, pulse, &mut world, turn);
        let council = self.council.pulse() > (pulse.term, pulse.set);
        let lacks = council || self.rounds.could_help(from, pulse);
        if self.membership.lags(from, lacks && !self.council.is_other(from), turn) {
            if council {
                self.council.fill_in(from, pulse.set, turn);
            }
            self.rounds.help(from, pulse, self.council, turn);
        }
    }

    fn heard_from(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.membership.heard_from(peer, turn.now) {
            self.sessions.found(peer);
            // Back from the dead: we may both have missed something.
            let advert = self.membership.own(self.sessions.load(), turn);
            let hello = self.rounds.hello(self.council, advert);
            turn.send(peer, hello);
            self.rounds.lead.stir();
        }
    }

    fn lost(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        self.council.lost(peer, turn);
        self.sessions.lost(peer, turn);
        self.rounds.lead.stir();
    }

    /// What is due, and what follows from what has changed.
    fn tick(&mut self, turn: &mut Turn<'_>) {
        self.membership.belongs(self.council.origin());
        let load = self.sessions.load();
        let pulse = self.rounds.pulse(self.council.pulse(), load.sessions);
        let missed = self.membership.is_missed(turn.me());
        for peer in self.membership.tick(load, pulse, turn) {
            self.lost(peer, turn);
        }
        let late = missed && self.membership.is_overdue();
        if late && !self.council.can_do_without(turn.me()) {
            turn.emit(Effect::Notice(Notice::LeftInDebt));
        }
        self.council.tick(turn);
        self.tend(turn);
        self.sessions.tick(turn);
        if let Some(done) = self.sessions.take_canary() {
            let (rounds, mut world) = self.split();
            rounds.canary_done(done, &mut world, turn);
        }
        let (rounds, mut world) = self.split();
        rounds.tick(&mut world, turn);
        rounds.proceed(&mut world, turn);
    }

    /// The set of voters is tended by whoever leads.
    fn tend(&mut self, turn: &mut Turn<'_>) {
        if !self.council.leads(turn.me()) {
            return;
        }
        let (me, leaves) = (turn.me(), self.membership.leaves());
        let alive: Vec<_> = self
            .membership
            .here(me)
            .map(|advert| Candidate {
                node: advert.node,
                reachable: advert.reachable,
                up_ms: advert.up_ms,
                stays: !(advert.draining || leaves && advert.node == me),
            })
            .collect();
        if leaves || alive.iter().any(|candidate| candidate.node == me) {
            self.council.tend(&alive, turn);
        }
    }

    fn split(&mut self) -> (&mut Rounds, World<'_>) {
        let Self { membership, council, rounds, sessions } = self;
        (rounds, World { membership, council, sessions })
    }
}
