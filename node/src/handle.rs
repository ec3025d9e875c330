//! How the rest of the process talks to the node's mind: ask, and look.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use swarm_core::{Answer, Ask, RequestId};
use tokio::sync::{mpsc, watch};

use crate::status::Status;

/// News of one request that may wait for a slow client, and memory is taken only for what waits. A
/// client that falls behind further has its session ended. It is more than a fast model says while
/// a busy host lets nobody read.
pub const ANSWERS_MAX: usize = 4096;

/// What clients of this process want of the driver.
#[derive(Debug)]
pub enum Call {
    /// Answer this; news goes to `answers`.
    Ask {
        /// What to call it.
        request: RequestId,
        /// What is wanted.
        ask: Ask,
        /// Where news goes.
        answers: mpsc::Sender<Answer>,
    },
    /// Nobody listens any more.
    Cancel(RequestId),
}

/// A way to the driver that anyone may hold.
#[derive(Clone, Debug)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
    status: watch::Receiver<Arc<Status>>,
    next: Arc<AtomicU64>,
}

/// The node takes no more calls: too many wait, or it is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node is busy: try again, or ask another")]
pub struct Busy;

/// A request under way. Dropping it frees the session at once.
#[derive(Debug)]
pub struct Answering {
    request: RequestId,
    answers: mpsc::Receiver<Answer>,
    calls: mpsc::Sender<Call>,
    over: bool,
}

impl Handle {
    /// A handle that sends to `calls` and looks at `status`.
    pub fn new(calls: mpsc::Sender<Call>, status: watch::Receiver<Arc<Status>>) -> Self {
        Self { calls, status, next: Arc::default() }
    }

    /// Asks for an answer.
    pub fn ask(&self, ask: Ask) -> Result<Answering, Busy> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
        self.calls.try_send(Call::Ask { request, ask, answers }).map_err(|_| Busy)?;
        let calls = self.calls.clone();
        Ok(Answering { request, answers: receiver, calls, over: false })
    }

    /// What the node knows now.
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// The same, to wait for changes of.
    pub fn watch(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }
}

impl Answering {
    /// The next news; `None` once the answer is over, or if the node stopped.
    pub async fn next(&mut self) -> Option<Answer> {
        let answer = self.answers.recv().await;
        self.over |= matches!(answer, None | Some(Answer::Finished(_) | Answer::Failed(_)));
        answer
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.over {
            // A full channel means the driver is behind; it then finds `answers` closed.
            let _ = self.calls.try_send(Call::Cancel(self.request));
        }
    }
}
