//! What a live node recorded, played again through the same core.
//!
//! Nothing is made up here: every input comes from the log, at the time it came at, and what the
//! core wants done is compared with what it wanted then. Nobody does it.

mod file;
mod keys;
mod peers;
mod tally;

use std::{
    collections::VecDeque,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use swarm_core::{
    Effect, Input, Node, Router,
    record::{Digest, End, Head, Outcome},
};
use swarm_proto::{Signature, Time};

use crate::log::Log;
pub use file::ReplayError;
use file::{Entry, LogFile};
use keys::RecordedKeys;
pub use peers::Peers;
pub use tally::{Led, Tally, kind};

/// A log that is being played.
pub struct Replay<R> {
    file: LogFile<R>,
    node: Node,
    head: Head,
    signatures: Arc<Mutex<VecDeque<Signature>>>,
    /// What came after the time that was played to.
    next: Option<Entry>,
    played: u64,
    end: Option<Ending>,
}

/// How a log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It says so itself.
    Said(End),
    /// The process was killed, or still writes: so many bytes at the end are no whole frame.
    Cut {
        /// Bytes that were not read.
        bytes: u64,
    },
}

/// An input, and what came of it this time.
#[derive(Clone, Debug)]
pub struct Step {
    /// The how-manieth, from 1.
    pub number: u64,
    /// Where in the log it is.
    pub offset: u64,
    /// When it came.
    pub at: Time,
    /// What it is.
    pub input: Input,
    /// What the core wants done.
    pub effects: Vec<Effect>,
    /// Whether that is what it wanted when it was recorded; unknown of an input that was being
    /// handled when the log ended.
    pub same: Option<bool>,
}

impl<R: Read> Replay<R> {
    /// Begins with the head of a log.
    pub fn open(log: R) -> Result<Self, ReplayError> {
        let mut file = LogFile::open(log)?;
        let head = file.head()?;
        let signatures = Arc::default();
        let keys = RecordedKeys { node: head.node, signatures: Arc::clone(&signatures) };
        let Head { config, seed, ballot, .. } = head.clone();
        let node = Node::new(config, Box::new(keys), seed, ballot);
        Ok(Self { file, node, head, signatures, next: None, played: 0, end: None })
    }

    /// The same through another router: that of the node that was recorded, if it had one of its own
    /// (a log does not say), or one that is to be tried. It is to be told before anything is played.
    pub fn routed_by(self, router: Box<dyn Router>) -> Self {
        Self { node: self.node.routed_by(router), ..self }
    }

    /// What the core is made of.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How the log ended, once it has.
    pub fn end(&self) -> Option<&Ending> {
        self.end.as_ref()
    }

    /// Plays the next input; `None` at the log's end, or when the next came after `until`.
    pub fn step(&mut self, until: Time) -> Result<Option<Step>, ReplayError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let next = self.next.take().map_or_else(|| self.file.next(), Ok)?;
        let (offset, at, input, outcome) = match next {
            Entry::Input { at, .. } if at > until => {
                self.next = Some(next);
                return Ok(None);
            }
            Entry::Input { offset, at, input, outcome } => (offset, at, *input, outcome),
            Entry::End(ending) => {
                self.end = Some(ending);
                return Ok(None);
            }
        };
        self.played += 1;
        let (digest, signed) = match outcome {
            Some(Outcome { effects, signatures }) => (Some(effects), signatures),
            None => (None, Vec::new()),
        };
        *self.signatures.lock().unwrap_or_else(PoisonError::into_inner) = signed.into();
        // What a node died of is what a log is for. It is not played on after that.
        let handle = AssertUnwindSafe(|| self.node.handle(at, input.clone()).collect());
        let effects: Vec<Effect> = catch_unwind(handle).map_err(|_| ReplayError::Panicked {
            number: self.played,
            offset,
            input: format!("{input:?}"),
        })?;
        let same = digest.map(|digest| digest == Digest::of(&effects));
        Ok(Some(Step { number: self.played, offset, at, input, effects, same }))
    }
}

/// Writes steps in the form of a simulation's event log.
#[derive(Debug)]
pub struct ReplayLog(Log);

impl ReplayLog {
    /// A log of what this node was handed. Peers get numbers, itself 0.
    pub fn of(head: &Head) -> Self {
        Self(Log::of_a_recording(Peers::of(head.node)))
    }

    /// The lines of one step.
    pub fn lines(&mut self, step: &Step, node: swarm_proto::NodeId) -> String {
        self.0.input(step.at, node, &step.input);
        for effect in &step.effects {
            match effect {
                Effect::Notice(notice) => self.0.note(step.at, node, "notice", notice),
                Effect::Answer { request, event } => {
                    self.0.note(step.at, node, "answer", &(request.0, event));
                }
                _ => {}
            }
        }
        self.0.take()
    }
}
