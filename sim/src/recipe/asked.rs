//! What is asked, and what planners think of it.

use std::{sync::Arc, time::Duration};

use swarm_scheduler::Workload;

use super::{
    Reads, RecipeError,
    figure::{figure, read, seconds, tokens, wrong},
    keys::{Kind, OneOrMany, PlannerKeys, WorkloadKeys},
};
use crate::workload::{Arrival, Arrivals, Drawn, Lengths, Trace, hurried};

/// Requests a second, at most.
const RATE_MAX: f64 = 1e5;

/// Where requests come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Drawn(Drawn),
    Recorded(Arc<[Arrival]>),
}

/// What planners think that requests are like: what is said, or the first of the workload's lengths.
pub(super) fn believed(keys: &PlannerKeys, work: &WorkloadKeys) -> Result<Workload, RecipeError> {
    let first = |lengths: &Option<OneOrMany>| match lengths {
        Some(OneOrMany::One(length)) => Some(*length),
        Some(OneOrMany::Many(all)) => all.first().copied(),
        None => None,
    };
    let input = keys.input_tokens.or(first(&work.input_tokens)).unwrap_or(128);
    let output = keys.output_tokens.or(first(&work.output_tokens)).unwrap_or(64);
    Ok(Workload {
        input_tokens: tokens("input_tokens", input)?,
        output_tokens: tokens("output_tokens", output)?,
        requests_per_s: None,
    })
}

pub(super) fn source(
    work: &WorkloadKeys,
    reads: &Reads<'_>,
) -> Result<(Source, usize), RecipeError> {
    let speed = figure("speed", work.speed.unwrap_or(1.0), 1e6)?;
    let from = seconds("from_s", work.from_s.unwrap_or(0.0))?;
    let Some(file) = &work.trace else {
        if work.speed.is_some() || work.from_s.is_some() {
            return Err(wrong("speed", speed, "and from_s are for a trace: name one"));
        }
        return Ok((Source::Drawn(drawn(work)?), 0));
    };
    if work.arrivals.is_some() || work.requests_per_s.is_some() {
        let reason =
            "a trace says itself when requests come: leave out arrivals and requests_per_s";
        return Err(wrong("trace", file, reason));
    }
    let text = read(file, reads)?;
    let trace: Trace = text.parse().map_err(|e: crate::workload::TraceError| {
        RecipeError::File { file: file.clone(), reason: e.to_string() }
    })?;
    let arrivals = hurried(trace.arrivals, speed, from, Duration::MAX);
    Ok((Source::Recorded(arrivals.into()), trace.failed))
}

pub(super) fn drawn(work: &WorkloadKeys) -> Result<Drawn, RecipeError> {
    let requests_per_s = figure("requests_per_s", work.requests_per_s.unwrap_or(1.0), RATE_MAX)?;
    let arrivals = match (work.arrivals.unwrap_or(Kind::Poisson), work.cv) {
        (Kind::Poisson, None) => Arrivals::Poisson { requests_per_s },
        (Kind::Even, None) => Arrivals::Even { requests_per_s },
        (Kind::Gamma, cv) => {
            Arrivals::Gamma { requests_per_s, cv: figure("cv", cv.unwrap_or(2.0), 100.0)? }
        }
        (_, Some(cv)) => return Err(wrong("cv", cv, "is for arrivals = \"gamma\"")),
    };
    let lengths = |key, lengths: &Option<OneOrMany>, default| {
        let all = match lengths {
            None => vec![default],
            Some(OneOrMany::One(length)) => vec![*length],
            Some(OneOrMany::Many(all)) if all.is_empty() => {
                return Err(wrong(key, "[]", "is empty: give a length"));
            }
            Some(OneOrMany::Many(all)) => all.clone(),
        };
        all.iter().try_for_each(|length| tokens(key, *length).map(drop))?;
        Ok(Lengths(all))
    };
    Ok(Drawn {
        arrivals,
        input_tokens: lengths("input_tokens", &work.input_tokens, 128)?,
        output_tokens: lengths("output_tokens", &work.output_tokens, 64)?,
    })
}
