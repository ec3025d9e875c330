//! Machines of a pool serve a workload, and things go wrong as a scenario says.

use std::time::Duration;

use swarm_proto::{Plan, Time};

use crate::{Broken, Fault, Served, World, rank, recipe::Recipe, script::Script, served::in_time};

/// How long a swarm may take to have a plan live.
const PLAN_MAX: Duration = Duration::from_secs(120);

/// What a workload came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What became of each request.
    pub served: Vec<Served>,
    /// When the first request could come.
    pub begun: Time,
    /// From then to the end of the last.
    pub span: Duration,
    /// What scales count: the deadline of 1x, for every request the same.
    pub unit: Duration,
    /// Scales of the deadline, and how many requests are done in time.
    pub in_time: Vec<(f64, usize)>,
    /// Devices of each stage of every pipeline of the plan that was live at first.
    pub pipelines: Vec<Vec<usize>>,
    /// Why there was no plan, if there was none.
    pub trouble: Option<String>,
}

/// What a workload comes to, and what goes wrong still.
pub(super) fn run(
    world: &mut World,
    recipe: &Recipe,
    (seed, script): (u64, &Script),
) -> Result<(Report, Vec<Fault>), Broken> {
    if !world.run_until(PLAN_MAX, World::serves)? {
        let trouble = Some(why_none(world)?);
        return Ok((Report { trouble, ..Report::default() }, Vec::new()));
    }
    let pipelines = world.live_plan(0).map(shape).unwrap_or_default();
    let begun = world.now();
    let arrivals = recipe.arrivals(seed);
    let faults = script.faults();
    let first = world.asked();
    let lasting = world.bring(&arrivals, &faults, &recipe.entries, recipe.patience)?;
    let served = world.served(first);
    let met = |scale: &f64| (*scale, in_time(&served, recipe.unit.mul_f64(*scale)));
    let in_time = recipe.scales.iter().map(met).collect();
    let span = world.now().since(begun);
    let unit = recipe.unit;
    Ok((Report { served, begun, span, unit, in_time, pipelines, trouble: None }, lasting))
}

/// Why no plan came to be live; where nobody knows, something is broken.
fn why_none(world: &World) -> Result<String, Broken> {
    let known = world.led_by().and_then(|leader| world.trouble(leader));
    match known {
        Some(why) => Ok(why.to_owned()),
        None if world.has_gaps() => {
            Ok("there is no way between some machines, which do not agree on one".to_owned())
        }
        None => world.check_layers().and(Err(Broken::NoPlan)),
    }
}

/// Devices of each stage of every pipeline.
fn shape(plan: &Plan) -> Vec<Vec<usize>> {
    let stages =
        |p: &swarm_proto::Pipeline| p.stages.iter().map(|stage| stage.members.len()).collect();
    plan.pipelines.iter().map(stages).collect()
}

/// Figures in order: the middle, and what 99 of 100 are not above.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The middle.
    pub p50: f64,
    /// What 99 of 100 are not above.
    pub p99: f64,
}

impl Spread {
    /// Of milliseconds; none if there are none.
    pub fn of(times: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut all: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        let at = |part: f64| all.get(rank::nearest(all.len(), part));
        Some(Self { p50: *at(0.5)?, p99: *at(0.99)? })
    }
}

impl Report {
    /// Scales of the deadline, and the part of requests that are done in time.
    pub fn attainment(&self) -> impl Iterator<Item = (f64, f64)> {
        let all = self.served.len().max(1) as f64;
        self.in_time.iter().map(move |(scale, met)| (*scale, *met as f64 / all))
    }

    /// Answers that are whole.
    pub fn whole(&self) -> usize {
        self.served.iter().filter(|one| one.latency.is_some()).count()
    }

    /// Requests that were under way when patience ran out.
    pub fn unfinished(&self) -> usize {
        self.served.iter().filter(|one| one.unfinished).count()
    }

    /// Tokens of prompts that were in the KV cache already.
    pub fn cached_tokens(&self) -> u64 {
        self.served.iter().filter_map(|one| one.cached_tokens).map(u64::from).sum()
    }

    /// Tokens a second, of whatever answers, those that came first left out: they are of prefill.
    pub fn decode_tokens_per_s(&self) -> f64 {
        let tokens: usize = self.served.iter().map(|one| one.tokens.saturating_sub(1)).sum();
        tokens as f64 / self.span.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Milliseconds to the first token.
    pub fn ttft_ms(&self) -> Option<Spread> {
        Spread::of(self.served.iter().filter_map(|one| one.ttft))
    }

    /// Milliseconds for each token after the first.
    pub fn tpot_ms(&self) -> Option<Spread> {
        Spread::of(self.served.iter().filter_map(Served::tpot))
    }

    /// Milliseconds from a request to the last token of its answer.
    pub fn latency_ms(&self) -> Option<Spread> {
        Spread::of(self.served.iter().filter_map(|one| one.latency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_figures_that_are_there() {
        let ms =
            |range: std::ops::RangeInclusive<u64>| Spread::of(range.map(Duration::from_millis));
        assert_eq!(ms(1..=100), Some(Spread { p50: 50.0, p99: 99.0 }));
        assert_eq!(ms(7..=7), Some(Spread { p50: 7.0, p99: 7.0 }));
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}
