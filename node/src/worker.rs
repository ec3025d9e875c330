//! A device's own thread: it holds the engine, takes one job after the other, and tells the driver
//! what came of each. An engine that panics is dropped; the thread goes on, for the core waits for
//! an answer to every job.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use swarm_core::{Body, ComputeFault, Computed, GroupKey, Input, Shard};
use swarm_engine::{Alone, Collective, DeviceSpec, Engine, EngineError, Output, Weights};
use swarm_proto::Batch;
use tokio::sync::mpsc;

use crate::sums::Exchange;

/// Jobs that may wait. The core gives a device one batch at a time; beside it, only a change of
/// shard can be under way.
const JOBS_MAX: usize = 8;

/// Something for the device to do.
#[derive(Debug)]
pub enum Job {
    /// Hold this share of the model instead of what is held now.
    Load {
        /// To be repeated in the answer.
        load: u64,
        /// Which share.
        shard: Shard,
    },
    /// Hold nothing.
    Unload,
    /// Compute a batch.
    Compute {
        /// To be repeated in the answer.
        job: u64,
        /// The rows.
        batch: Batch,
        /// Their activations; `None` where tokens are embedded.
        input: Option<Body>,
        /// Whose sums belong together.
        group: Option<GroupKey>,
    },
}

/// A device's thread, seen from the driver. Dropping it ends the thread after its last job.
#[derive(Debug)]
pub struct Worker {
    jobs: SyncSender<Job>,
    latest: Arc<AtomicU64>,
    /// An [`Job::Unload`] that found the queue full: it comes before the next job.
    unload: Arc<AtomicBool>,
}

/// What a device is, and what its thread needs.
pub struct Bench {
    /// Its number on this host.
    pub device: u8,
    /// What it is.
    pub spec: DeviceSpec,
    /// Memory it may use.
    pub memory_bytes: u64,
    /// The model's files.
    pub weights: Arc<Weights>,
    /// Where sums are exchanged.
    pub exchange: Arc<Exchange>,
    /// Where answers go.
    pub inputs: mpsc::Sender<Input>,
}

/// What the thread holds.
struct Held {
    shard: Shard,
    engine: Box<dyn Engine>,
    /// Whether it failed a batch.
    failed: bool,
}

impl Worker {
    /// Starts the thread.
    pub fn start(bench: Bench) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(JOBS_MAX);
        let latest = Arc::new(AtomicU64::new(0));
        let newest = Arc::clone(&latest);
        let unload = Arc::new(AtomicBool::new(false));
        let due = Arc::clone(&unload);
        let name = format!("device-{}", bench.device);
        thread::Builder::new().name(name).spawn(move || bench.work(&queue, &newest, &due))?;
        Ok(Self { jobs, latest, unload })
    }

    /// Hands the thread a job; an error gives it back.
    pub fn give(&self, job: Job) -> Result<(), Job> {
        if let Job::Load { load, .. } = &job {
            self.latest.store(*load, Ordering::Relaxed);
        }
        match self.jobs.try_send(job) {
            Err(TrySendError::Full(Job::Unload)) => {
                self.unload.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Err(job),
            Ok(()) => Ok(()),
        }
    }
}

impl Bench {
    fn work(self, queue: &Receiver<Job>, newest: &AtomicU64, unload: &AtomicBool) {
        swarm_engine::step_back();
        let mut held = None;
        while let Ok(job) = queue.recv() {
            if unload.swap(false, Ordering::Relaxed) {
                held = None;
            }
            let answer = match job {
                Job::Unload => {
                    held = None;
                    continue;
                }
                Job::Load { load, shard } => {
                    if load < newest.load(Ordering::Relaxed) {
                        continue; // the core waits for a later one
                    }
                    // Of an engine that failed it is not known why: it is opened anew.
                    let keep = |held: &Held| !held.failed && held.shard.same_weights(&shard);
                    held = held.filter(keep); // frees its memory before the next one takes any
                    let outcome = if held.is_some() { Ok(()) } else { self.load(shard, &mut held) };
                    Input::Loaded { load, device: self.device, outcome }
                }
                Job::Compute { job, batch, input, group } => {
                    let engine = held.as_mut().map(|held| &mut *held.engine);
                    let compute = || self.compute(engine, &batch, input, group);
                    let computed = catch_unwind(AssertUnwindSafe(compute));
                    if let (Ok(Err(ComputeFault::Device)), Some(held)) = (&computed, &mut held) {
                        held.failed = true;
                    }
                    let outcome = computed.unwrap_or_else(|_| {
                        held = None; // whatever state it is in
                        Err(ComputeFault::Device)
                    });
                    Input::Computed { device: self.device, job, outcome }
                }
            };
            if self.inputs.blocking_send(answer).is_err() {
                return; // the driver has stopped
            }
        }
    }

    fn load(&self, shard: Shard, held: &mut Option<Held>) -> Result<(), String> {
        let opened = catch_unwind(AssertUnwindSafe(|| self.open(&shard)));
        let engine = opened
            .map_err(|_| "the engine panicked: see the log".to_owned())?
            .map_err(|error| error.to_string())?;
        *held = Some(Held { shard, engine, failed: false });
        Ok(())
    }

    fn open(&self, shard: &Shard) -> Result<Box<dyn Engine>, EngineError> {
        let share = swarm_engine::Shard {
            layers: shard.layers,
            kv_heads: shard.kv_heads,
            ffn_columns: shard.ffn_columns,
            embeds: shard.embeds,
            heads: shard.samples,
            leads: shard.leads,
            kv_blocks: shard.kv_blocks,
        };
        swarm_engine::open(&self.spec, Arc::clone(&self.weights), share, self.memory_bytes)
    }

    fn compute(
        &self,
        engine: Option<&mut (dyn Engine + 'static)>,
        batch: &Batch,
        input: Option<Body>,
        group: Option<GroupKey>,
    ) -> Result<Computed, ComputeFault> {
        let engine = engine.ok_or(ComputeFault::Device)?;
        let mut seat;
        let members: &mut dyn Collective = match group {
            None => &mut Alone,
            Some(key) => {
                seat = self.exchange.seat(key, self.device).ok_or(ComputeFault::Group)?;
                &mut seat
            }
        };
        match engine.forward(batch, input.as_ref().map(|Body(rows)| rows), members) {
            Ok(Output::Activations(rows)) => Ok(Computed::Activations(Body(rows))),
            Ok(Output::Samples(samples)) => Ok(Computed::Samples(samples)),
            Ok(Output::Nothing) => Ok(Computed::Nothing),
            Err(error) => {
                tracing::warn!(device = self.device, %error, "a batch was not computed");
                Err(match error {
                    EngineError::Collective(_) => ComputeFault::Group,
                    EngineError::Overflow { .. } => ComputeFault::Numbers,
                    _ => ComputeFault::Device,
                })
            }
        }
    }
}
