//! The file of a log, read frame by frame.

use std::io::{self, Read};

use swarm_core::{
    Input,
    record::{Claim, Fault, Frame, Head, OPENING, Outcome},
};
use swarm_proto::Time;

use super::Ending;

/// Why a log cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be read.
    #[error("at byte {offset} the log cannot be read: {error}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// It is not what a node wrote.
    #[error("at byte {offset}: {fault}")]
    Fault {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong.
        fault: Fault,
    },
    /// It ends before there is a core to play it through.
    #[error("the log ends at byte {offset}, before it says what node it is of")]
    Empty {
        /// Where.
        offset: u64,
    },
    /// The core panicked, as it may have done then.
    #[error("the core panicked at input {number}, at byte {offset} of the log: {input}")]
    Panicked {
        /// The how-manieth.
        number: u64,
        /// Where in the log it is.
        offset: u64,
        /// What it was.
        input: String,
    },
    /// Frames that do not follow each other.
    #[error(
        "at byte {offset}: {found} where {expected} should be: the log was put together wrongly"
    )]
    Order {
        /// Where the frame begins.
        offset: u64,
        /// What is there.
        found: &'static str,
        /// What should be.
        expected: &'static str,
    },
}

/// What there is to do next.
pub(super) enum Entry {
    /// An input, with what came of it, if that was written.
    Input { offset: u64, at: Time, input: Box<Input>, outcome: Option<Outcome> },
    /// Nothing more.
    End(Ending),
}

/// A log, from where it has been read to.
pub(super) struct LogFile<R> {
    log: R,
    offset: u64,
    /// What was read too early.
    next: Option<Next>,
}

/// A frame and where it begins, or how the log ends without one.
type Next = Result<(u64, Frame), Ending>;

/// Bytes that were wanted: all of them, or those that there were before the end.
enum Got {
    All,
    Some(u64),
}

impl<R: Read> LogFile<R> {
    pub(super) fn open(log: R) -> Result<Self, ReplayError> {
        let mut file = Self { log, offset: 0, next: None };
        let mut opening = [0; OPENING.len()];
        let got = file.fill(&mut opening)?;
        match (got, Claim::opens(opening)) {
            // As much of it as there is says that it is one.
            (Got::Some(bytes), _) if OPENING.starts_with(&opening[..bytes as usize]) => {
                Err(ReplayError::Empty { offset: bytes })
            }
            (_, Err(fault)) => Err(ReplayError::Fault { offset: 0, fault }),
            (_, Ok(())) => Ok(file),
        }
    }

    /// The first frame.
    pub(super) fn head(&mut self) -> Result<Head, ReplayError> {
        let expected = "what the node is made of";
        match self.frame()? {
            Ok((_, Frame::Head(head))) => Ok(*head),
            Ok((offset, other)) => {
                Err(ReplayError::Order { offset, found: name(&other), expected })
            }
            Err(_) => Err(ReplayError::Empty { offset: self.offset }),
        }
    }

    pub(super) fn next(&mut self) -> Result<Entry, ReplayError> {
        let (offset, at, input) = match self.frame()? {
            Err(cut) => return Ok(Entry::End(cut)),
            Ok((_, Frame::End(end))) => return Ok(Entry::End(Ending::Said(end))),
            Ok((offset, Frame::Input(at, input))) => (offset, at, input),
            Ok((offset, other)) => {
                let (found, expected) = (name(&other), "an input");
                return Err(ReplayError::Order { offset, found, expected });
            }
        };
        let outcome = match self.frame()? {
            Ok((_, Frame::Outcome(outcome))) => Some(outcome),
            end @ (Ok((_, Frame::End(_))) | Err(_)) => {
                self.next = Some(end);
                None
            }
            Ok((offset, other)) => {
                let (found, expected) = (name(&other), "what came of the input");
                return Err(ReplayError::Order { offset, found, expected });
            }
        };
        Ok(Entry::Input { offset, at, input, outcome })
    }

    fn frame(&mut self) -> Result<Next, ReplayError> {
        if let Some(next) = self.next.take() {
            return Ok(next);
        }
        let begin = self.offset;
        let fault = |fault| ReplayError::Fault { offset: begin, fault };
        let mut claim = [0; Claim::BYTES];
        if let Got::Some(bytes) = self.fill(&mut claim)? {
            return Ok(Err(Ending::Cut { bytes }));
        }
        let claim = Claim::read(claim).map_err(fault)?;
        let mut content = Vec::new();
        // Room is made for what comes, not for what is claimed.
        let wanted = claim.content_bytes() as u64;
        let read = self.log.by_ref().take(wanted).read_to_end(&mut content);
        read.map_err(|error| ReplayError::Read { offset: self.offset, error })?;
        self.offset += content.len() as u64;
        if (content.len() as u64) < wanted {
            let bytes = self.offset - begin;
            return Ok(Err(Ending::Cut { bytes }));
        }
        let frame = claim.open(&content).map_err(fault)?;
        Ok(Ok((begin, frame)))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<Got, ReplayError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.log.read(&mut bytes[filled..]) {
                Ok(0) => return Ok(Got::Some(filled as u64)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReplayError::Read { offset: self.offset, error }),
            }
        }
        self.offset += filled as u64;
        Ok(Got::All)
    }
}

fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Head(_) => "what a node is made of",
        Frame::Input(..) => "an input",
        Frame::Outcome(_) => "what came of an input",
        Frame::End(_) => "an end",
    }
}
