//! How often the ways to neighbours are measured. A measurement costs bytes, and a node that does
//! nothing is to cost its owner few.

use std::time::Duration;

/// Bytes of a measurement: long enough to outgrow the start of a stream, short enough to disturb nobody.
pub const PROBE_BYTES: usize = 1 << 20;
/// How often one way is measured, at most.
const PROBE_EVERY: Duration = Duration::from_secs(120);
/// Bytes a second that a node sends to measure its ways again, all together.
const PROBE_BYTES_PER_S: usize = 8 << 10;

/// How long a node with so many neighbours waits until it measures the way to one of them again: the
/// longer the more there are, so that all together keep to a budget.
pub fn probe_pause(neighbours: usize) -> Duration {
    let seconds = neighbours.saturating_mul(PROBE_BYTES / PROBE_BYTES_PER_S);
    PROBE_EVERY.max(Duration::from_secs(seconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_neighbours_there_are_measuring_keeps_to_its_budget() {
        for neighbours in [0, 1, 2, 18, 64, 2000] {
            let pause = probe_pause(neighbours);
            let bytes_per_s = (neighbours * PROBE_BYTES) as f64 / pause.as_secs_f64();
            assert!(bytes_per_s <= PROBE_BYTES_PER_S as f64, "{neighbours}: {bytes_per_s}");
            assert!(pause >= PROBE_EVERY, "{neighbours}: {pause:?}");
        }
        // An hour is the longest that a node of a large swarm waits, with about 20 neighbours.
        assert!(probe_pause(28) < Duration::from_secs(3600));
    }
}
