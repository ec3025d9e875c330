//! Plans, one at a time, on a thread that may take its time and that an ending process does not
//! wait for.
//!
//! Only the latest question is answered: the core has given up those before it, and searches that
//! nobody waits for must not pile up.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use swarm_core::Input;
use swarm_proto::{Plan, Pool};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

use crate::fixed::FixedPlan;

/// Where questions go. Dropping it ends the planner after its last answer.
#[derive(Debug)]
pub struct Planner(watch::Sender<Option<Question>>);

#[derive(Clone, Debug)]
struct Question {
    request: u64,
    pool: Box<Pool>,
}

impl Planner {
    /// A planner that answers to `inputs`; with a fixed plan, always with that one.
    pub fn start(fixed: Option<FixedPlan>, inputs: mpsc::Sender<Input>) -> io::Result<Self> {
        let (questions, asked) = watch::channel(None);
        let runtime = Handle::current();
        let answers = move || runtime.block_on(answer(asked, fixed, inputs));
        thread::Builder::new().name("planner".to_owned()).spawn(answers)?;
        Ok(Self(questions))
    }

    /// Asks for a plan, in place of what was asked for and not begun.
    pub fn ask(&self, request: u64, pool: Box<Pool>) {
        self.0.send_replace(Some(Question { request, pool }));
    }
}

async fn answer(
    mut asked: watch::Receiver<Option<Question>>,
    fixed: Option<FixedPlan>,
    inputs: mpsc::Sender<Input>,
) {
    while asked.changed().await.is_ok() {
        let Some(Question { request, pool }) = asked.borrow_and_update().clone() else { continue };
        let planned = catch_unwind(AssertUnwindSafe(|| plan(fixed.as_ref(), &pool)));
        let outcome = planned.unwrap_or_else(|_| Err("the planner failed: see the log".to_owned()));
        if inputs.send(Input::Planned { request, outcome }).await.is_err() {
            return; // the driver has stopped
        }
    }
}

fn plan(fixed: Option<&FixedPlan>, pool: &Pool) -> Result<Plan, String> {
    match fixed {
        Some(fixed) => fixed.plan(pool).map(|plan| swarm_scheduler::predicted(pool, plan)),
        None => swarm_scheduler::plan(pool, &swarm_scheduler::Options::default())
            .map(|found| found.plan)
            .map_err(|error| error.to_string()),
    }
}
