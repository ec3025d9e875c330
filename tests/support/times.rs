//! How long devices and ways of a live swarm took, as its nodes' records have it. Nodes' clocks begin
//! when they do, so only spans that begin and end at one node are taken.

use std::{collections::BTreeMap, time::Duration};

use hexswarm_sim::Timed;
use swarm_core::{Effect, Input};
use swarm_proto::{Attempt, FrameHeader, NodeId, RowsHeader, SessionMessage, Time};

use crate::{History, Witness};

/// What a swarm was seen to take.
#[derive(Clone, Debug)]
pub struct Times {
    /// The device of each node that computed something, by the node's name.
    pub devices: BTreeMap<String, Timed>,
    /// From the entry to a member, one way.
    pub entry_way: Duration,
    /// From stage to stage, and from the last to the first, one way, on average.
    pub ring_way: Duration,
    /// How fast activations go beside that, bytes a second.
    pub bytes_per_s: f64,
}

/// What loopback is taken for if longer frames were not seen to take longer.
const BYTES_PER_S_MAX: f64 = 1e10;

/// A place in a session's answer: which try, and which step.
type Place = (Attempt, u32);

impl Times {
    /// The times of a history, whose rows weigh so many bytes.
    pub fn of(history: &History, row_bytes: u64) -> Self {
        let devices = history.nodes.iter().filter_map(|node| {
            let batches = batches(history, node);
            let timed = Timed::of(batches.iter().map(|(batch, took)| (*batch, *took)))?;
            Some((node.name.clone(), timed))
        });
        let rings = rings(history);
        let steps: Vec<_> = rings.iter().filter(|ring| ring.step > 0).map(Ring::way).collect();
        // As a token's time is an average, and so are those of batches.
        let ring_way = steps.iter().sum::<Duration>() / steps.len().max(1) as u32;
        let long = rings.iter().filter(|ring| ring.step == 0);
        let rates = long.map(|ring| ring.bytes_per_s(ring_way, row_bytes));
        let mut rates: Vec<_> = rates.collect();
        rates.sort_by(f64::total_cmp);
        Self {
            devices: devices.collect(),
            entry_way: middle(openings(history).into_iter()) / 2,
            ring_way,
            bytes_per_s: rates.get(rates.len() / 2).copied().unwrap_or(BYTES_PER_S_MAX),
        }
    }
}

/// The middle of some times.
fn middle(times: impl Iterator<Item = Duration>) -> Duration {
    let mut all: Vec<_> = times.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// Batches of a node, and how long each took.
fn batches<'a>(history: &'a History, node: &'a Witness) -> Vec<(&'a swarm_proto::Batch, Duration)> {
    let mut begun = BTreeMap::new();
    let mut done = Vec::new();
    for step in node.serving(&history.sessions) {
        if let Input::Computed { device, job, outcome: Ok(_) } = &step.input
            && let Some((batch, at)) = begun.remove(&(*device, *job))
        {
            done.push((batch, step.at.since(at)));
        }
        for effect in &step.effects {
            if let Effect::Compute { device, job, batch, .. } = effect {
                begun.insert((*device, *job), (batch, step.at));
            }
        }
    }
    done
}

/// From when the entry asked a member for room until it had its answer.
fn openings(history: &History) -> Vec<Duration> {
    let mut asked: BTreeMap<(NodeId, Attempt), Time> = BTreeMap::new();
    let mut spans = Vec::new();
    for step in history.nodes[0].serving(&history.sessions) {
        if let Input::Arrived { from, header, .. } = &step.input
            && let FrameHeader::Session(SessionMessage::Opened { attempt, .. }) = header
            && let Some(at) = asked.remove(&(*from, *attempt))
        {
            spans.push(step.at.since(at));
        }
        for effect in &step.effects {
            if let Effect::Forward { to, header: FrameHeader::Session(message), .. } = effect
                && let SessionMessage::Open(open) = message
            {
                asked.insert((*to, open.attempt), step.at);
            }
        }
    }
    spans
}

/// One way of a row through all stages and of its token back to the first, what devices took left out.
struct Ring {
    step: u32,
    rows: usize,
    stages: u32,
    under_way: Duration,
}

impl Ring {
    fn way(&self) -> Duration {
        self.under_way / self.stages
    }

    /// How fast its rows were, if a message alone takes so long.
    fn bytes_per_s(&self, way: Duration, row_bytes: u64) -> f64 {
        let longer = self.under_way.saturating_sub(way * self.stages).as_secs_f64();
        let bytes = self.rows as u64 * row_bytes * u64::from(self.stages - 1);
        (bytes as f64 / longer).min(BYTES_PER_S_MAX)
    }
}

/// When rows for a place of an answer came to a node, and when it handed them or their token on.
#[derive(Clone, Copy, Debug, Default)]
struct Stay {
    came: Option<Time>,
    went: Option<Time>,
    rows: usize,
    /// When the token came back.
    back: Option<Time>,
}

fn rings(history: &History) -> Vec<Ring> {
    let stays: Vec<_> = history.nodes[1..].iter().map(|node| stays(history, node)).collect();
    let first = stays.iter().flat_map(|stays| stays.iter().filter(|(_, stay)| stay.came.is_none()));
    let ring = |(place, first): (&Place, &Stay)| {
        let whole = first.back?.since(first.went?);
        let others = stays.iter().filter_map(|stays| stays.get(place));
        let others: Vec<_> = others.filter_map(|stay| Some(stay.went?.since(stay.came?))).collect();
        let under_way = whole.saturating_sub(others.iter().sum());
        let stages = others.len() as u32 + 1;
        (stages > 1).then_some(Ring { step: place.1, rows: first.rows, stages, under_way })
    };
    first.filter_map(ring).collect()
}

fn stays(history: &History, node: &Witness) -> BTreeMap<Place, Stay> {
    let mut stays: BTreeMap<Place, Stay> = BTreeMap::new();
    for step in node.serving(&history.sessions) {
        match &step.input {
            Input::Arrived { header: FrameHeader::Rows(rows), .. } => {
                for (place, _) in places(rows) {
                    stays.entry(place).or_default().came = Some(step.at);
                }
            }
            Input::Arrived {
                header: FrameHeader::Session(SessionMessage::Token(token)), ..
            } => {
                let place = (token.attempt, token.step);
                stays.entry(place).or_default().back = Some(step.at);
            }
            _ => {}
        }
        for effect in &step.effects {
            let Effect::Forward { header, .. } = effect else { continue };
            match header {
                FrameHeader::Rows(rows) => {
                    for (place, rows) in places(rows) {
                        let stay = stays.entry(place).or_default();
                        (stay.went, stay.rows) = (Some(step.at), rows);
                    }
                }
                FrameHeader::Session(SessionMessage::Token(token)) => {
                    stays.entry((token.attempt, token.step)).or_default().went = Some(step.at);
                }
                FrameHeader::Session(_) | FrameHeader::Sums(_) | FrameHeader::Dropped(_) => {}
            }
        }
    }
    stays
}

/// The places of answers that tokens are due for after these rows, and how many rows each has.
fn places(rows: &RowsHeader) -> impl Iterator<Item = (Place, usize)> {
    let due = rows.items.iter().filter_map(|item| Some((item, item.step?)));
    due.map(|(item, step)| ((item.attempt, step), item.tokens.len()))
}
