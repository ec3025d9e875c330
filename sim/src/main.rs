//! The `hexswarm-sim` command.

use std::{io::Write as _, ops::Range, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use hexswarm_sim::{Scenario, Wishes, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// Runs the decisions of real nodes on simulated machines.
#[derive(Debug, Parser)]
#[command(name = "hexswarm-sim", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a story for one seed or for many, and checks what must hold
    #[command(after_help = "\
Examples:
  hexswarm-sim run --seed 7
  hexswarm-sim run --seeds 0..1000
  hexswarm-sim run --scenario storm --seeds 0..300
  hexswarm-sim run --scenario storm --seed 12 --log storm.jsonl

Exit codes: 0 all clean, 1 something did not hold, 2 wrong usage")]
    Run(Run),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Which story: `story` kills a stage in mid-answer, `storm` lets anything go wrong
    #[arg(long, default_value = "story", value_parser = scenario)]
    scenario: Scenario,
    /// One seed
    #[arg(long, default_value_t = 0, conflicts_with = "seeds")]
    seed: u64,
    /// Many: first..end
    #[arg(long, value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Go on after a seed that fails, and print all of them
    #[arg(long)]
    all: bool,
    /// Write everything that happens to this file, a JSON object a line (with --seed)
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    log: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn scenario(text: &str) -> Result<Scenario, String> {
    let known = [Scenario::Story, Scenario::Storm];
    let found = known.into_iter().find(|scenario| scenario.name() == text);
    found.ok_or_else(|| "write story or storm".to_owned())
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parsed.filter(|range| !range.is_empty()).ok_or_else(|| "write 0..1000".to_owned())
}

fn main() -> ExitCode {
    let Verb::Run(run) = Cli::parse().verb;
    match play(&run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the log was not written: {error}; name a file in a folder that exists");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for. Whether all was clean.
fn play(run: &Run) -> std::io::Result<bool> {
    let seeds = run.seeds.clone().unwrap_or(run.seed..run.seed.saturating_add(1));
    let wishes = Wishes { record: run.log.is_some(), ..Wishes::default() };
    let bar = progress(&seeds);
    let (mut events, mut tokens, mut refused, mut clean) = (0, 0, 0, 0_u64);
    let (mut broken, mut log) = (Vec::new(), String::new());
    sweep(run.scenario, seeds.clone(), wishes, |seed, outcome| {
        bar.inc(1);
        events += outcome.events;
        tokens += outcome.tokens;
        refused += outcome.refused;
        log = outcome.log;
        let Some(first) = outcome.broken.first() else {
            clean += 1;
            return true;
        };
        let scenario = run.scenario.name();
        let again = format!("hexswarm-sim run --scenario {scenario} --seed {seed}");
        bar.suspend(|| eprintln!("seed {seed}: {first}\nagain: {again}"));
        broken.push(json!({ "seed": seed, "what": first.to_string(), "again": again }));
        run.all
    });
    bar.finish_and_clear();
    if let Some(path) = &run.log {
        std::fs::write(path, &log)?;
    }
    let mut out = std::io::stdout().lock();
    let Range { start, end } = seeds;
    if run.json {
        let scenario = run.scenario.name();
        let document = json!({
            "scenario": scenario, "seeds": [start, end], "clean": clean, "events": events,
            "tokens": tokens, "refused": refused, "broken": broken,
        });
        writeln!(out, "{document}")?;
    } else if broken.is_empty() {
        let last = end - 1;
        writeln!(
            out,
            "seeds {start} to {last}: clean; {events} events, {tokens} tokens, {refused} refusals"
        )?;
    }
    Ok(broken.is_empty())
}

/// A bar on stderr, if there is enough to wait for.
fn progress(seeds: &Range<u64>) -> ProgressBar {
    let count = seeds.end - seeds.start;
    if count < 10 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} seeds, {eta} left");
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
