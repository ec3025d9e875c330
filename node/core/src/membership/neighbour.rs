//! A neighbour: what it says with its beats, and what we want it to be.

use std::time::Duration;

use rand::RngExt;
use swarm_proto::{Bond, HOPS_UNKNOWN, Pulse, Time};

use crate::{Config, turn::Turn};

/// How many times as rarely a neighbour is beaten that need not notice at once if we are silent.
const SLOW: u32 = 8;
/// Words for voters that a neighbour may have us pass on, a second and at once.
const WORDS_PER_S: u64 = 16;
const WORDS_MAX: u64 = 64;

/// A peer that we have a connection with.
#[derive(Debug)]
pub(super) struct Neighbour {
    /// When it was heard last.
    pub(super) heard: Time,
    /// Since when it is connected.
    pub(super) since: Time,
    pub(super) lost: bool,
    /// If its beats show that it lacks something: when to send that.
    pub(super) lags: Option<Time>,
    /// What it said last.
    pub(super) pulse: Pulse,
    /// What we want it to be.
    pub(super) bond: Bond,
    /// Whether it is to notice at once if we are silent.
    pub(super) watches: bool,
    /// When it is to hear from us next.
    pub(super) beat_at: Time,
    /// Until when the words that it had us pass on count.
    words_until: Time,
}

impl Neighbour {
    pub(super) fn new(now: Time) -> Self {
        Self {
            heard: now,
            since: now,
            lost: false,
            lags: None,
            pulse: Pulse { hops: HOPS_UNKNOWN, fast: true, bond: Bond::Near, ..Pulse::default() },
            bond: Bond::Near,
            watches: false,
            beat_at: now,
            words_until: Time::ZERO,
        }
    }

    /// How long until its next beat.
    pub(super) fn pause(fast: bool, config: &Config) -> Duration {
        if fast { config.beat_every } else { config.beat_every * SLOW }
    }

    /// How long it may be silent.
    pub(super) fn silence_max(&self, config: &Config) -> Duration {
        if self.pulse.fast { config.silence_max } else { config.silence_max * SLOW }
    }

    /// Whether it is missed from now on. If we were stopped ourselves, its silence means nothing.
    pub(super) fn falls_silent(&mut self, late: bool, turn: &Turn<'_>) -> bool {
        if late {
            self.heard = turn.now;
        }
        let silence = turn.now.since(self.heard);
        let missed = !self.lost && silence >= self.silence_max(turn.config);
        self.lost |= missed;
        missed
    }

    /// It lacks something that we have, or nothing. It is not sent at once, for it may be on its way; in
    /// a large swarm others may send it too, so lots are drawn for who is first. Whether it is to be sent.
    pub(super) fn lags(&mut self, lacks: bool, large: bool, turn: &mut Turn<'_>) -> bool {
        if !lacks {
            self.lags = None;
        } else if self.lags.is_none() {
            let beats = if large { turn.rng.random_range(1..=3) } else { 2 };
            self.lags = Some(turn.now + beats * turn.config.beat_every);
        }
        lacks
    }

    /// Whether one more word of its is passed on.
    pub(super) fn may_speak(&mut self, now: Time) -> bool {
        let each = Duration::from_secs(1) / WORDS_PER_S as u32;
        let until = self.words_until.max(now) + each;
        let may = until.since(now) <= each * WORDS_MAX as u32;
        if may {
            self.words_until = until;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_passed_on_at_a_bounded_rate() {
        let mut neighbour = Neighbour::new(Time::ZERO);
        let mut passed = |from_ms: u64, to_ms: u64| {
            let times = (from_ms..to_ms).map(|ms| Time::ZERO + Duration::from_millis(ms));
            times.filter(|now| neighbour.may_speak(*now)).count()
        };
        assert_eq!(passed(0, 100), 65, "at once, and one more in a tenth of a second");
        assert!((155..=161).contains(&passed(100, 10_100)));
    }
}
