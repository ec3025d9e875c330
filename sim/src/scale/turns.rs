//! When peers go and come while a swarm rests: as spot machines did that Bamboo recorded, each fleet
//! of peers from a moment of its own.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{
    churn::ChurnTrace,
    shipped::{CHURNS, text},
};

/// Peers for whom one copy of the trace stands: about as many machines as it has at a time.
const FLEET: usize = 16;
/// How seldom one goes of the whole swarm, at most: in small swarms the trace is played faster.
const GOES_EVERY_MAX: Duration = Duration::from_secs(10);

/// One of a fleet goes, or comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// Since the swarm rests.
    pub(super) at: Duration,
    pub(super) fleet: usize,
    pub(super) goes: bool,
}

/// What happens to a swarm, the last first.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) fleets: usize,
    /// How many times as fast as it was recorded.
    pub(super) speed: f64,
    left: Vec<Turn>,
}

impl Turns {
    /// Of so many peers, for so long.
    pub(super) fn of(peers: usize, span: Duration, dice: &mut ChaCha8Rng) -> Self {
        let trace = text(CHURNS, "bamboo").and_then(|text| text.parse::<ChurnTrace>().ok());
        let stays = trace.map(|trace| trace.0).unwrap_or_default();
        let comes = stays.iter().map(|stay| (stay.from, false));
        let goes = stays.iter().filter_map(|stay| Some((stay.to?, true)));
        let events: Vec<(Duration, bool)> = comes.chain(goes).collect();
        let fleets = (peers / FLEET).max(1);
        let period = events.iter().map(|(at, _)| *at).max().unwrap_or_default().as_secs_f64();
        let goings = events.iter().filter(|(_, goes)| *goes).count();
        let goes_every_s = period / (goings * fleets).max(1) as f64;
        let speed = (goes_every_s / GOES_EVERY_MAX.as_secs_f64()).max(1.0);
        let mut left = Vec::new();
        for fleet in 0..fleets {
            let from = dice.random_range(0.0..period.max(1.0));
            for (recorded, goes) in &events {
                // After its end the trace begins anew.
                let first = (recorded.as_secs_f64() - from).rem_euclid(period);
                let times = (0..).map(|round| (first + f64::from(round) * period) / speed);
                let times = times.take_while(|at| *at < span.as_secs_f64());
                let turn = |at| Turn { at: Duration::from_secs_f64(at), fleet, goes: *goes };
                left.extend(times.map(turn));
            }
        }
        left.sort_unstable_by(|a, b| b.cmp(a));
        Self { fleets, speed, left }
    }

    /// The next that is due, if one is.
    pub(super) fn due(&mut self, since: Duration) -> Option<Turn> {
        self.left.pop_if(|turn| turn.at <= since)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Goings, comings and the speed of a swarm.
    fn told(peers: usize, seconds: u64) -> (usize, usize, f64) {
        let span = Duration::from_secs(seconds);
        let mut turns = Turns::of(peers, span, &mut ChaCha8Rng::seed_from_u64(7));
        let all: Vec<Turn> = std::iter::from_fn(|| turns.due(span)).collect();
        assert!(all.is_sorted() && all.iter().all(|turn| turn.fleet < turns.fleets));
        let goings = all.iter().filter(|turn| turn.goes).count();
        (goings, all.len() - goings, turns.speed)
    }

    #[test]
    fn a_swarm_of_fleets_loses_as_many_as_the_trace_does() {
        // 74 of 16 go in 38,760 s.
        let (goings, comings, speed) = told(16_000, 600);
        let expected = 74.0 / 38_760.0 * 1_000.0 * 600.0;
        assert!((goings as f64 / expected - 1.0).abs() < 0.15, "{goings} of {expected}");
        assert!(comings >= goings, "{comings} come of {goings}");
        assert_eq!(speed, 1.0);
    }

    #[test]
    fn of_a_small_swarm_one_goes_in_ten_seconds() {
        let (goings, _, speed) = told(10, 3_876);
        assert!((speed - 38_760.0 / 740.0).abs() < 1e-9, "{speed}");
        // Five times and a bit the whole trace.
        assert!((380..=390).contains(&goings), "{goings}");
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let span = Duration::from_secs(60);
        let mut turns = Turns::of(1_000, span, &mut ChaCha8Rng::seed_from_u64(1));
        let first = turns.left.last().copied().expect("someone goes or comes");
        assert_eq!(turns.due(first.at - Duration::from_nanos(1)), None);
        assert_eq!(turns.due(first.at), Some(first));
    }
}
