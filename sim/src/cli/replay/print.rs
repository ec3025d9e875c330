//! A replay in tables, and as a document.

use std::{
    io::{self, Write},
    path::Path,
};

use hexswarm_sim::replay::{Ending, Led, Peers, Replay, ReplayError, Step, Tally};
use serde_json::{Value, json};
use swarm_proto::Time;

use crate::cli::print::table;

fn seconds(at: Time) -> f64 {
    at.since(Time::ZERO).as_secs_f64()
}

/// An input with all that the core wanted done.
pub(super) fn step(out: &mut impl Write, step: &Step) -> io::Result<()> {
    let Step { number, at, input, effects, same, .. } = step;
    let others = if *same == Some(false) { "  (other effects were recorded)" } else { "" };
    writeln!(out, "{:.6} s  input {number}: {input:?}{others}", seconds(*at))?;
    effects.iter().try_for_each(|effect| writeln!(out, "    -> {effect:?}"))
}

/// How the log ended, or why it was not played to its end.
pub(super) fn ended<R: io::Read>(replay: &Replay<R>, stopped: Option<&ReplayError>) -> String {
    if let Some(error) = stopped {
        return format!("played no further: {error}");
    }
    match replay.end() {
        None => "played as far as was asked for".to_owned(),
        Some(Ending::Said(end)) if end.inputs_missed > 0 => {
            format!("the log ends: {}; {} inputs are not in it", end.why, end.inputs_missed)
        }
        Some(Ending::Said(end)) => format!("the log ends: {}", end.why),
        Some(Ending::Cut { bytes }) => format!(
            "the log was cut: the node was killed, or runs still; {bytes} bytes at its end are no \
             whole frame"
        ),
    }
}

/// What a log came to, for people.
pub(super) fn summary<R: io::Read>(
    out: &mut impl Write,
    replay: &Replay<R>,
    tally: &Tally,
    end: &str,
) -> io::Result<()> {
    let head = replay.head();
    writeln!(out, "node {}, model {}", Peers::name(head.node), head.config.model.name)?;
    let mut kinds = table(["input", "how many"]);
    for (kind, count) in &tally.inputs {
        kinds.add_row([(*kind).to_owned(), count.to_string()]);
    }
    writeln!(out, "{kinds}")?;
    for (at, notice) in &tally.notices {
        writeln!(out, "{:10.3} s  {notice}", seconds(*at))?;
    }
    if !tally.led.is_empty() {
        let heads = ["asked at s", "prompt", "cached", "TTFT ms", "tokens", "TPOT ms", "end"];
        let mut sessions = table(heads);
        for led in tally.led.values() {
            sessions.add_row(row(led));
        }
        writeln!(out, "{sessions}")?;
    }
    let inputs: u64 = tally.inputs.values().sum();
    let (first, last) = tally.span.unwrap_or_default();
    writeln!(out, "{inputs} inputs from {:.3} s to {:.3} s", seconds(first), seconds(last))?;
    writeln!(out, "{end}")?;
    let Tally { compared, different, first_difference, .. } = tally;
    let Some(first) = first_difference else {
        return writeln!(out, "all effects are the same: {compared} inputs were compared");
    };
    writeln!(
        out,
        "other effects than were recorded: of {different} of {compared} inputs, the first of which \
         is number {}, at byte {} of the log",
        first.number, first.offset
    )?;
    step(out, first)
}

fn row(led: &Led) -> [String; 7] {
    let ms = |span: Option<std::time::Duration>| {
        span.map_or("-".to_owned(), |span| format!("{:.1}", span.as_secs_f64() * 1e3))
    };
    [
        format!("{:.3}", seconds(led.asked)),
        led.prompt_tokens.to_string(),
        led.cached_tokens.to_string(),
        ms(led.ttft()),
        led.tokens.to_string(),
        ms(led.tpot()),
        led.end.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

/// What a log came to, for programs.
pub(super) fn document<R: io::Read>(
    log: &Path,
    replay: &Replay<R>,
    tally: &Tally,
    end: &str,
) -> Value {
    let head = replay.head();
    let ms = |span: Option<std::time::Duration>| span.map(|span| span.as_secs_f64() * 1e3);
    let sessions = tally.led.iter().map(|(request, led)| {
        json!({
            "request": request.0,
            "asked_s": seconds(led.asked),
            "prompt_tokens": led.prompt_tokens,
            "cached_tokens": led.cached_tokens,
            "ttft_ms": ms(led.ttft()),
            "tokens": led.tokens,
            "tpot_ms": ms(led.tpot()),
            "end": led.end,
        })
    });
    let notices =
        tally.notices.iter().map(|(at, notice)| json!({ "at_s": seconds(*at), "what": notice }));
    let difference = tally.first_difference.as_ref().map(|step| {
        let effects = step.effects.iter().map(|effect| format!("{effect:?}"));
        json!({
            "number": step.number,
            "byte": step.offset,
            "at_s": seconds(step.at),
            "input": format!("{:?}", step.input),
            "effects": effects.collect::<Vec<_>>(),
        })
    });
    let (first, last) = tally.span.unwrap_or_default();
    let missed = match replay.end() {
        Some(Ending::Said(end)) => end.inputs_missed,
        _ => 0,
    };
    json!({
        "log": log.display().to_string(),
        "node": Peers::name(head.node),
        "model": head.config.model.name,
        "from_s": seconds(first),
        "until_s": seconds(last),
        "inputs": tally.inputs,
        "end": end,
        "cut": matches!(replay.end(), Some(Ending::Cut { .. })),
        "inputs_missed": missed,
        "compared": tally.compared,
        "different": tally.different,
        "first_difference": difference,
        "notices": notices.collect::<Vec<_>>(),
        "sessions": sessions.collect::<Vec<_>>(),
    })
}
