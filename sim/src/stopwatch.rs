//! What running takes of this machine. It decides nothing.

use std::time::{Duration, Instant};

/// Runs from when it is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    processor: Option<Duration>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), processor: processor() }
    }

    /// Time of the processor that this thread has had since, where the system tells it, since others
    /// may run beside it; else time.
    pub(crate) fn busy(&self) -> Duration {
        match (self.processor, processor()) {
            (Some(then), Some(now)) => now.saturating_sub(then),
            _ => self.wall(),
        }
    }

    /// Time since.
    pub(crate) fn wall(&self) -> Duration {
        self.wall.elapsed()
    }
}

/// Linux tells it in nanoseconds.
fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
