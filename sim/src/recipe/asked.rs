//! What is asked, and what planners think of it.

use std::{sync::Arc, time::Duration};

use swarm_scheduler::Workload;

use super::{
    Reads, RecipeError,
    figure::{data, figure, seconds, tokens, wrong},
    keys::{Kind, OneOrMany, PlannerKeys, WorkloadKeys},
};
use crate::{
    shipped,
    workload::{Arrival, Arrivals, Drawn, Lengths, TOKENS_MAX, Trace, TraceError, hurried},
};

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

/// Where requests come from, and what was left out of them.
pub(super) fn source(
    work: &WorkloadKeys,
    reads: &Reads<'_>,
) -> Result<(Source, Vec<String>), RecipeError> {
    let Some(file) = &work.trace else {
        let only = [
            ("speed", work.speed),
            ("from_s", work.from_s),
            ("input_tokens_max", work.input_tokens_max.map(f64::from)),
            ("output_tokens_max", work.output_tokens_max.map(f64::from)),
        ];
        return match only.into_iter().find_map(|(key, said)| Some((key, said?))) {
            Some((key, said)) => Err(wrong(key, said, "is for a trace: name one")),
            None => Ok((Source::Drawn(drawn(work)?), Vec::new())),
        };
    };
    if work.arrivals.is_some() || work.requests_per_s.is_some() {
        let reason =
            "a trace says itself when requests come: leave out arrivals and requests_per_s";
        return Err(wrong("trace", file, reason));
    }
    let (arrivals, notes) = recorded(file, work, reads)?;
    Ok((Source::Recorded(arrivals.into()), notes))
}

fn recorded(
    file: &str,
    work: &WorkloadKeys,
    reads: &Reads<'_>,
) -> Result<(Vec<Arrival>, Vec<String>), RecipeError> {
    let speed = figure("speed", work.speed.unwrap_or(1.0), 1e6)?;
    let from = seconds("from_s", work.from_s.unwrap_or(0.0))?;
    let [input_max, output_max] = [
        ("input_tokens_max", work.input_tokens_max),
        ("output_tokens_max", work.output_tokens_max),
    ]
    .map(|(key, most)| tokens(key, most.unwrap_or(TOKENS_MAX)));
    let (input_max, output_max) = (input_max?, output_max?);
    let text = data(file, shipped::TRACES, reads)?;
    let trace: Trace = text.parse().map_err(|e: TraceError| RecipeError::File {
        file: file.to_owned(),
        reason: e.to_string(),
    })?;
    let fits = |one: &Arrival| one.input_tokens <= input_max && one.output_tokens <= output_max;
    let told = trace.arrivals.len();
    let short: Vec<Arrival> = trace.arrivals.into_iter().filter(fits).collect();
    let long = told - short.len();
    if short.is_empty() {
        return Err(wrong("input_tokens_max", input_max, "no request of the trace is that short"));
    }
    let out = [(trace.failed, "had no answer"), (long, "are longer than the scenario wants")];
    let out = out.into_iter().filter(|(count, _)| *count > 0);
    let notes = out.map(|(count, why)| format!("{count} requests of the trace {why}: left out"));
    Ok((hurried(short, speed, from, Duration::MAX), notes.collect()))
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
