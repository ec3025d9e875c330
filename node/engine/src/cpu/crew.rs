//! The threads of an engine.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use crate::EngineError;

/// Threads of an engine, at most: more than any processor has, and a bound for what a
/// configuration file can ask for.
const THREADS_MAX: usize = 1024;

/// The threads of an engine. Which of them does a task is chance; what a task computes is not.
#[derive(Debug)]
pub(super) struct Crew {
    /// None for a single thread, which is the caller's own.
    pool: Option<Arc<ThreadPool>>,
    threads: usize,
}

/// How much a computing thread steps back for others on the machine.
const NICE: i32 = 5;

/// Lets the calling thread step back for others: on a busy machine peers must go on hearing from
/// this one while it computes, and its owner's programs come first. Where the system does not
/// allow it, nothing changes.
pub fn step_back() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

impl Crew {
    pub(super) fn new(threads: usize) -> Result<Self, EngineError> {
        if !(1..=THREADS_MAX).contains(&threads) {
            let words = format!("cpu with {threads} threads, expected 1 to {THREADS_MAX}");
            return Err(EngineError::Device(words));
        }
        let build = || {
            let name = |index| format!("engine-{index}");
            let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
            pool.start_handler(|_| step_back()).build().map(Arc::new)
        };
        let pool = (threads > 1).then(build).transpose();
        let pool = pool.map_err(|error| EngineError::Device(format!("no threads: {error}")))?;
        Ok(Self { pool, threads })
    }

    /// The threads. From one of them the others are at hand; from without, each task has to wake
    /// them and be waited for.
    pub(super) fn pool(&self) -> Option<Arc<ThreadPool>> {
        self.pool.clone()
    }

    /// How many things a task should take, so that `len` of them make a few tasks a thread.
    pub(super) fn share(&self, len: usize, multiple: usize) -> usize {
        let tasks = if self.threads == 1 { 1 } else { 4 * self.threads };
        len.div_ceil(tasks).next_multiple_of(multiple).max(multiple)
    }

    /// Does every task, and whether all of them said yes.
    pub(super) fn all<T: Send>(
        &self,
        tasks: Vec<T>,
        work: impl Fn(T) -> bool + Sync + Send,
    ) -> bool {
        match &self.pool {
            // No short cut on the first no: every task is done, whoever does them.
            None => tasks.into_iter().map(work).fold(true, |all, one| all & one),
            Some(pool) => pool.install(|| {
                let done = tasks.into_par_iter().with_max_len(1).map(work);
                done.reduce(|| true, |all, one| all & one)
            }),
        }
    }

    /// Does every task.
    pub(super) fn each<T: Send>(&self, tasks: Vec<T>, work: impl Fn(T) + Sync + Send) {
        self.all(tasks, |task| {
            work(task);
            true
        });
    }
}
