//! A machine's port to the network, which all its ways share.

use std::{collections::VecDeque, time::Duration};

use swarm_proto::Time;

/// Frames leave it one after the other, and come in one after the other.
#[derive(Clone, Debug)]
pub(super) struct Port {
    /// Either way.
    bytes_per_s: f64,
    /// Until when it sends.
    sends: Time,
    /// When it takes what comes, in order and apart, as senders' clocks would have it: without
    /// latencies, which are the same for all that is between two machines. A frame may find room
    /// before others that were sent sooner and are long under way.
    takes: VecDeque<(Time, Time)>,
}

/// How long so many bytes take.
pub(super) fn writing(bytes: u64, bytes_per_s: f64) -> Duration {
    Duration::try_from_secs_f64(bytes as f64 / bytes_per_s).unwrap_or(Duration::MAX)
}

impl Port {
    /// A port that nothing goes through.
    pub(super) fn new(bytes_per_s: f64) -> Self {
        Self { bytes_per_s, sends: Time::ZERO, takes: VecDeque::new() }
    }

    /// When a frame begins to leave that is handed over now, to a way of so many bytes a second. A way
    /// that was made faster than the port makes the port as fast.
    pub(super) fn send(&mut self, now: Time, bytes: u64, way: f64) -> Time {
        let begins = self.sends.max(now);
        self.sends = begins + writing(bytes, self.bytes_per_s.max(way));
        begins
    }

    /// How long a frame that was written then waits for others that come in; now it is not later.
    pub(super) fn take(&mut self, now: Time, written: Time, bytes: u64, way: f64) -> Duration {
        let span = writing(bytes, self.bytes_per_s.max(way));
        while self.takes.front().is_some_and(|(_, end)| *end <= now) {
            self.takes.pop_front();
        }
        let mut begin = Time(written.0.saturating_sub(span.as_nanos() as u64));
        let mut place = self.takes.partition_point(|(_, end)| *end <= begin);
        while let Some((_, end)) = self.takes.get(place).filter(|(next, _)| *next < begin + span) {
            begin = *end;
            place += 1;
        }
        self.takes.insert(place, (begin, begin + span));
        (begin + span).since(written)
    }
}
