//! Carries the world to [`swarm_core::Node`] and its wishes back. Decides nothing.
//!
//! One actor on a thread of its own. Everything that happens reaches it through two bounded
//! channels (inputs, and calls of this process's clients); everything the core wants goes to the
//! network, to a device's thread, to the planner's thread, to disk, or to a client.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;
use bytes::Bytes;
use dashmap::DashMap;
use swarm_core::{Answer, Effect, Input, Node, Notice, RequestId};
use swarm_net::Net;
use swarm_proto::{NodeId, PlanId, Time};
use tokio::{
    runtime::Handle as Runtime,
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    fixed::FixedPlan,
    handle::Call,
    state::write_ballot,
    status::Status,
    sums::Exchange,
    view,
    worker::{Job, Worker},
};

/// How often what the node knows is written down for whoever looks.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// What the driver drives.
pub struct Driver {
    /// The mind.
    pub node: Node,
    /// The network.
    pub net: Net,
    /// A thread a device.
    pub workers: BTreeMap<u8, Worker>,
    /// Sums among the members of stages.
    pub exchange: Arc<Exchange>,
    /// Clients that wait for answers.
    pub clients: Arc<DashMap<RequestId, mpsc::Sender<Answer>>>,
    /// Where the ballot is kept.
    pub ballot_file: PathBuf,
    /// Where threads of this process say what happened.
    pub inputs: mpsc::Sender<Input>,
    /// A plan to use in place of the planner's.
    pub fixed: Option<FixedPlan>,
    /// What people see.
    pub status: watch::Sender<Arc<Status>>,
    /// What people see that does not change.
    pub about: view::About,
    /// The pool that the network, planning and disk run on.
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
    }
}

impl Handler<Drain> for Driver {
    type Result = ();

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) {
        self.feed(Input::Drain, ctx);
    }
}

impl StreamHandler<Input> for Driver {
    fn handle(&mut self, input: Input, ctx: &mut Self::Context) {
        if let Input::PeerDown(peer) = input {
            self.exchange.lost(peer);
        }
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
        let effects: Vec<_> = self.node.handle(self.now(), input).collect();
        for effect in effects {
            self.perform(effect, ctx);
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

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Send { to, message } => match message.seal() {
                Ok(bytes) => self.sent(to, self.net.send(to, bytes.into())),
                Err(error) => tracing::error!(?to, %error, "a message of ours is too long"),
            },
            Effect::Forward { to, header, body } => match header.seal() {
                Ok(head) => self.sent(to, self.net.frame(to, head.into(), body)),
                Err(error) => tracing::error!(?to, %error, "a frame of ours is too long"),
            },
            Effect::Publish(advert) => self.publish(&advert),
            Effect::Persist(ballot) => self.persist(ballot),
            Effect::Plan { request, pool } => self.plan(request, pool),
            Effect::Load { plan, device, shard } => {
                self.exchange.form(plan, &shard);
                self.give(device, Job::Load { plan, shard }, ctx);
            }
            Effect::Unload { device } => self.give(device, Job::Unload, ctx),
            Effect::Compute { device, job, batch, input, group } => {
                self.give(device, Job::Compute { job, batch, input, group }, ctx);
            }
            Effect::Answer { request, event } => self.answer(request, event, ctx),
            Effect::Notice(notice) => self.notice(&notice),
        }
    }

    /// A queue that is full, or a peer that is gone, is something the core must know.
    fn sent(&self, to: NodeId, outcome: Result<(), swarm_net::SendError>) {
        if let Err(error) = outcome {
            tracing::debug!(?to, %error, "not sent");
            self.later(Input::Undeliverable(to));
        }
    }

    fn publish(&self, advert: &swarm_proto::Signed<swarm_proto::Advert>) {
        let sealed = swarm_proto::codec::seal(advert);
        let published = sealed.map(|bytes| self.net.publish(Bytes::from(bytes)));
        if !matches!(published, Ok(Ok(()))) {
            tracing::warn!("our advert was not published; it will be again");
        }
    }

    fn persist(&self, ballot: swarm_proto::Ballot) {
        let (path, inputs) = (self.ballot_file.clone(), self.inputs.clone());
        self.runtime.spawn_blocking(move || match write_ballot(&path, &ballot) {
            Ok(()) => drop(inputs.blocking_send(Input::Persisted(ballot))),
            // Without a durable ballot this node must not vote, so it is not told that it is one.
            Err(error) => tracing::error!(%error, "cannot vote: the ballot was not written"),
        });
    }

    fn plan(&self, request: u64, pool: Box<swarm_proto::Pool>) {
        let (inputs, fixed) = (self.inputs.clone(), self.fixed.clone());
        self.runtime.spawn_blocking(move || {
            let outcome = match fixed {
                Some(fixed) => fixed.plan(&pool),
                None => swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default())
                    .map(|found| found.plan)
                    .map_err(|error| error.to_string()),
            };
            drop(inputs.blocking_send(Input::Planned { request, outcome }));
        });
    }

    fn give(&mut self, device: u8, job: Job, ctx: &mut Context<Self>) {
        let refused = match self.workers.get(&device) {
            Some(worker) => worker.give(job).err(),
            None => Some(job),
        };
        match refused {
            None | Some(Job::Unload) => {}
            Some(Job::Load { plan, .. }) => self.unloaded(plan, device, ctx),
            Some(Job::Compute { job, .. }) => {
                let outcome = Err(swarm_core::ComputeFault::Device);
                self.feed(Input::Computed { device, job, outcome }, ctx);
            }
        }
    }

    fn unloaded(&mut self, plan: PlanId, device: u8, ctx: &mut Context<Self>) {
        let outcome = Err(format!("device {device} takes no more jobs"));
        self.feed(Input::Loaded { plan, device, outcome }, ctx);
    }

    fn answer(&mut self, request: RequestId, event: Answer, ctx: &mut Context<Self>) {
        let over = matches!(event, Answer::Finished(_) | Answer::Failed(_));
        let heard = self.clients.get(&request).is_some_and(|to| to.try_send(event).is_ok());
        if over || !heard {
            self.clients.remove(&request);
        }
        if !heard && !over {
            // The client is gone, or so slow that it holds up nothing but itself.
            self.feed(Input::Cancelled(request), ctx);
        }
    }

    fn notice(&self, notice: &Notice) {
        match notice {
            Notice::Leader { leader, term } => {
                tracing::info!(leader = %view::peer(*leader), term = term.0, "leader");
            }
            Notice::Live(plan) => tracing::info!(%plan, "plan is live"),
            Notice::Infeasible(reason) => tracing::warn!(%reason, "no plan"),
            Notice::Lost(peer) => {
                self.exchange.lost(*peer);
                tracing::warn!(peer = %view::peer(*peer), "lost");
            }
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

    /// Feeds an input after the one in hand. The channel is bounded, so waiting for room is left
    /// to a task of its own.
    fn later(&self, input: Input) {
        let inputs = self.inputs.clone();
        self.runtime.spawn(async move { inputs.send(input).await });
    }
}
