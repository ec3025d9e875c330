//! Nodes' own clocks: each began at a time of its own, and goes a little fast or slow.

use swarm_proto::Time;

const MILLION: i128 = 1_000_000;

/// The clock of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// What it says when the world begins, in nanoseconds.
    pub(crate) began_ns: u64,
    /// By how many millionths it is fast.
    pub(crate) fast_ppm: i32,
}

impl Clock {
    /// What it says at a time of the world.
    pub(crate) fn says(self, world: Time) -> Time {
        if self == Self::default() {
            return world; // as it nearly always is
        }
        let gone = i128::from(world.0) * self.rate() / MILLION;
        let says = i128::from(self.began_ns) + gone;
        Time(u64::try_from(says).unwrap_or(u64::MAX))
    }

    /// When it first says so. Earlier, a node would find that its alarm rang too soon, and wait for
    /// ever.
    pub(crate) fn when(self, says: Time) -> Time {
        if says == Time::NEVER || self == Self::default() {
            return says;
        }
        let gone = says.0.saturating_sub(self.began_ns);
        let world = (i128::from(gone) * MILLION + self.rate() - 1) / self.rate();
        Time(u64::try_from(world).unwrap_or(u64::MAX))
    }

    /// Nanoseconds that it goes on in a million.
    fn rate(self) -> i128 {
        (MILLION + i128::from(self.fast_ppm)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_rings_at_the_first_moment_that_it_is_set_for() {
        for fast_ppm in [-100_000, -37, 0, 1, 100_000] {
            let clock = Clock { began_ns: 3_600_000_000_123, fast_ppm };
            let mut last = Time::ZERO;
            for world in (0..2_000u64).map(|n| Time(n * n * 1_000_003 + n)) {
                let says = clock.says(world);
                assert!(says >= last, "it went back");
                last = says;
                let alarm = Time(says.0 + 777);
                let rings = clock.when(alarm);
                assert!(clock.says(rings) >= alarm, "{fast_ppm}: too soon");
                assert!(rings.0 == 0 || clock.says(Time(rings.0 - 1)) < alarm, "{fast_ppm}: late");
            }
        }
        let clock = Clock { began_ns: 500, fast_ppm: 0 };
        assert_eq!((clock.says(Time(7)), clock.when(Time(507))), (Time(507), Time(7)));
        assert_eq!((clock.when(Time(3)), clock.when(Time::NEVER)), (Time::ZERO, Time::NEVER));
        let same = Clock::default();
        assert_eq!((same.says(Time(7)), same.when(Time(7))), (Time(7), Time(7)));
    }
}
