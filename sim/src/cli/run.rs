//! `hexswarm-sim run`: a scenario, for one seed or for many.

mod page;

use std::{
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use clap::Args;
use hexswarm_sim::{Draft, Film, Grid, GridError, Outcome, Ran, Report, Served, Setting, Wishes};
use serde_json::{Value, json};

use super::{
    failures::{Failures, Keep},
    html,
    options::{Options, progress, seeds},
    outputs, print,
    sheet::{Sheet, cell, ms},
};

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
  hexswarm-sim run hexgen58 --set workload.requests_per_s=10 --csv requests.csv
      The same with ten requests a second, and what became of each of them
  hexswarm-sim run nevada-leaves --html leaves.html
      A page with pictures: who takes how long, and the run step by step
  hexswarm-sim run my.toml --seeds 0..5 --json
      A scenario of your own (docs/simulation.md), five times
  hexswarm-sim run storm --seed 12 --script hexswarm-failures/storm-12.script.jsonl
      What is left of the script of a run that failed
  hexswarm-sim run storm --seeds 0..200 --sabotage replay-live
      A bug that is planted, caught, and its script made smaller

Exit codes: 0 all clean, 1 something did not hold or there was no plan, 2 wrong usage or a scenario that cannot be")]
pub(crate) struct Run {
    /// A scenario of `hexswarm-sim list`, or a TOML file
    #[arg(default_value = "story")]
    scenario: String,
    /// One seed
    #[arg(long, default_value_t = 0, conflicts_with = "seeds", value_parser = clap::value_parser!(u64).range(..u64::MAX))]
    seed: u64,
    /// Many: first..end
    #[arg(long, value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Set a key of the scenario
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Write everything that happens to this file, a JSON object a line (with --seed)
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    log: Option<PathBuf>,
    /// Write a row for each request to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Play what happens from this file, not what the seed draws
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Write a page with tables, pictures and the first seed's run step by step to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    options: Options,
}

/// What is written of each request.
const HEADS: [&str; 8] =
    ["seed", "number", "asked_s", "ttft_ms", "latency_ms", "tokens", "cached_tokens", "refused"];

/// What all seeds came to.
#[derive(Default)]
struct All {
    events: u64,
    tokens: usize,
    refused: usize,
    unfinished: usize,
    clean: u64,
    reports: Vec<(u64, Report)>,
    log: String,
    film: Option<Film>,
}

impl Run {
    /// Runs what was asked for. Whether all was clean.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        let mut draft = Draft::named(&self.scenario)?;
        let read = self.script.as_deref().into_iter().chain([Path::new(&self.scenario)]);
        outputs::apart(read, [&self.log, &self.csv, &self.html])?;
        self.set.iter().try_for_each(|setting| draft.set(setting))?;
        if let Some(path) = &self.script {
            draft = draft.with_script(path)?;
        }
        let scenario = draft.scenario()?;
        if self.csv.is_some() && scenario.recipe().is_none() {
            return Err(GridError::Idle(Box::new(draft)).into());
        }
        scenario.notes().iter().for_each(|note| eprintln!("note: {note}"));
        let seeds = self.seeds.clone().unwrap_or(self.seed..self.seed.saturating_add(1));
        let (film, record) = (self.html.is_some(), self.log.is_some());
        let wishes = Wishes { record, film, ..self.keep.wishes() };
        outputs::create(self.html.as_deref())?;
        outputs::create(self.log.as_deref())?;
        let mut sheet = Sheet::create(self.csv.as_deref(), HEADS)?;
        let bar = progress(seeds.end - seeds.start);
        let mut failures = Failures::new(self.options.all, wishes, &self.keep);
        let mut all = All::default();
        let grid = Grid::new(vec![draft.clone()], Vec::new(), seeds.clone())?;
        grid.run(self.options.threads(), wishes, |Ran { draft, seed, outcome, .. }| {
            bar.inc(1);
            all.events += outcome.events;
            all.tokens += outcome.tokens;
            all.refused += outcome.refused;
            all.clean += u64::from(is_clean(&outcome));
            let go_on = failures.note(&bar, &draft, seed, &outcome.broken);
            all.log = outcome.log;
            all.film = all.film.take().or(outcome.film);
            if let Some(report) = outcome.report {
                all.unfinished += report.unfinished();
                rows(seed, &report).for_each(|row| sheet.row(row));
                all.reports.push((seed, report));
            }
            go_on
        })?;
        bar.finish_and_clear();
        if let Some(path) = &self.log {
            outputs::write(path, &all.log)?;
        }
        if let Some(path) = &self.html {
            let (film, broken) = (all.film.as_ref(), failures.told());
            let asked = (&draft, &scenario);
            let sections = page::sections(asked, &seeds, &all.reports, film, broken)?;
            html::write(path, &format!("Runs of {}", self.scenario), &sections)?;
        }
        let mut out = std::io::stdout().lock();
        let planned = all.reports.iter().all(|(_, report)| report.trouble.is_none());
        if self.options.json {
            writeln!(out, "{}", self.document(&seeds, &all, &failures))?;
        } else {
            print::reports(&mut out, &all.reports)?;
            if failures.none() && planned {
                writeln!(out, "{}", words(&seeds, &all))?;
            }
        }
        sheet.done()?;
        Ok(failures.none() && planned)
    }

    fn document(&self, seeds: &Range<u64>, all: &All, failures: &Failures) -> Value {
        let All { events, tokens, refused, unfinished, clean, reports, .. } = all;
        let mut document = json!({
            "scenario": self.scenario, "seeds": [seeds.start, seeds.end], "clean": clean,
            "events": events, "tokens": tokens, "refused": refused, "unfinished": unfinished,
            "broken": failures.told(),
        });
        if !reports.is_empty() {
            document["runs"] = reports.iter().map(print::document).collect();
        }
        document
    }
}

/// Whether all held, there was a plan, and nothing was unfinished.
fn is_clean(outcome: &Outcome) -> bool {
    let whole = |report: &Report| report.trouble.is_none() && report.unfinished() == 0;
    outcome.broken.is_empty() && outcome.report.as_ref().is_none_or(whole)
}

/// What all seeds came to, of which each had a plan and all held.
fn words(Range { start, end }: &Range<u64>, all: &All) -> String {
    let All { events, tokens, refused, unfinished, .. } = all;
    let which = match end - start {
        1 => format!("seed {start}"),
        _ => format!("seeds {start} to {}", end - 1),
    };
    let how = match unfinished {
        0 => "clean".to_owned(),
        many => format!("whatever must hold did hold, but {}", print::unfinished(*many)),
    };
    format!("{which}: {how}; {events} events, {tokens} tokens, {refused} refusals")
}

/// What became of each request of a seed.
fn rows(seed: u64, report: &Report) -> impl Iterator<Item = [String; 8]> {
    report.served.iter().enumerate().map(move |(number, one)| {
        let Served { asked, ttft, latency, tokens, cached_tokens, refused, .. } = one;
        let asked_s = asked.since(report.begun).as_secs_f64();
        [
            seed.to_string(),
            number.to_string(),
            cell(Some(asked_s)),
            cell(ttft.map(ms)),
            cell(latency.map(ms)),
            tokens.to_string(),
            cached_tokens.map_or_else(String::new, |tokens| tokens.to_string()),
            refused.clone().unwrap_or_default(),
        ]
    })
}
