//! How many tokens came when, and from where: counted in slots of time, which grow as there are more
//! of them.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::Time;

/// Slots, times sources, at most.
const COUNTS_MAX: usize = 40_000;
/// How long the first slots are.
const SLOT: Duration = Duration::from_millis(50);

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The plan's place in a film, and the pipeline; none if there was no room for the plan.
    pub way: Option<(usize, u16)>,
    /// The machine that was asked.
    pub entry: usize,
}

/// Tokens, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    slot: Duration,
    counts: BTreeMap<(u64, Source), u32>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { slot: SLOT, counts: BTreeMap::new() }
    }
}

impl Tokens {
    pub(super) fn add(&mut self, at: Time, source: Source) {
        let slot = at.0 / self.slot.as_nanos() as u64;
        *self.counts.entry((slot, source)).or_default() += 1;
        while self.counts.len() > COUNTS_MAX {
            self.slot *= 2;
            let mut counts = BTreeMap::new();
            for ((slot, source), count) in std::mem::take(&mut self.counts) {
                *counts.entry((slot / 2, source)).or_default() += count;
            }
            self.counts = counts;
        }
    }

    /// How long a slot is.
    pub fn slot(&self) -> Duration {
        self.slot
    }

    /// How many came, each count with the time at which its slot begins.
    pub fn counts(&self) -> impl Iterator<Item = (Time, Source, u32)> {
        let begins = |slot: u64| Time(slot * self.slot.as_nanos() as u64);
        self.counts.iter().map(move |((slot, source), count)| (begins(*slot), *source, *count))
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.counts.values().map(|count| u64::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_grow_and_no_token_is_lost() {
        let mut tokens = Tokens::default();
        let many = 3 * COUNTS_MAX as u64;
        for number in 0..many {
            let source = Source { way: Some((0, (number % 2) as u16)), entry: 0 };
            tokens.add(Time(number * SLOT.as_nanos() as u64), source);
        }
        assert!(tokens.counts.len() <= COUNTS_MAX, "{}", tokens.counts.len());
        assert_eq!(tokens.all(), many);
        assert_eq!(tokens.slot(), 8 * SLOT, "three slots a count, twice for two sources");
        let times: Vec<Time> = tokens.counts().map(|(at, ..)| at).collect();
        assert!(times.is_sorted());
    }
}
