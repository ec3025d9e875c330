//! Carries the world to [`swarm_core::Node`] and its wishes back. Decides nothing.
//!
//! One actor on a thread of its own. Everything that happens reaches it through two bounded
//! channels (inputs, and calls of this process's clients); everything the core wants goes to the
//! network, to a device's thread, to the planner, to disk, or to a client. What follows from an
//! effect at once, such as a queue that is full, is handed to the core after the effects in hand,
//! in order.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;
use bytes::Bytes;
use swarm_core::{Answer, Body, Effect, Input, Node, Notice, RequestId};
use swarm_proto::{NodeId, Time};
use tokio::{
    runtime::Handle as Runtime,
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    handle::Call,
    planner::Planner,
    recorder::Recorder,
    state::State,
    status::Status,
    sums::Exchange,
    view,
    wire::Wire,
    worker::{Job, Worker},
};

/// How often a refusal is logged, how many of one peer are in that time, and of how many peers.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);
const REFUSALS_OF_ONE_MAX: usize = 16;
const REFUSED_MAX: usize = 1024;
/// How often what the node knows is written down for whoever looks.
const STATUS_EVERY: Duration = Duration::from_millis(100);
/// How long to wait before a ballot that the disk did not take is written again.
const BALLOT_AGAIN: Duration = Duration::from_secs(5);

/// What the driver drives.
pub struct Driver {
    /// The mind.
    pub node: Node,
    /// The network.
    pub wire: Wire,
    /// A thread a device.
    pub workers: BTreeMap<u8, Worker>,
    /// Sums among the members of stages.
    pub exchange: Arc<Exchange>,
    /// Clients that wait for answers.
    pub clients: BTreeMap<RequestId, mpsc::Sender<Answer>>,
    /// Who writes down what the mind is handed, if anyone wants it.
    pub recorder: Option<Recorder>,
    /// Where the ballot is kept.
    pub state: Arc<State>,
    /// Where threads of this process say what happened.
    pub inputs: mpsc::Sender<Input>,
    /// Who looks for plans.
    pub planner: Planner,
    /// What follows from effects, in order.
    pub follow_ups: VecDeque<Input>,
    /// What peers were refused: since when it is remembered, and the reasons that were logged.
    pub refusals: BTreeMap<NodeId, (Instant, Vec<String>)>,
    /// What people see.
    pub status: watch::Sender<Arc<Status>>,
    /// What people see that does not change.
    pub about: view::About,
    /// The pool that the network and disk run on.
    pub runtime: Runtime,
    /// The clock's origin.
    pub started: Instant,
    /// When the alarm rings.
    pub armed: Time,
    /// The alarm.
    pub alarm: SpawnHandle,
}

/// Stop as soon as what runs has ended.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Attaches the two channels that everything comes in by.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Attach {
    /// What happened.
    pub inputs: mpsc::Receiver<Input>,
    /// What clients want.
    pub calls: mpsc::Receiver<Call>,
}

impl Actor for Driver {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.feed(Input::Tick, ctx);
        ctx.run_interval(STATUS_EVERY, |driver, _| driver.show());
    }
}

impl Handler<Attach> for Driver {
    type Result = ();

    fn handle(&mut self, channels: Attach, ctx: &mut Self::Context) {
        ctx.add_stream(ReceiverStream::new(channels.inputs));
        ctx.add_stream(ReceiverStream::new(channels.calls));
        // Whoever waits for this may look at the status at once.
        self.show();
    }
}

impl Handler<Drain> for Driver {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.feed(Input::Drain, ctx);
        // Whoever drains waits for `idle`, which must not be that of before.
        self.show();
    }
}

impl StreamHandler<Input> for Driver {
    fn handle(&mut self, input: Input, ctx: &mut Self::Context) {
        self.feed(input, ctx);
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<Call> for Driver {
    fn handle(&mut self, call: Call, ctx: &mut Self::Context) {
        match call {
            Call::Ask { request, ask, answers } => {
                self.clients.insert(request, answers);
                self.feed(Input::Asked { request, ask }, ctx);
            }
            Call::Cancel(request) => {
                self.clients.remove(&request);
                self.feed(Input::Cancelled(request), ctx);
            }
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Driver {
    fn now(&self) -> Time {
        Time::ZERO + self.started.elapsed()
    }

    fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.follow_ups.push_back(input);
        while let Some(input) = self.follow_ups.pop_front() {
            let now = self.now();
            if let Some(recorder) = &mut self.recorder {
                recorder.input(now, &input);
            }
            let effects: Vec<_> = self.node.handle(now, input).collect();
            if let Some(recorder) = &mut self.recorder {
                recorder.outcome(&effects);
            }
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
        if self.armed != self.node.deadline() {
            self.armed = self.node.deadline();
            ctx.cancel_future(self.alarm);
            let wait = self.armed.since(self.now());
            self.alarm = ctx.run_later(wait, |driver, ctx| {
                driver.armed = Time::NEVER;
                driver.feed(Input::Tick, ctx);
            });
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => match message.seal() {
                Ok(bytes) => self.sent(to, self.wire.send(to, bytes.into())),
                Err(error) => tracing::error!(?to, %error, "a message of ours is too long"),
            },
            Effect::Forward { to, header, body: Body(body) } => match header.seal() {
                Ok(head) => self.sent(to, self.wire.frame(to, head.into(), body)),
                Err(error) => tracing::error!(?to, %error, "a frame of ours is too long"),
            },
            Effect::Publish(advert) => self.publish(&advert),
            Effect::Wish { peers, others } => asked(self.wire.wish(&peers, others)),
            Effect::Part(peer) => asked(self.wire.part(peer)),
            Effect::Persist(ballot) => self.persist(ballot),
            Effect::Plan { request, pool } => self.planner.ask(request, pool),
            Effect::Load { load, plan, device, shard } => {
                self.exchange.form(plan, &shard);
                self.give(device, Job::Load { load, shard });
            }
            Effect::Unload { device } => self.give(device, Job::Unload),
            Effect::Compute { device, job, batch, input, group } => {
                self.give(device, Job::Compute { job, batch, input, group });
            }
            Effect::Answer { request, event } => self.answer(request, event),
            Effect::Absent(peer) => self.exchange.break_up_with(peer),
            Effect::Notice(notice) => self.notice(&notice),
        }
    }

    /// A queue that is full, or a peer that is gone, is something the core must know.
    fn sent(&mut self, to: NodeId, outcome: Result<(), swarm_net::SendError>) {
        if let Err(error) = outcome {
            tracing::debug!(?to, %error, "not sent");
            self.follow_ups.push_back(Input::Undeliverable(to));
        }
    }

    fn publish(&self, advert: &swarm_proto::Signed<swarm_proto::Advert>) {
        let sealed = swarm_proto::codec::seal(advert);
        let published = sealed.map(|bytes| self.wire.publish(Bytes::from(bytes)));
        if !matches!(published, Ok(Ok(()))) {
            tracing::warn!("our advert was not published; it will be again");
        }
    }

    /// The core asks for one ballot at a time, and until it is durable neither votes nor asks for
    /// another. The folder stays ours until the write is over, also while the node stops.
    fn persist(&self, ballot: Box<swarm_proto::Ballot>) {
        let (state, inputs) = (Arc::clone(&self.state), self.inputs.clone());
        self.runtime.spawn(async move {
            loop {
                let (state, writes) = (Arc::clone(&state), ballot.clone());
                let write = tokio::task::spawn_blocking(move || state.write_ballot(&writes));
                match write.await {
                    Ok(Ok(())) => return drop(inputs.send(Input::Persisted(ballot)).await),
                    Ok(Err(error)) => tracing::error!(%error, "cannot vote until this is mended"),
                    Err(_) => return, // the process ends
                }
                tokio::time::sleep(BALLOT_AGAIN).await;
            }
        });
    }

    fn give(&mut self, device: u8, job: Job) {
        let refused = match self.workers.get(&device) {
            Some(worker) => worker.give(job).err(),
            None => Some(job),
        };
        let follow_up = match refused {
            None => return,
            Some(Job::Unload) => return, // its thread has ended, and freed all
            Some(Job::Load { load, .. }) => {
                let outcome = Err(format!("device {device} takes no more jobs"));
                Input::Loaded { load, device, outcome }
            }
            Some(Job::Compute { job, .. }) => {
                let outcome = Err(swarm_core::ComputeFault::Device);
                Input::Computed { device, job, outcome }
            }
        };
        self.follow_ups.push_back(follow_up);
    }

    fn answer(&mut self, request: RequestId, event: Answer) {
        let over = matches!(event, Answer::Finished(_) | Answer::Failed(_));
        let heard = self.clients.get(&request).is_some_and(|to| to.try_send(event).is_ok());
        if over || !heard {
            self.clients.remove(&request);
        }
        if !heard && !over {
            // The client is gone, or so slow that it holds up nothing but itself.
            self.follow_ups.push_back(Input::Cancelled(request));
        }
    }

    /// Whether a refusal is to be logged: each once a minute, and so many of one peer in that time,
    /// for a peer can cause as many as it likes.
    fn is_news(&mut self, peer: NodeId, reason: &str) -> bool {
        self.refusals.retain(|_, (since, _)| since.elapsed() < REFUSALS_EVERY);
        if self.refusals.len() >= REFUSED_MAX && !self.refusals.contains_key(&peer) {
            return false;
        }
        let (_, logged) = self.refusals.entry(peer).or_insert_with(|| (Instant::now(), Vec::new()));
        if logged.len() >= REFUSALS_OF_ONE_MAX || logged.iter().any(|known| known == reason) {
            return false;
        }
        logged.push(reason.to_owned());
        if logged.len() == REFUSALS_OF_ONE_MAX {
            let peer = view::peer(peer);
            tracing::warn!(%peer, "is refused so often that the rest of this minute is not logged");
        }
        true
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Leader { leader, term } => {
                tracing::info!(leader = %view::peer(*leader), term = term.0, "leader");
            }
            Notice::Live(plan) => tracing::info!(%plan, "plan is live"),
            Notice::Infeasible(reason) => tracing::warn!(%reason, "no plan"),
            Notice::Lost(peer) => {
                self.exchange.break_up_with(*peer);
                tracing::warn!(peer = %view::peer(*peer), "lost");
            }
            Notice::LeftInDebt => tracing::warn!(
                "leaves although the others are not known to have votes enough to elect a leader: \
                 if status names voters that are gone, start one of them again"
            ),
            Notice::Refused { peer, reason } if !self.is_news(*peer, reason) => {}
            Notice::Refused { peer, reason } => {
                tracing::warn!(peer = %view::peer(*peer), %reason, "refused");
            }
            Notice::Stranded { ours, theirs } => tracing::error!(
                ours,
                theirs,
                "the set of voters changed while this node was away, and no peer can prove how: \
                 stop it and start it once with --rejoin and --join"
            ),
            Notice::OtherSwarm(peer) => tracing::warn!(
                peer = %view::peer(*peer),
                "another swarm of the same name is near; this one stays apart from it. To join it, \
                 restart this node with --join"
            ),
        }
    }

    fn show(&self) {
        let status = view::status(&self.about, &self.node, self.now());
        self.status.send_if_modified(|old| {
            let changed = **old != status;
            if changed {
                *old = Arc::new(status);
            }
            changed
        });
    }
}

/// The core says anew what it wishes for, and parts anew from whom nobody wants.
fn asked(outcome: Result<(), swarm_net::SendError>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "not asked of the network");
    }
}
