//! What entries and stages say to each other about one generation.
//!
//! Every message names its session and *attempt*: after a fault the entry opens the session anew
//! with the next attempt, and whatever still arrives for an earlier one is dropped. A token is
//! named by its *step*, its place in the answer, so no token is taken twice.

use bincode::{Decode, Encode};

use crate::{
    Hash, PlanId, Sampled, Sampling, SessionId,
    checked::{all, decode_checked},
};

/// One try at a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Attempt {
    /// Which session.
    pub session: SessionId,
    /// Which try at it, from 0.
    pub number: u32,
}

/// Between entry, stages and back.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum SessionMessage {
    /// Entry to every member node: make room.
    Open(Box<Open>),
    /// Member node to entry: there is room, and this many leading blocks are cached already.
    Opened {
        /// Of which try.
        attempt: Attempt,
        /// Leading KV blocks of the prompt found in the cache, the least over its devices.
        cached_blocks: u32,
        /// Blocks that the smallest of its devices has altogether: no session outgrows them.
        blocks_max: u32,
    },
    /// Entry to the first stage's leader: the tokens to compute, from `position` on.
    Prompt {
        /// Of which try.
        attempt: Attempt,
        /// Position of the first of them.
        position: u32,
        /// The tokens; the last of them is the last of the prompt only if `last`.
        tokens: Vec<u32>,
        /// Whether these end the prompt.
        last: bool,
    },
    /// Last stage's leader to the entry and the first stage's leader at once: the ring.
    Token(Token),
    /// Anyone to the entry: this try is over, and why.
    Fault {
        /// Of which try.
        attempt: Attempt,
        /// What happened.
        fault: Fault,
    },
    /// Entry to every member node: done; keep what is worth keeping.
    Close {
        /// Of which try.
        attempt: Attempt,
    },
}

/// Asks a member node to make room for a session.
#[derive(Clone, Debug, PartialEq, Encode)]
pub struct Open {
    /// Which try.
    pub attempt: Attempt,
    /// Under which plan.
    pub plan: PlanId,
    /// Which pipeline of it.
    pub pipeline: u16,
    /// Names of the prompt's full KV blocks: each the hash of all tokens up to its end; at most
    /// [`PREFIX_BLOCKS_MAX`].
    pub prefix: Vec<Hash>,
    /// Tokens in the prompt.
    pub prompt_tokens: u32,
    /// Tokens the answer has already, from earlier tries: they are part of the prompt now.
    pub step: u32,
    /// Tokens that prompt and answer may come to together.
    pub tokens_max: u32,
    /// How to choose tokens.
    pub sampling: Sampling,
    /// Tokens that end the answer; at most [`END_TOKENS_MAX`].
    pub end_tokens: Vec<u32>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Token {
    /// Of which try.
    pub attempt: Attempt,
    /// Its place in the answer, from 0.
    pub step: u32,
    /// The token.
    pub sampled: Sampled,
    /// Whether and why it is the last.
    pub finish: Option<Finish>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Finish {
    /// The model said so, or a stop string came.
    Stop,
    /// It reached the number of tokens asked for.
    Length,
}

/// Blocks that [`Open::prefix`] names at most, so that the message stays within its bound; a longer
/// prompt computes the rest.
pub const PREFIX_BLOCKS_MAX: usize = 1024;

/// Tokens that end an answer, at most; models have one to four.
pub const END_TOKENS_MAX: usize = 64;

impl Open {
    /// Refuses lists beyond their bounds. Decoding refuses the same.
    pub fn check(&self) -> Result<(), &'static str> {
        all([
            (self.prefix.len() <= PREFIX_BLOCKS_MAX, "a prefix of more than 1024 blocks"),
            (self.end_tokens.len() <= END_TOKENS_MAX, "more than 64 tokens that end the answer"),
        ])
    }
}

decode_checked!(Open {
    attempt,
    plan,
    pipeline,
    prefix,
    prompt_tokens,
    step,
    tokens_max,
    sampling,
    end_tokens,
});

/// Why a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Fault {
    /// Not under this plan: ask again under the live one.
    OtherPlan,
    /// No room in the KV cache now.
    Full,
    /// A device or a peer of the stage failed.
    Stage,
    /// The session is not known here: it was evicted or never opened.
    Unknown,
    /// The model computed something that is no number: trying again cannot help.
    Numbers,
    /// More tokens than the whole KV cache of a device: waiting cannot help.
    TooLong {
        /// What fits.
        tokens_max: u32,
    },
}
