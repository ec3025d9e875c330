//! What happens, as scripts say it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use swarm_core::Ask;
use swarm_proto::Sampling;

use super::Seconds;
use crate::recipe::{Fault, What};

/// Something that happens to a swarm. Nodes and machines are counted from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// A client asks at a node.
    Ask(AskDeed),
    /// The client that has waited longest leaves.
    Leave,
    /// A node's process dies.
    Kill {
        /// Whose.
        node: usize,
    },
    /// The process of the node that leads a stage of the live plan dies.
    KillLeader {
        /// Which stage of the first pipeline; the last if there are fewer.
        stage: usize,
    },
    /// Whether everyone knows that the node that was killed last is dead, if it is, and for a second.
    Noticed,
    /// A node's machine is gone without a word.
    Vanish {
        /// Whose.
        node: usize,
    },
    /// All nodes that are dead are started.
    RestartDead,
    /// A node's process is stopped for a while.
    Pause {
        /// Whose.
        node: usize,
        /// For how long.
        for_s: Seconds,
        /// Whether its connections close meanwhile.
        closes: bool,
    },
    /// Nodes reach each other only within a side and outside of it.
    Partition {
        /// One side.
        side: Vec<usize>,
        /// Whether connections close, or fall silent.
        told: bool,
    },
    /// Two nodes do not reach each other.
    Cut {
        /// One.
        node: usize,
        /// The other.
        other: usize,
        /// Whether their connection closes, or falls silent.
        told: bool,
    },
    /// Messages from one node to another vanish.
    CutOneWay {
        /// From whom.
        node: usize,
        /// To whom.
        other: usize,
    },
    /// The way from one node to another is slow from now on: 1 MB/s.
    Slow {
        /// From whom.
        node: usize,
        /// To whom.
        other: usize,
        /// How long messages take, and at most half as long again.
        latency_s: Seconds,
        /// The part of them that is lost.
        loss: f64,
        /// Whether nobody says so.
        silent: bool,
    },
    /// The next loads of a device fail.
    FailLoads {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// How many.
        loads: u32,
    },
    /// The next batches of a device fail.
    FailBatches {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// How many.
        batches: u32,
    },
    /// A device takes so many times as long.
    SlowDevice {
        /// Whose.
        node: usize,
        /// Which.
        device: u8,
        /// How many times.
        factor: f64,
    },
    /// Gossip loses a part of the adverts.
    LoseGossip {
        /// Which part.
        part: f64,
    },
    /// A node leaves in good order.
    Drain {
        /// Who.
        node: usize,
    },
    /// All links are what they were.
    Heal,
    /// Nothing goes wrong any more, and whoever is dead is started.
    Calm,
    /// A machine fails while a workload is served.
    Fault(FaultDeed),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskDeed {
    /// Where.
    pub node: usize,
    /// The prompt.
    pub tokens: Vec<u32>,
    /// Tokens of the answer.
    pub answer_tokens: u32,
    /// 0 is greedy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub temperature: f32,
    /// Of the dice, if it is not greedy.
    #[serde(default, skip_serializing_if = "is_none")]
    pub seed: u64,
    /// 1 is none.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub repetition_penalty: f32,
}

fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

fn is_none(value: &u64) -> bool {
    *value == 0
}

fn one() -> f32 {
    1.0
}

fn is_one(value: &f32) -> bool {
    *value == 1.0
}

impl Deed {
    /// A client asks at a node.
    pub(crate) fn ask(node: usize, ask: Ask) -> Self {
        let Ask { tokens, answer_tokens_max, sampling, .. } = ask;
        let Sampling { temperature, seed, repetition_penalty, .. } = sampling;
        let answer_tokens = answer_tokens_max;
        Self::Ask(AskDeed { node, tokens, answer_tokens, temperature, seed, repetition_penalty })
    }
}

impl AskDeed {
    /// What the node is asked.
    pub(super) fn wanted(&self) -> Ask {
        let Self { temperature, seed, repetition_penalty, .. } = *self;
        Ask {
            tokens: self.tokens.clone(),
            answer_tokens_max: self.answer_tokens,
            sampling: Sampling { temperature, seed, repetition_penalty, ..Sampling::default() },
            end_tokens: Vec::new(),
        }
    }
}

/// A fault of a machine that serves a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultDeed {
    /// Which machine, by its number in the pool.
    pub machine: usize,
    /// What it does.
    pub does: What,
    /// After what time it is as before; never if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<Seconds>,
}

impl FaultDeed {
    pub(super) fn of(fault: &Fault) -> Self {
        let Fault { machine, does, lasts, .. } = fault.clone();
        Self { machine, does, for_s: lasts.map(Seconds) }
    }

    pub(super) fn at(&self, at: Duration) -> Fault {
        let Self { machine, does, for_s } = self.clone();
        Fault { at, machine, does, lasts: for_s.map(|Seconds(span)| span) }
    }
}
