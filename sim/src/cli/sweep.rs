//! `hexswarm-sim sweep`: a scenario with keys set to values in turn.

mod page;
mod point;

use std::{
    io,
    io::Write as _,
    mem,
    ops::Range,
    path::{Path, PathBuf},
};

use clap::Args;
use comfy_table::Table;
use hexswarm_sim::{Axis, Draft, Foreseen, Grid, Metric, Ran, report::Section};
use serde_json::{Value, json};

use self::point::Point;
use super::{
    failures::{Failures, Keep},
    html,
    options::{Options, progress, seeds},
    outputs, print,
    sheet::{Sheet, cells, heads},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm-sim sweep hexgen58 --set workload.requests_per_s=1,10,30,45
      What rate the HexGen paper's 58 cards serve in time
  hexswarm-sim sweep hexgen30 --set planner.name=replicas,symmetric --set workload.requests_per_s=0.5,1,2 --seeds 0..5
      Two planners at three rates, each with five seeds
  hexswarm-sim sweep nevada-leaves --set fault.0.at_s=50,100,200 --csv leaves.csv
      When machines die
  hexswarm-sim sweep hexgen30 --set workload.requests_per_s=0.5,1,2 --set planner.name=replicas,symmetric --html rates.html
      A page with a picture of each figure: over the rate, a line for each planner

VALUE is TOML if it can be read as such, else a text; a list is [1, 2].
Exit codes: 0 all clean, 1 something did not hold or there was no plan, 2 wrong usage or a scenario that cannot be")]
pub(crate) struct Sweep {
    /// A scenario of `hexswarm-sim list`, or a TOML file
    scenario: String,
    /// Set a key to each of some values; of several keys, each value with each
    #[arg(long, value_name = "KEY=VALUE,...")]
    set: Vec<Axis>,
    /// Seeds that each is run with: first..end
    #[arg(long, value_parser = seeds, default_value = "0..1")]
    seeds: Range<u64>,
    /// Write a row for each run to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with the table and a picture of each figure to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    options: Options,
}

impl Sweep {
    /// Runs what was asked for. Whether all was clean.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        let keys: Vec<String> = self.set.iter().map(|axis| axis.key().to_owned()).collect();
        let draft = Draft::named(&self.scenario)?;
        outputs::apart([Path::new(&self.scenario)], [&self.csv, &self.html])?;
        let axes = self.set.clone();
        let grid = Grid::new(vec![draft.clone()], self.set, self.seeds.clone())?;
        let Foreseen { notes, figures } = grid.foresee(self.options.threads())?;
        notes.iter().for_each(|note| eprintln!("note: {note}"));
        let heads = keys.iter().cloned().chain(heads(&figures));
        let mut sheet = Sheet::create(self.csv.as_deref(), heads)?;
        outputs::create(self.html.as_deref())?;
        let bar = progress(grid.points() * grid.seeds());
        let mut failures = Failures::new(self.options.all, self.keep.wishes(), &self.keep);
        let (mut points, mut runs) = (Vec::new(), Vec::new());
        grid.run(self.options.threads(), self.keep.wishes(), |ran| {
            bar.inc(1);
            let Ran { point, draft, seed, outcome } = ran;
            let (set, last) = (grid.settings(point), seed + 1 == self.seeds.end);
            let go_on = failures.note(&bar, &draft, seed, &outcome.broken);
            if let Some(report) = outcome.report {
                let set = set.iter().map(|setting| setting.text.clone());
                sheet.row(set.chain(cells(seed, &report, &figures)));
                runs.push((draft.again(seed), report));
            }
            if go_on && last {
                points.push(Point::of(&set, &mem::take(&mut runs), &figures));
            }
            go_on
        })?;
        bar.finish_and_clear();
        // Where no point has a plan there is nothing to see.
        let seen =
            if points.iter().any(|point| point.trouble.is_none()) { &points[..] } else { &[] };
        if let Some(path) = &self.html {
            let sets: String = axes.iter().map(|axis| format!(" --set {axis}")).collect();
            let Range { start, end } = self.seeds;
            let command = format!("hexswarm-sim sweep {draft}{sets} --seeds {start}..{end}");
            let (charts, words) = page::charts(&axes, seen, &figures);
            let troubles = points.iter().filter_map(|point| point.trouble.clone());
            let table = html::grid(&table(keys.clone(), seen, &figures));
            let title = "What came of it".to_owned();
            let words = words.into_iter().chain(troubles).collect();
            let results = Section { title, words, table, ..Section::default() }.with(&charts);
            let sections = [html::asked(command, &notes, &[&draft]), results];
            html::write(path, &format!("Sweep of {}", self.scenario), &sections)?;
        }
        let mut out = io::stdout().lock();
        if self.options.json {
            let points: Vec<Value> = points.iter().map(|point| point.document(&figures)).collect();
            let Range { start, end } = self.seeds;
            let document = json!({
                "scenario": self.scenario, "seeds": [start, end], "points": points,
                "broken": failures.told(),
            });
            writeln!(out, "{document}")?;
        } else if !seen.is_empty() {
            writeln!(out, "{}", table(keys, seen, &figures))?;
        }
        points.iter().filter_map(|point| point.trouble.as_ref()).for_each(|why| eprintln!("{why}"));
        sheet.done()?;
        Ok(failures.none() && points.iter().all(|point| point.trouble.is_none()))
    }
}

fn table(keys: Vec<String>, points: &[Point], figures: &[Metric]) -> Table {
    let own = figures.iter().map(|figure| figure.head());
    let mut table = print::table(keys.into_iter().chain(["requests".to_owned()]).chain(own));
    table.add_rows(points.iter().map(|point| point.row(figures)));
    table
}
