//! What happens to a swarm, written down before the swarm runs: faults, requests and all else, each
//! with when it is due. A script is drawn from a seed, or read from a file.

mod deed;
mod play;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::{
    deed::Deed,
    text::{SCRIPT_BYTES_MAX, ScriptError},
};
pub(crate) use self::{deed::FaultDeed, play::Player};
use crate::recipe::Fault;

/// Longer times are nobody's to wait for.
const SECONDS_MAX: f64 = 7.0 * 24.0 * 3600.0;

/// What happens to a swarm, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// What it is about.
    pub head: Head,
    /// What happens.
    pub things: Vec<Thing>,
}

/// What a script is about: its first line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What is played, and checked in the end.
    pub play: Scene,
    /// Whether the planner is the one that shares stages out between two nodes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pairs: bool,
    /// The first thing waits until all nodes serve and vote, at most so long.
    #[serde(default, skip_serializing_if = "Seconds::is_zero")]
    pub ready_s: Seconds,
}

/// Where scripts are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scene {
    /// In the story: all is checked at the end, and nothing is mended before.
    Story,
    /// In a storm: at the end all is mended, and then checked.
    Storm,
    /// While a workload is served: faults only.
    Workload,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// When, after the thing before.
    pub after: When,
    /// What.
    #[serde(rename = "do")]
    pub deed: Deed,
}

/// When something is due, after what was before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// So many seconds later.
    S(Seconds),
    /// As soon as clients have got so many tokens, or all are answered; after 20 s at the latest.
    Tokens(usize),
    /// As soon as all clients are answered; after a minute at the latest.
    Answered,
}

/// A time that is written as seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(pub Duration);

impl Seconds {
    /// So many milliseconds.
    pub const fn ms(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        if !(0.0..=SECONDS_MAX).contains(&seconds) {
            return Err(format!("{seconds} s: may be from 0 to {SECONDS_MAX}"));
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl From<Seconds> for f64 {
    fn from(Seconds(span): Seconds) -> Self {
        span.as_secs_f64()
    }
}

impl Thing {
    /// Something so long after what was before it.
    pub(crate) fn later(span: Duration, deed: Deed) -> Self {
        Self { after: When::S(Seconds(span)), deed }
    }
}

impl Script {
    /// What goes wrong while a workload is served, in the order of its times.
    pub(crate) fn of_faults(faults: &[Fault]) -> Self {
        let mut faults = faults.to_vec();
        faults.sort_by_key(|fault| fault.at);
        let mut before = Duration::ZERO;
        let things = faults.iter().map(|fault| {
            let span = fault.at - before;
            before = fault.at;
            Thing::later(span, Deed::Fault(FaultDeed::of(fault)))
        });
        let head = Head { play: Scene::Workload, pairs: false, ready_s: Seconds::default() };
        Self { head, things: things.collect() }
    }

    /// What goes wrong while a workload is served.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut at = Duration::ZERO;
        let faults = self.things.iter().filter_map(|thing| {
            if let When::S(Seconds(span)) = thing.after {
                at += span;
            }
            match &thing.deed {
                Deed::Fault(fault) => Some(fault.at(at)),
                _ => None,
            }
        });
        faults.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::What;

    #[test]
    fn faults_of_a_workload_are_the_same_out_of_their_script() {
        let fault = |at_ns, does, lasts_ns: Option<u64>| Fault {
            at: Duration::from_nanos(at_ns),
            machine: 3,
            does,
            lasts: lasts_ns.map(Duration::from_nanos),
        };
        let faults = [
            fault(1_234_567_891, What::Die, Some(987_654_321_123)),
            fault(1_234_567_891, What::Slow(2.5), None),
            fault(500_000_000_000_001, What::Pause, Some(1)),
            fault(500_000_000_000_002, What::Stall, Some(7)),
            fault(500_000_000_000_003, What::Vanish, None),
            fault(500_000_000_000_003, What::Leave, None),
            fault(500_000_000_000_004, What::Cut { other: 1, told: true }, Some(9)),
            fault(500_000_000_000_004, What::CutOneWay { other: 2 }, None),
            fault(500_000_000_000_004, What::Partition { with: vec![0, 2], told: false }, None),
            fault(500_000_000_000_004, What::Lossy { loss: 0.25, silent: true }, Some(5)),
        ];
        let script = Script::of_faults(&faults);
        assert_eq!(script.faults(), faults);
        assert_eq!(Script::parse(&script.to_string()).unwrap().faults(), faults);
    }

    #[test]
    fn faults_of_ways_that_cannot_be_are_told_with_their_line() {
        for (does, words) in [
            (r#"{"cut":{"other":3,"told":true}}"#, "line 2: machine 3 is its own other side"),
            (r#"{"lossy":{"loss":1.5,"silent":true}}"#, "line 2: loss = 1.5: may be from 0 to 1"),
        ] {
            let thing =
                format!(r#"{{"after":{{"s":1}},"do":{{"fault":{{"machine":3,"does":{does}}}}}}}"#);
            let said = Script::parse(&format!("{{\"play\":\"workload\"}}\n{thing}")).unwrap_err();
            assert_eq!(said.to_string(), words);
        }
    }
}
