//! `hexswarm-sim run`: a scenario, for one seed or for many.

use std::{io::Write as _, ops::Range, path::PathBuf};

use clap::Args;
use color_eyre::eyre::WrapErr as _;
use hexswarm_sim::{Report, Scenario, Wishes, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::print;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm-sim run --seed 7
      A swarm of five nodes, of which one is killed in mid-answer
  hexswarm-sim run storm --seeds 0..300
      Anything goes wrong at any time: 300 times
  hexswarm-sim run storm --seed 12 --log storm.jsonl
      Everything that happened, a JSON object a line
  hexswarm-sim run hexgen58
      The HexGen paper's 58 cards serve Llama-2-70B
  hexswarm-sim run my.toml --seeds 0..5 --json
      A scenario of your own (docs/simulation.md), five times

Exit codes: 0 all clean, 1 something did not hold, 2 wrong usage")]
pub(crate) struct Run {
    /// A scenario of `hexswarm-sim list`, or a TOML file
    #[arg(default_value = "story")]
    scenario: String,
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

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parsed.filter(|range| !range.is_empty()).ok_or_else(|| "write 0..1000".to_owned())
}

/// What all seeds came to.
#[derive(Default)]
struct All {
    events: u64,
    tokens: usize,
    refused: usize,
    clean: u64,
    broken: Vec<Value>,
    reports: Vec<(u64, Report)>,
    log: String,
}

impl Run {
    /// Runs what was asked for. Whether all was clean.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        let scenario = Scenario::named(&self.scenario)?;
        scenario.notes().iter().for_each(|note| eprintln!("note: {note}"));
        let seeds = self.seeds.clone().unwrap_or(self.seed..self.seed.saturating_add(1));
        let wishes = Wishes { record: self.log.is_some(), ..Wishes::default() };
        let bar = progress(&seeds);
        let mut all = All::default();
        sweep(&scenario, seeds.clone(), wishes, |seed, outcome| {
            bar.inc(1);
            all.events += outcome.events;
            all.tokens += outcome.tokens;
            all.refused += outcome.refused;
            all.log = outcome.log;
            all.reports.extend(outcome.report.map(|report| (seed, report)));
            let Some(first) = outcome.broken.first() else {
                all.clean += 1;
                return true;
            };
            let again = format!("hexswarm-sim run {} --seed {seed}", self.scenario);
            bar.suspend(|| eprintln!("seed {seed}: {first}\nagain: {again}"));
            all.broken.push(json!({ "seed": seed, "what": first.to_string(), "again": again }));
            self.all
        });
        bar.finish_and_clear();
        if let Some(path) = &self.log {
            std::fs::write(path, &all.log).wrap_err_with(|| {
                format!("the log was not written to {}: is its folder there?", path.display())
            })?;
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", self.document(&seeds, &all))?;
        } else {
            print::reports(&mut out, &all.reports)?;
            if all.broken.is_empty() {
                let All { events, tokens, refused, .. } = all;
                let Range { start, end } = seeds;
                let last = end - 1;
                let which = if start == last {
                    format!("seed {start}")
                } else {
                    format!("seeds {start} to {last}")
                };
                writeln!(
                    out,
                    "{which}: clean; {events} events, {tokens} tokens, {refused} refusals"
                )?;
            }
        }
        let planned = all.reports.iter().all(|(_, report)| report.trouble.is_none());
        Ok(all.broken.is_empty() && planned)
    }

    fn document(&self, seeds: &Range<u64>, all: &All) -> Value {
        let All { events, tokens, refused, clean, broken, reports, .. } = all;
        let mut document = json!({
            "scenario": self.scenario, "seeds": [seeds.start, seeds.end], "clean": clean,
            "events": events, "tokens": tokens, "refused": refused, "broken": broken,
        });
        if !reports.is_empty() {
            document["runs"] = reports.iter().map(print::document).collect();
        }
        document
    }
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
