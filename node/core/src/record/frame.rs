//! Frames of a log: put together, and taken apart without trust.

use bincode::Encode;
use swarm_proto::{Hash, Time, codec};

use super::{End, Head, OPENING, Outcome, VERSION};
use crate::Input;

/// Bytes of a frame's content at most: a prompt of millions of tokens.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// What reading a frame allocates at most; numbers are shorter in a log than in memory.
const OPEN_BYTES_MAX: usize = 4 * FRAME_BYTES_MAX;

const HEAD: u8 = 0;
const INPUT: u8 = 1;
const OUTCOME: u8 = 2;
const END: u8 = 3;

/// Frames on their way to a log.
#[derive(Clone, Debug, Default)]
pub struct Frames(Vec<u8>);

/// A value that no frame can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it needs more than {FRAME_BYTES_MAX} bytes")]
pub struct TooLong;

impl Frames {
    /// The beginning of a log.
    pub fn opening(head: &Head) -> Result<Self, TooLong> {
        let mut frames = Self(OPENING.to_vec());
        frames.put(HEAD, head)?;
        Ok(frames)
    }

    /// An input that is about to be handled.
    pub fn input(&mut self, at: Time, input: &Input) -> Result<(), TooLong> {
        self.put(INPUT, &(at, input))
    }

    /// What came of it.
    pub fn outcome(&mut self, outcome: &Outcome) -> Result<(), TooLong> {
        self.put(OUTCOME, outcome)
    }

    /// The last frame.
    pub fn end(&mut self, end: &End) -> Result<(), TooLong> {
        self.put(END, end)
    }

    /// The bytes so far, which are here no longer.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn put(&mut self, kind: u8, value: &impl Encode) -> Result<(), TooLong> {
        let content = codec::encode(&(kind, value));
        if content.len() > FRAME_BYTES_MAX {
            return Err(TooLong);
        }
        self.0.extend((content.len() as u32).to_le_bytes());
        self.0.extend(check(&content));
        self.0.extend(content);
        Ok(())
    }
}

fn check(content: &[u8]) -> [u8; 4] {
    let Hash([a, b, c, d, ..]) = Hash::of(content);
    [a, b, c, d]
}

/// What is in a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// What the core is made of.
    Head(Box<Head>),
    /// Something it was handed, and when.
    Input(Time, Box<Input>),
    /// What came of the input before.
    Outcome(Outcome),
    /// Nothing follows.
    End(End),
}

/// Why bytes are no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something else altogether.
    #[error("this is no log of a node: it does not begin as one")]
    Foreign,
    /// A log, of another form.
    #[error(
        "a log of form {form} with messages of protocol {protocol}, but this program reads form \
         {VERSION} with protocol {}: use the hexswarm-sim that came with the node",
        codec::VERSION
    )]
    Version {
        /// The form of the log.
        form: u8,
        /// The version of the protocol.
        protocol: u8,
    },
    /// A frame that says it is longer than any frame.
    #[error("a frame says it has {bytes} bytes, and none has more than {FRAME_BYTES_MAX}")]
    Long {
        /// What it says.
        bytes: u32,
    },
    /// Not the bytes that were written.
    #[error("a frame of {bytes} bytes is damaged: they are not what was written")]
    Damaged {
        /// How long it is.
        bytes: usize,
    },
    /// What was written, but nothing that can be understood.
    #[error("a frame of {bytes} bytes cannot be understood: {reason}")]
    Malformed {
        /// How long it is.
        bytes: usize,
        /// Why not.
        reason: String,
    },
}

/// What the first bytes of a frame say of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    bytes: usize,
    check: [u8; 4],
}

impl Claim {
    /// How many bytes say it.
    pub const BYTES: usize = 8;

    /// Whether a file that begins so is a log that we can read.
    pub fn opens(opening: [u8; OPENING.len()]) -> Result<(), Fault> {
        let [name @ .., form, protocol] = opening;
        match () {
            () if opening == OPENING => Ok(()),
            () if OPENING.starts_with(&name) => Err(Fault::Version { form, protocol }),
            () => Err(Fault::Foreign),
        }
    }

    /// Reads it. A length that no frame has is refused here, before there is room for it.
    pub fn read([a, b, c, d, check @ ..]: [u8; Self::BYTES]) -> Result<Self, Fault> {
        let bytes = u32::from_le_bytes([a, b, c, d]);
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= FRAME_BYTES_MAX => Ok(Self { bytes, check }),
            _ => Err(Fault::Long { bytes }),
        }
    }

    /// How many bytes the content has.
    pub fn content_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the content apart.
    pub fn open(&self, content: &[u8]) -> Result<Frame, Fault> {
        let bytes = self.bytes;
        if content.len() != bytes || check(content) != self.check {
            return Err(Fault::Damaged { bytes });
        }
        let frame = match content {
            [HEAD, value @ ..] => read(value).map(|head| Frame::Head(Box::new(head))),
            [INPUT, value @ ..] => read(value).map(|(at, input)| Frame::Input(at, Box::new(input))),
            [OUTCOME, value @ ..] => read(value).map(Frame::Outcome),
            [END, value @ ..] => read(value).map(Frame::End),
            [kind, ..] => Err(format!("there is no kind {kind} of frames")),
            [] => Err("it is empty".to_owned()),
        };
        frame.map_err(|reason| Fault::Malformed { bytes, reason })
    }
}

fn read<T: bincode::Decode<()>>(value: &[u8]) -> Result<T, String> {
    codec::decode::<T, OPEN_BYTES_MAX>(value).map_err(|error| error.to_string())
}
