//! The node: hands each input to the machine it concerns.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use swarm_proto::{
    Ballot, Heard, Hello, LinkReport, Message, NodeId, Plan, PlanId, Pulse, RoundMessage, Term,
    Time, Word,
};

use crate::{
    Body, ComputeFault, Config, Effect, Input, Notice, RequestId, Router,
    climb::{Climbers, Taken},
    council::{Candidate, Council},
    keys::Keys,
    membership::Membership,
    neighbourhood::{Kin, Neighbourhood},
    round::{Rounds, World},
    session::Sessions,
    turn::Turn,
};

/// How often the leader of a large swarm looks for better voters.
const TEND_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// A node's mind. See the crate's front page.
pub struct Node {
    config: Config,
    keys: Box<dyn Keys>,
    rng: ChaCha8Rng,
    started: bool,
    membership: Membership,
    neighbourhood: Neighbourhood,
    climbers: Climbers,
    council: Council,
    rounds: Rounds,
    sessions: Sessions,
    known: Known,
    /// When we want to be woken, as of the last input that could change it.
    wake: Time,
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
            neighbourhood: Neighbourhood::default(),
            climbers: Climbers::default(),
            council: Council::new(ballot),
            rounds: Rounds::default(),
            sessions: Sessions::default(),
            known: Known::default(),
            wake: Time::ZERO,
            effects: Vec::new(),
        }
    }

    /// The same, with a router of one's own in place of [`Soonest`](crate::Soonest). It is no part of a
    /// [`Config`]: code cannot be written down, so whoever replays such a node must bring it again.
    pub fn routed_by(mut self, router: Box<dyn Router>) -> Self {
        self.sessions.routed_by(router);
        self
    }

    /// Takes in one input and gives out what follows from it.
    pub fn handle(&mut self, now: Time, input: Input) -> impl Iterator<Item = Effect> {
        self.take(now, input);
        self.effects.drain(..)
    }

    /// The same; what follows goes to the end of `effects`, and is moved but once.
    pub fn handle_into(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, effects);
        self.take(now, input);
        std::mem::swap(&mut self.effects, effects);
    }

    fn take(&mut self, now: Time, input: Input) {
        let Self { config, keys, rng, started, effects, .. } = self;
        let turn = &mut Turn { now, config, keys: &**keys, rng, effects };
        if !std::mem::replace(started, true) {
            self.council.start(turn);
        }
        let mut parts = Parts {
            membership: &mut self.membership,
            neighbourhood: &mut self.neighbourhood,
            climbers: &mut self.climbers,
            council: &mut self.council,
            rounds: &mut self.rounds,
            sessions: &mut self.sessions,
            known: &mut self.known,
        };
        if turn.now < self.wake && parts.knows(&input, turn) {
            return;
        }
        parts.dispatch(input, turn);
        parts.tick(turn);
        self.wake = self.next();
    }

    /// When this node wants an [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Time {
        self.wake
    }

    fn next(&self) -> Time {
        let rest = self.membership.deadline().min(self.rounds.deadline());
        self.council.deadline(self.id(), rest.min(self.sessions.deadline()))
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

    /// Whether a client's request waits or runs here.
    pub fn knows(&self, request: RequestId) -> bool {
        self.sessions.knows(request)
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

/// What was known when the last input was handled: if it changes there is something to tell.
#[derive(Debug, Default)]
struct Known {
    council: (Term, u64),
    word: (PlanId, Term),
    /// Which changes of the view, and which set of voters, were looked at for a better set.
    tended: Option<(u64, u64)>,
    tend_at: Time,
}

/// The machines, while one input is handled.
struct Parts<'a> {
    membership: &'a mut Membership,
    neighbourhood: &'a mut Neighbourhood,
    climbers: &'a mut Climbers,
    council: &'a mut Council,
    rounds: &'a mut Rounds,
    sessions: &'a mut Sessions,
    known: &'a mut Known,
}

impl Parts<'_> {
    /// Whether this is only a beat that says what the last one said: most are, and all that follows is
    /// that its author is here, and as busy as it says.
    fn knows(&mut self, input: &Input, turn: &Turn<'_>) -> bool {
        let Input::Received { from, message: Message::Beat(pulse) } = input else { return false };
        if self.council.leads(turn.me()) {
            let lacks = lacks(self.council, self.rounds, *from, pulse);
            if lacks || !self.rounds.expects(pulse, self.council) {
                return false;
            }
        }
        let Some(before) = self.membership.felt_again(*from, pulse, turn.now) else { return false };
        // Who holds sessions is heard anew each time: what was sent there since counts beside them.
        if before.max(pulse.sessions) > 0 {
            self.sessions.felt(*from, pulse.sessions, turn.now);
        }
        true
    }

    fn dispatch(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Tick => {}
            Input::PeerUp(peer) => self.up(peer, turn),
            Input::PeerDown(peer) => self.down(peer, turn),
            Input::Received { from, message } => {
                self.heard_from(from, turn);
                self.receive(from, message, turn);
            }
            Input::Heard(advert) => {
                if self.membership.hear(*advert, turn) == Some(true) {
                    self.rounds.lead.stir();
                }
            }
            Input::Undeliverable(peer) => {
                self.sessions.undelivered(peer, turn);
                let (rounds, mut world) = self.split();
                rounds.undelivered(peer, &mut world, turn);
                if self.climbers.called(peer) && !self.membership.is_neighbour(peer) {
                    self.report(peer, turn);
                }
            }
            Input::Arrived { from, header, body: Body(body) } => {
                self.heard_from(from, turn);
                self.sessions.arrived(from, header, body, turn);
            }
            Input::Measured(devices) => {
                self.membership.measured(devices);
                // Our own advert must be there before it is planned with.
                self.membership.own(self.sessions.load(), turn);
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
            Message::Climb(climb) => {
                let Self { climbers, council, membership, .. } = self;
                let taken = climbers.heard(from, climb, council, membership, turn);
                self.taken(taken, turn);
            }
            Message::Meet(meet) => self.neighbourhood.told(meet, self.membership, turn),
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
            self.greet(peer, turn);
            if self.membership.size.is_large() {
                self.neighbourhood.introduce(peer, self.membership, turn);
            }
            self.rounds.lead.stir();
        }
    }

    /// Tells a peer who we are and what we know. In a large swarm a beat shows first what it lacks.
    fn greet(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let advert = self.membership.own(self.sessions.load(), turn);
        let hello = match self.membership.size.is_large() {
            true => {
                Message::Hello(Hello { certificate: None, plan: None, advert: Box::new(advert) })
            }
            false => self.rounds.hello(self.council, advert),
        };
        turn.send(peer, hello);
    }

    fn down(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        let missed = self.membership.watches(peer) && !self.membership.is_lost(peer);
        let news = self.membership.down(peer, turn);
        self.neighbourhood.lost(peer);
        if self.membership.size.is_large() {
            // Who is not connected may well be here: a try finds out.
            self.sessions.found(peer);
            if news {
                self.sessions.undelivered(peer, turn);
                self.council.lost(peer, turn);
                self.rounds.lead.stir();
            }
        } else if news {
            self.lost(peer, turn);
        }
        if missed {
            self.report(peer, turn);
        }
    }

    /// Tells voters that a peer has gone that we watched.
    fn report(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.membership.size.is_large() {
            let gone = self.climbers.gone(peer, turn);
            self.say(gone, turn);
        }
    }

    fn say(&mut self, word: Word, turn: &mut Turn<'_>) {
        let Self { climbers, council, membership, .. } = self;
        let taken = climbers.say(word, council, membership, turn);
        self.taken(taken, turn);
    }

    /// What a word for voters came to here.
    fn taken(&mut self, Taken { news, gone }: Taken, turn: &mut Turn<'_>) {
        if let Some(peer) = gone {
            self.council.lost(peer, turn);
            self.sessions.undelivered(peer, turn);
        }
        if news {
            self.rounds.lead.stir();
        }
    }

    fn greeted(&mut self, from: NodeId, hello: Hello, turn: &mut Turn<'_>) {
        // It says so when it has just met us: whatever it kept of our sessions is gone.
        self.sessions.undelivered(from, turn);
        if self.membership.hear(*hello.advert, turn) == Some(true) {
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
        self.membership.size.hear(pulse.term, pulse.census, turn.config);
        self.sessions.felt(from, pulse.sessions, turn.now);
        let (rounds, mut world) = self.split();
        rounds.felt(from, pulse, &mut world, turn);
        let lacks = lacks(self.council, self.rounds, from, pulse);
        self.membership.felt(from, pulse, lacks, turn);
    }

    /// Sends those who lag what they lack.
    fn help(&mut self, turn: &mut Turn<'_>) {
        for (peer, pulse) in self.membership.laggards(turn.now) {
            if self.council.pulse() > (pulse.term, pulse.set) {
                self.council.fill_in(peer, pulse.set, turn);
            }
            self.rounds.help(peer, &pulse, self.council, turn);
        }
    }

    /// In a large swarm who hears something passes it on.
    fn pass_on(&mut self, turn: &mut Turn<'_>) {
        let (council, word) = (self.council.pulse(), self.rounds.word(self.council));
        if (council, word) == (self.known.council, self.known.word) {
            return;
        }
        self.membership.size.follow(council.0);
        let live = word.0 != self.known.word.0;
        (self.known.council, self.known.word) = (council, word);
        if !self.membership.size.is_large() {
            return;
        }
        if live && let Some(plan) = self.rounds.live_plan() {
            // Whoever leads counts on them.
            let here = plan.members().filter(|member| !self.membership.is_lost(member.node));
            here.for_each(|member| self.sessions.found(member.node));
        }
        let Self { membership, council, rounds, .. } = self;
        membership.news(|peer, pulse| lacks(council, rounds, peer, pulse), turn);
    }

    fn heard_from(&mut self, peer: NodeId, turn: &mut Turn<'_>) {
        if self.membership.heard_from(peer, turn.now) {
            self.sessions.found(peer);
            // Back from the dead: we may both have missed something.
            self.greet(peer, turn);
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
        let missed = self.membership.leaves() && self.membership.is_missed(turn.me());
        self.pass_on(turn);
        if self.membership.beat_is_due(turn.now) {
            self.beat(turn);
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

    /// Several times a second: neighbours hear from us, and those that went silent are missed.
    fn beat(&mut self, turn: &mut Turn<'_>) {
        let me = turn.me();
        self.membership.knows_all(self.council.is_told(me));
        self.help(turn);
        let leads = self.council.leads(me);
        let due = self.neighbourhood.is_due(turn.now);
        if leads && (due || self.membership.size.census().number == 0) {
            self.membership.count(turn);
        }
        if due {
            self.neighbours(turn);
        }
        let hops = if self.council.is_told(me) { 0 } else { self.membership.hops() };
        let census = self.membership.size.census();
        let load = self.sessions.load();
        let pulse = Pulse { census, hops, ..self.rounds.pulse(self.council, load.sessions) };
        if leads && due {
            for peer in self.climbers.doubted(turn.now) {
                turn.send(peer, Message::Beat(pulse));
            }
        }
        for peer in self.membership.beat(pulse, turn) {
            self.lost(peer, turn);
            if self.membership.watches(peer) {
                self.report(peer, turn);
            }
        }
        if let Some(advert) = self.membership.advertise(load, turn) {
            match self.membership.size.is_large() {
                true => self.say(Word::Advert(Box::new(advert)), turn),
                false => turn.emit(Effect::Publish(Box::new(advert))),
            }
        }
        self.climbers.tick(self.council, self.membership, turn);
    }

    /// Looks after whom we are connected with.
    fn neighbours(&mut self, turn: &mut Turn<'_>) {
        if !self.membership.size.is_large() {
            return self.neighbourhood.rest(self.membership, turn);
        }
        let mut kin = Kin::default();
        self.rounds.kin(turn.me(), self.council, &mut kin);
        kin.close.extend(self.sessions.partners().filter(|peer| *peer != turn.me()).take(64));
        self.neighbourhood.tend(&kin, self.membership, turn);
    }

    /// The set of voters is tended by whoever leads, when the view has changed.
    fn tend(&mut self, turn: &mut Turn<'_>) {
        if !self.council.leads(turn.me()) {
            self.known.tended = None;
            return;
        }
        let seen = (self.membership.changes(), self.council.pulse().1);
        let large = self.membership.size.is_large();
        if self.known.tended == Some(seen) || large && turn.now < self.known.tend_at {
            return;
        }
        if !self.council.could_tend() {
            return;
        }
        self.known.tended = Some(seen);
        self.known.tend_at = turn.now + TEND_EVERY;
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
        let Self { membership, council, rounds, sessions, .. } = self;
        (rounds, World { membership, council, sessions })
    }
}

/// Whether a peer lacks something that we have, as its beat shows.
fn lacks(council: &Council, rounds: &Rounds, peer: NodeId, pulse: &Pulse) -> bool {
    let behind = council.pulse() > (pulse.term, pulse.set);
    (behind || rounds.could_help(peer, pulse, council)) && !council.is_other(peer)
}
