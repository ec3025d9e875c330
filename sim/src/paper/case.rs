//! The paper's case study: eight cards on three machines, by five layouts.

use std::time::Duration;

use super::{
    runs::{PaperError, ran, served},
    spot::{command, set},
};
use crate::{Draft, Scenario, Served, Wishes};

/// Delays between machines that are tried, in milliseconds: the paper's is not known.
pub(super) const DELAYS_MS: [f64; 4] = [0.1, 1.0, 4.0, 10.0];
/// The delay at which one point is run again, and busy stages are looked at, which it matters little to.
const DELAY_MS: f64 = DELAYS_MS[1];
/// The layouts: the paper's own, and the two that it is faster than.
pub(super) const LAYOUTS: [(&str, &str); 3] = [
    ("paper-case-asymmetric", "TP 4, 2, 2 with 48, 20, 12 layers"),
    ("paper-case-pp8", "eight stages, layers by memory"),
    ("paper-case-pp2-tp4", "two stages of TP 4"),
];
/// How many times as fast as each other the paper's own layout was.
pub(super) const PUBLISHED: [f64; 2] = [2.0, 19.0];
/// Layouts that have no memory: what they are, and their stages.
pub(super) const TOO_LARGE: [(&str, &str); 2] = [
    (
        "one stage of TP 8",
        "[{machine=[\"a-RTX-A6000\",\"b-RTX-A5000\",\"c-RTX-A4000\"],layers=80}]",
    ),
    (
        "a pipeline of eight stages of ten layers",
        "[{machine=\"a-RTX-A6000\",devices=1,layers=10},{machine=\"a-RTX-A6000\",devices=1,layers=10},\
         {machine=\"a-RTX-A6000\",devices=1,layers=10},{machine=\"a-RTX-A6000\",devices=1,layers=10},\
         {machine=\"b-RTX-A5000\",devices=1,layers=10},{machine=\"b-RTX-A5000\",devices=1,layers=10},\
         {machine=\"c-RTX-A4000\",devices=1,layers=10},{machine=\"c-RTX-A4000\",devices=1,layers=10}]",
    ),
];
/// What a node's reason why it cannot hold its part says.
pub(super) const NO_ROOM: &str = "do not fit";
/// The seed of all of its runs.
pub(super) const SEED: u64 = 1;
/// For how long requests come, one each 50 s: each is alone.
const SECONDS: &str = "200";
/// For how long far more come than can be served.
const FULL_SECONDS: &str = "40";

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseStudy {
    /// Times of a request, by delay and layout.
    pub(super) times: Vec<(f64, [Duration; 3])>,
    /// Why there is no plan with layouts that are too large; none if there is one.
    pub(super) refusals: [Option<String>; 2],
    /// Which part of what a layout serves a request gets that is alone: for so much of the time a stage
    /// computes, of the paper's own layout and of eight stages.
    pub(super) alone: [f64; 2],
}

impl CaseStudy {
    pub(super) fn run() -> Result<Self, PaperError> {
        let each = DELAYS_MS.iter().map(|&ms| {
            let [a, b, c] = LAYOUTS.map(|(scenario, _)| time(scenario, ms));
            Ok((ms, [a?, b?, c?]))
        });
        let [tp8, pp8] = TOO_LARGE.map(|(_, stages)| refusal(stages));
        let [own, deep] = [LAYOUTS[0].0, LAYOUTS[1].0].map(alone);
        Ok(Self {
            times: each.collect::<Result<_, PaperError>>()?,
            refusals: [tp8?, pp8?],
            alone: [own?, deep?],
        })
    }

    /// How many times as long each other layout takes, at each delay.
    pub(super) fn factors(&self, other: usize) -> impl Iterator<Item = f64> {
        let seconds = self.times.iter().map(|(_, times)| times.map(|time| time.as_secs_f64()));
        seconds.map(move |times| times[1 + other] / times[0])
    }

    /// What runs a layout at one delay.
    pub(super) fn command(layout: usize) -> Result<String, PaperError> {
        let (name, about) = LAYOUTS[layout];
        Ok(command(&draft(name, DELAY_MS)?, &(SEED..SEED + 1), about))
    }

    /// What has a layout refused that is too large.
    pub(super) fn refused(which: usize) -> Result<String, PaperError> {
        let (about, stages) = TOO_LARGE[which];
        Ok(command(&too_large(stages)?, &(SEED..SEED + 1), &format!("{about}: no plan")))
    }
}

fn draft(name: &str, between_ms: f64) -> Result<Draft, PaperError> {
    let keys = [("truth.between_ms", between_ms.to_string()), ("run.seconds", SECONDS.to_owned())];
    set(Draft::named(name)?, &keys)
}

/// What a request takes that is alone: the middle of a few.
fn time(name: &'static str, between_ms: f64) -> Result<Duration, PaperError> {
    let report = ran(&draft(name, between_ms)?.scenario()?, SEED, name)?;
    let middle = report.latency_ms().ok_or_else(|| no_answer(name))?;
    Ok(Duration::from_secs_f64(middle.p50 / 1e3))
}

fn no_answer(system: &'static str) -> PaperError {
    PaperError::NoPlan { system, why: "no answer came".to_owned() }
}

fn too_large(stages: &str) -> Result<Draft, PaperError> {
    let keys = [("pipeline.0.stages", stages.to_owned()), ("run.seconds", SECONDS.to_owned())];
    set(Draft::named(LAYOUTS[1].0)?, &keys)
}

/// Why a node says that a plan cannot be, if none came to be live.
fn refusal(stages: &str) -> Result<Option<String>, PaperError> {
    let scenario: Scenario = too_large(stages)?.scenario()?;
    let outcome = scenario.run(SEED, Wishes { record: true, ..Wishes::default() });
    let trouble = outcome.report.and_then(|report| report.trouble);
    // What swarms say at last is that the layout lacks the node that refused.
    let said = outcome.log.split_once("a plan failed: ").map(|(_, rest)| rest);
    let said = said.and_then(|rest| rest.split(['\\', '"']).next()).map(str::to_owned);
    Ok(trouble.map(|last| said.unwrap_or(last)))
}

/// What a request alone gets, of what is served when there are always more.
fn alone(name: &'static str) -> Result<f64, PaperError> {
    let keys = [("workload.requests_per_s", "2"), ("run.seconds", FULL_SECONDS)];
    let draft = set(draft(name, DELAY_MS)?, &keys.map(|(key, value)| (key, value.to_owned())))?;
    let all = served(&draft.scenario()?, SEED, name)?;
    let done = |one: &Served| Some(one.asked.0 as f64 / 1e9 + one.latency?.as_secs_f64());
    let done: Vec<f64> = all.iter().filter_map(done).collect();
    let (first, last) = done.iter().fold((f64::INFINITY, 0.0), |(a, b), at| (at.min(a), at.max(b)));
    let between_s = (last - first) / (done.len().max(2) - 1) as f64;
    Ok(between_s / time(name, DELAY_MS)?.as_secs_f64())
}
