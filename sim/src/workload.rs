//! Requests that come: when, how long, and what of their prompts was said before.

mod drawn;
mod trace;

use std::time::Duration;

pub use drawn::{Arrivals, Drawn, Lengths};
pub use swarm_scheduler::TOKENS_MAX;
pub use trace::{Format, Trace, TraceError};

/// Requests of one workload, at most.
pub const REQUESTS_MAX: usize = 10_000_000;
/// Tokens of a block that prompts may share.
pub const PREFIX_TOKENS: u32 = 512;

/// A request that comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// How long after the first moment.
    pub at: Duration,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Names of the prompt's blocks of [`PREFIX_TOKENS`] tokens, the last of which may be cut short:
    /// prompts that begin with the same names begin with the same tokens. Empty if the prompt is like
    /// no other.
    pub prefix: Vec<u64>,
}

/// Requests that come sooner or later than they did: `speed` is how many times as fast, and only so
/// many from so long after the first moment on, for so long.
pub fn hurried(arrivals: Vec<Arrival>, speed: f64, from: Duration, span: Duration) -> Vec<Arrival> {
    let at = |arrival: &Arrival| arrival.at.div_f64(speed);
    let end = from.saturating_add(span);
    arrivals
        .into_iter()
        .map(|arrival| Arrival { at: at(&arrival), ..arrival })
        .skip_while(|arrival| arrival.at < from)
        .take_while(|arrival| arrival.at < end)
        .map(|arrival| Arrival { at: arrival.at - from, ..arrival })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hurried_trace_keeps_its_shape() {
        let arrival = |second| Arrival {
            at: Duration::from_secs(second),
            input_tokens: 1,
            output_tokens: second as u32,
            prefix: Vec::new(),
        };
        let all = (0..100).map(arrival).collect();
        let some = hurried(all, 2.0, Duration::from_secs(10), Duration::from_secs(5));
        let told: Vec<_> = some.iter().map(|a| (a.at.as_millis(), a.output_tokens)).collect();
        assert_eq!(told.first(), Some(&(0, 20)));
        assert_eq!(told.last(), Some(&(4_500, 29)));
        assert_eq!(told.len(), 10);
    }
}
