//! A machine's port to the network, which all its ways share.

use std::time::Duration;

use swarm_proto::Time;

/// Frames leave it one after the other, and come in one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    /// Either way.
    bytes_per_s: f64,
    /// Until when it sends,
    sends: Time,
    /// and until when it takes, as senders' clocks would have it: without latencies, so that a frame
    /// from afar does not keep one from nearby waiting that comes sooner.
    takes: Time,
}

/// How long so many bytes take.
pub(super) fn writing(bytes: u64, bytes_per_s: f64) -> Duration {
    Duration::try_from_secs_f64(bytes as f64 / bytes_per_s).unwrap_or(Duration::MAX)
}

impl Port {
    /// A port that nothing goes through.
    pub(super) fn new(bytes_per_s: f64) -> Self {
        Self { bytes_per_s, sends: Time::ZERO, takes: Time::ZERO }
    }

    /// When a frame begins to leave that is handed over now, to a way of so many bytes a second. A way
    /// that was made faster than the port makes the port as fast.
    pub(super) fn send(&mut self, now: Time, bytes: u64, way: f64) -> Time {
        let begins = self.sends.max(now);
        self.sends = begins + writing(bytes, self.bytes_per_s.max(way));
        begins
    }

    /// How long a frame that was written then waits for others that come in.
    pub(super) fn take(&mut self, written: Time, bytes: u64, way: f64) -> Duration {
        self.takes = (self.takes + writing(bytes, self.bytes_per_s.max(way))).max(written);
        self.takes.since(written)
    }
}
