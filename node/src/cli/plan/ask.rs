//! What a plan is asked to be good at, from the flags.

use std::fmt;

use clap::ValueEnum;
use color_eyre::eyre::eyre;
use swarm_scheduler::{Objective, Planner, Workload};

/// Which search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Search {
    /// The best there is
    Default,
    /// The best of replicas that share nothing, as a swarm can run them
    Replicas,
    /// HexGen's: K-means, then merge, split and swap
    Hexgen,
    /// HexGen's baseline: changes at random
    HexgenRandom,
    /// HexGen with one degree and equal layers for all stages of a pipeline
    Symmetric,
    /// Petals': servers of one device take the layers that are served least
    Petals,
    /// Helix': the placement with the largest flow
    Helix,
    /// HexGen-2's: prompts and answers on devices of their own
    Hexgen2,
    /// Parallax': few stages, layers by speed
    Parallax,
    /// Every partition: for a few devices
    Exhaustive,
}

impl From<Search> for Planner {
    fn from(search: Search) -> Self {
        match search {
            Search::Default => Self::Default,
            Search::Replicas => Self::Replicas,
            Search::Hexgen => Self::Hexgen,
            Search::HexgenRandom => Self::HexgenRandom,
            Search::Symmetric => Self::Symmetric,
            Search::Petals => Self::Petals,
            Search::Helix => Self::Helix,
            Search::Hexgen2 => Self::Hexgen2,
            Search::Parallax => Self::Parallax,
            Search::Exhaustive => Self::Exhaustive,
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// What a planner's plans must have and ours need not.
pub(super) fn demands(planner: Planner) -> &'static str {
    match planner {
        Planner::Petals => "its servers are single devices, and each must hold a layer",
        Planner::Symmetric => "its pipelines have one degree and equal layers for all stages",
        Planner::Helix => "its servers are all of one degree, and at most 128",
        Planner::Parallax => "its servers all have the largest degree that a machine has room for",
        Planner::Hexgen2 => "it has some groups of devices for prompts and others for answers",
        _ => "its replicas share nothing, and fewer ways to lay them out are tried",
    }
}

/// What a plan is to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Aim {
    /// Requests that meet the deadline
    Slo,
    /// Requests a second
    Throughput,
    /// The time of one request
    Latency,
}

/// A deadline: seconds, or times what eight A100 take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Deadline {
    /// Milliseconds.
    Ms(f64),
    /// Times the reference.
    Times(f64),
}

/// Of a prompt and of an answer.
const TOKENS_MAX: u32 = 1 << 20;
/// Neither a deadline nor a rate is more.
const FIGURE_MAX: f64 = 1e9;

/// Above nothing, and not absurd.
fn figure(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x| (f64::MIN_POSITIVE..=FIGURE_MAX).contains(x))
}

/// Reads `5s`, `800ms` or `5x`.
pub(super) fn deadline(text: &str) -> Result<Deadline, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    match (figure(&text[..text.len() - unit.len()]), unit) {
        (Some(x), "s") => Ok(Deadline::Ms(x * 1e3)),
        (Some(x), "ms") => Ok(Deadline::Ms(x)),
        (Some(x), "x") => Ok(Deadline::Times(x)),
        _ => Err(format!(
            "write 5s, 800ms, or 5x for five times what eight A100 take; from above 0 to {FIGURE_MAX:e}"
        )),
    }
}

/// Reads `IN,OUT` or `IN,OUT,RATE`.
pub(super) fn workload(text: &str) -> Result<Workload, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (tokens, rate) = match parts[..] {
        [input, output] => ((input, output), Some(None)),
        [input, output, rate] => ((input, output), figure(rate).map(Some)),
        _ => return Err("write IN,OUT or IN,OUT,RATE, such as 512,128,0.5".to_owned()),
    };
    let count = |text: &str| text.parse::<u32>().ok().filter(|n| (1..=TOKENS_MAX).contains(n));
    match (count(tokens.0), count(tokens.1), rate) {
        (Some(input_tokens), Some(output_tokens), Some(requests_per_s)) => {
            Ok(Workload { input_tokens, output_tokens, requests_per_s })
        }
        _ => Err(format!(
            "IN and OUT are from 1 to {TOKENS_MAX} tokens, RATE is above 0 and at most {FIGURE_MAX:e} \
             requests a second"
        )),
    }
}

/// The objective, and the deadline as milliseconds.
pub(super) fn objective(
    aim: Option<Aim>,
    deadline: Option<Deadline>,
    reference_ms: impl Fn() -> Option<f64>,
) -> color_eyre::Result<Objective> {
    let aim = aim.unwrap_or(if deadline.is_some() { Aim::Slo } else { Aim::Throughput });
    Ok(match (aim, deadline) {
        (Aim::Throughput, _) => Objective::Throughput,
        (Aim::Latency, _) => Objective::Latency,
        (Aim::Slo, Some(Deadline::Ms(deadline_ms))) => Objective::Slo { deadline_ms },
        (Aim::Slo, times) => {
            let times = match times {
                Some(Deadline::Times(times)) => times,
                _ => 5.0,
            };
            let reference = reference_ms();
            let reference = reference.ok_or_else(|| {
                eyre!("the model does not fit eight A100, whose time --slo {times}x counts: give seconds")
            })?;
            Objective::Slo { deadline_ms: times * reference }
        }
    })
}
