//! What is drawn of a step.

use serde::Serialize;
use std::collections::BTreeMap;

use super::place::{Place, px, short};
use crate::{
    film::{Counts, Film},
    report::{
        chart::colour,
        steps::{State, Step},
    },
};

/// Moments that are told in words, at most.
const TOLD_MAX: usize = 4;
/// Letters of these words.
const WORDS_MAX: usize = 120;
/// Lines from entries to pipelines, at most.
const ENTRIES_MAX: usize = 60;

/// A step, as the template has it.
#[derive(Serialize)]
pub(super) struct Frame {
    time: String,
    words: String,
    counts: String,
    asked: usize,
    tokens: u64,
    plan: Option<usize>,
    leader: Option<f64>,
    shades: Vec<Shade>,
    flows: Vec<Flow>,
    entries: Vec<Line>,
    asks: Vec<Ask>,
    x: f64,
}

#[derive(Serialize)]
struct Shade {
    y: f64,
    height: f64,
    opacity: f64,
    word: &'static str,
}

#[derive(Serialize)]
struct Flow {
    plan: usize,
    pipeline: u16,
    width: f64,
}

#[derive(Serialize)]
struct Line {
    path: String,
    colour: String,
    width: f64,
}

#[derive(Serialize)]
struct Ask {
    y: f64,
    radius: f64,
    count: usize,
}

impl Place {
    pub(super) fn frame(&self, film: &Film, step: &Step) -> Frame {
        let Counts { asked, under_way, whole, failed } = step.counts;
        let (flows, entries) = self.flows(film, step);
        let ask = |(entry, count): (&usize, &usize)| {
            let (y, count) = (self.middle(*entry)?, *count);
            Some(Ask { y, radius: px((2.0 + (count as f64).sqrt()).min(9.0)), count })
        };
        Frame {
            time: format!("{:.2} s", step.at.0 as f64 / 1e9),
            words: self.words(film, step),
            counts: format!(
                "requests: {asked} asked, {under_way} under way, {whole} whole, {failed} failed; {} tokens",
                step.tokens
            ),
            asked,
            tokens: step.tokens,
            plan: step.plan,
            leader: step.leader.and_then(|machine| Some(self.rows.get(machine)?.y + 14.0)),
            shades: self.shades(step),
            flows,
            entries,
            asks: step.asks.iter().filter_map(ask).collect(),
            x: self.time_x(step.at),
        }
    }

    fn words(&self, film: &Film, step: &Step) -> String {
        let name = |machine: usize| self.name(machine);
        let moments = &film.moments[step.moments.clone()];
        let mut told: Vec<String> =
            moments.iter().take(TOLD_MAX).map(|moment| moment.what.words(&name)).collect();
        let rest = moments.len() - told.len();
        if rest > 0 {
            told.push(format!("and {rest} more"));
        }
        short(&told.join("; "), WORDS_MAX)
    }

    fn shades(&self, step: &Step) -> Vec<Shade> {
        let shade = |(row, state): (&super::place::Row, &State)| {
            let (opacity, word) = match state {
                State::Up => return None,
                State::Down => (0.8, "down"),
                State::Stopped => (0.6, "stopped"),
                State::Slow => (0.0, "slow"),
                State::Leaving => (0.3, "leaves"),
            };
            Some(Shade { y: row.y, height: row.height, opacity, word })
        };
        self.rows.iter().zip(&step.machines).filter_map(shade).collect()
    }

    /// Where tokens came through since the step before, under the plan that is drawn.
    fn flows(&self, film: &Film, step: &Step) -> (Vec<Flow>, Vec<Line>) {
        let slot_s = film.tokens.slot().as_secs_f64();
        let span_s = step.at.since(step.since).as_secs_f64().max(slot_s);
        let width = |tokens: u64| px((1.0 + (tokens as f64 / span_s).sqrt() / 3.0).min(7.0));
        let mut pipelines: BTreeMap<(usize, u16), u64> = BTreeMap::new();
        let mut entries = Vec::new();
        for (source, tokens) in &step.flows {
            let Some(way) = source.way.filter(|(plan, _)| step.plan == Some(*plan)) else {
                continue;
            };
            *pipelines.entry(way).or_default() += tokens;
            let number = usize::from(way.1);
            let first = film.plans[way.0].pipelines.get(number).and_then(|stages| stages.first());
            let path = first.and_then(|first| self.entry(source.entry, number, first));
            let (colour, width) = (colour(number).0, width(*tokens).min(3.0));
            entries.extend(path.map(|path| Line { path, colour, width }));
        }
        entries.truncate(ENTRIES_MAX);
        let flow = |((plan, pipeline), tokens)| Flow { plan, pipeline, width: width(tokens) };
        (pipelines.into_iter().map(flow).collect(), entries)
    }
}
