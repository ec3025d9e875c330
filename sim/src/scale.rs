//! How a swarm fares that does nothing but be there, by its size: what that costs each peer, and how
//! long it takes to notice a death, to agree on another leader and to have a plan that serves.

mod play;
mod turns;

use std::time::Duration;

use serde::Serialize;

use crate::{Broken, Carried, Setup, World, rank};

/// Devices that hold layers, at most: the rest of the peers have too little memory for one.
const HOLDERS_MAX: usize = 24;
const MIB: u64 = 1 << 20;

/// A swarm to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Its peers.
    pub peers: usize,
    /// How long it is looked at.
    pub span: Duration,
    /// What all that is drawn is drawn by.
    pub seed: u64,
}

/// Mean, 99th percentile and most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Among {
    /// The mean.
    pub mean: f64,
    /// 99 of 100 have no more.
    pub p99: f64,
    /// The most that any has.
    pub max: f64,
}

/// What was seen. Times are simulated unless they are called wall.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scaled {
    /// Peers.
    pub peers: usize,
    /// How long traffic was counted.
    pub span_s: f64,
    /// Control messages a second that a peer sends and receives together; voters are not among them.
    pub messages_per_s: Among,
    /// Control bytes a second that a peer sends.
    pub sent_bytes_per_s: Among,
    /// Control bytes a second that a peer receives.
    pub received_bytes_per_s: Among,
    /// Control bytes a second that a voter sends or receives, whichever is more.
    pub voter_bytes_per_s: Among,
    /// Bytes a second that a peer sends to measure its ways to others, beside control.
    pub probe_bytes_per_s: Among,
    /// Connections of a peer.
    pub neighbours: Among,
    /// Peers in the view of one that does not vote.
    pub entries: Among,
    /// How many times as fast as it was recorded peers went and came.
    pub churn_speed: f64,
    /// Deaths while traffic was counted, and those that somebody noticed.
    pub deaths: usize,
    /// Of these, noticed by somebody.
    pub noticed: usize,
    /// Milliseconds until the first peer noticed a death.
    pub noticed_ms: Among,
    /// Milliseconds until whoever leads knew of it.
    pub known_ms: Among,
    /// Milliseconds from the last peer's start until all knew a plan that serves.
    pub live_ms: Option<u64>,
    /// Milliseconds from a stage's loss until all knew a plan without it.
    pub replanned_ms: Option<u64>,
    /// Milliseconds from the leader's death until another led, and until all knew of it.
    pub elected_ms: Option<u64>,
    /// The same until all knew.
    pub agreed_ms: Option<u64>,
    /// Inputs handled while traffic was counted.
    pub events: u64,
    /// What that took of one processor, planning apart.
    pub busy_s: f64,
    /// What planning took beside.
    pub planning_s: f64,
    /// How long both took on this machine, whatever else ran there.
    pub wall_s: f64,
    /// What everything took of the processor, growth and losses too.
    pub busy_in_all_s: f64,
    /// How long the swarm lived.
    pub lived_s: f64,
}

impl Among {
    /// Of these.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let Some(max) = values.last().copied() else { return Self::default() };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Self { mean, p99: values[rank::nearest(values.len(), 0.99)], max }
    }
}

impl Scale {
    /// Lets a swarm of that size live, and looks at it. Properties that must hold are checked.
    pub fn run(self) -> Result<Scaled, Broken> {
        play::Play::new(self).run()
    }

    fn setup(self) -> Setup {
        let holders = 1..=self.holders();
        let memory = |number: usize| if holders.contains(&number) { 100 * MIB } else { 4 * MIB };
        let memory_bytes: Vec<_> = (0..self.peers).map(|number| vec![memory(number)]).collect();
        Setup { late: (1..self.peers).collect(), ..Setup::of(&memory_bytes) }
    }

    /// Nodes 1 to this hold layers.
    fn holders(self) -> usize {
        (self.peers / 3).clamp(3, HOLDERS_MAX).min(self.peers.saturating_sub(1))
    }
}

fn per_s(bytes: u64, span: Duration) -> f64 {
    bytes as f64 / span.as_secs_f64()
}

impl Scaled {
    /// What traffic came to, of peers and of voters apart.
    fn traffic(&mut self, world: &World, voters: &[usize], span: Duration) {
        let all = || world.carried().iter().enumerate();
        let is_voter = |number: &usize| voters.contains(number);
        let peers = || all().filter(|(number, _)| !is_voter(number)).map(|(_, carried)| carried);
        self.messages_per_s = Among::of(peers().map(|c| per_s(c.sent + c.received, span)));
        self.sent_bytes_per_s = Among::of(peers().map(|c| per_s(c.sent_bytes, span)));
        self.received_bytes_per_s = Among::of(peers().map(|c| per_s(c.received_bytes, span)));
        self.probe_bytes_per_s = Among::of(peers().map(|c| per_s(c.probe_bytes, span)));
        let most = |c: &Carried| per_s(c.sent_bytes.max(c.received_bytes), span);
        let voters = all().filter(|(number, _)| is_voter(number)).map(|(_, carried)| most(carried));
        self.voter_bytes_per_s = Among::of(voters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_is_beyond_the_percentile() {
        let among = Among::of((1..=200).map(f64::from));
        assert_eq!(among, Among { mean: 100.5, p99: 198.0, max: 200.0 });
        assert_eq!(Among::of([]), Among::default());
        assert_eq!(Among::of([7.0]), Among { mean: 7.0, p99: 7.0, max: 7.0 });
    }
}
