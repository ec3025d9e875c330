//! `hexswarm-sim compare`: two scenarios, seed by seed.

mod page;

use std::{
    io,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use clap::Args;
use hexswarm_sim::{Comparison, Draft, Foreseen, Grid, GridError, Ran, Setting};
use serde_json::json;

use super::{
    failures::{Failures, Keep},
    html,
    options::{Options, progress, seeds},
    outputs,
    sheet::{Sheet, cells, heads},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm-sim compare hexgen30 hexgen30 --set-b planner.name=parallax
      Two planners for the same cards and the same requests
  hexswarm-sim compare hexgen58 hexgen30 --set workload.requests_per_s=2
      Two pools that are asked the same
  hexswarm-sim compare hexgen30 churn30 --html churn.html
      A page with the table and a picture of all differences
  hexswarm-sim compare hexgen58 my.toml --seeds 0..30 --json
      A scenario of your own beside one of the simulator's

Exit codes: 0 all clean, 1 something did not hold or there was no plan, 2 wrong usage or a scenario that cannot be")]
pub(crate) struct Compare {
    /// A scenario of `hexswarm-sim list`, or a TOML file
    a: String,
    /// What it is compared with
    b: String,
    /// Seeds that both are run with: first..end
    #[arg(long, value_parser = seeds, default_value = "0..10")]
    seeds: Range<u64>,
    /// Set a key of both
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// Set a key of A
    #[arg(long, value_name = "KEY=VALUE")]
    set_a: Vec<Setting>,
    /// Set a key of B
    #[arg(long, value_name = "KEY=VALUE")]
    set_b: Vec<Setting>,
    /// Write a row for each run to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with the table and a picture of the differences to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    options: Options,
}

impl Compare {
    /// Runs what was asked for. Whether all was clean.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        let [a, b] = self.drafts()?;
        outputs::apart([&self.a, &self.b].map(Path::new), [&self.csv, &self.html])?;
        let grid = Grid::new(vec![a.clone(), b.clone()], Vec::new(), self.seeds.clone())?;
        let Foreseen { notes, figures } = grid.foresee(self.options.threads())?;
        let unlike = unlike(&a, &b, self.seeds.start)?;
        notes.iter().for_each(|note| eprintln!("note: {note}"));
        let heads = ["side".to_owned()].into_iter().chain(heads(&figures));
        let mut sheet = Sheet::create(self.csv.as_deref(), heads)?;
        outputs::create(self.html.as_deref())?;
        let bar = progress(grid.points() * grid.seeds());
        let mut failures = Failures::new(self.options.all, self.keep.wishes(), &self.keep);
        let mut comparison = Comparison::of(figures.clone());
        grid.run(self.options.threads(), self.keep.wishes(), |ran| {
            bar.inc(1);
            let Ran { point, draft, seed, outcome } = ran;
            if let Some(report) = outcome.report {
                let name = if point == 0 { "a" } else { "b" }.to_owned();
                sheet.row([name].into_iter().chain(cells(seed, &report, &figures)));
                comparison.take(point as usize, seed, &report);
            }
            failures.note(&bar, &draft, seed, &outcome.broken)
        })?;
        bar.finish_and_clear();
        if let Some(path) = &self.html {
            let notes: Vec<String> = notes.iter().chain(&unlike).cloned().collect();
            let sections =
                [html::asked(self.command(), &notes, &[&a, &b]), page::section(&comparison)];
            html::write(path, &format!("{} beside {}", self.a, self.b), &sections)?;
        }
        let sides = comparison.sides();
        let mut out = io::stdout().lock();
        if self.options.json {
            let Range { start, end } = self.seeds;
            let [first, second] = sides;
            let document = json!({
                "a": a.to_string(), "b": b.to_string(), "seeds": [start, end], "unlike": unlike,
                "figures": comparison.document(), "broken": failures.told(),
                "troubles": { "a": first.troubled(), "b": second.troubled() },
            });
            writeln!(out, "{document}")?;
        } else {
            write!(out, "A: {a}\nB: {b}\n{comparison}")?;
            // A verdict of unlike things is not to be read without this.
            unlike.iter().try_for_each(|why| writeln!(out, "but: {why}"))?;
        }
        for (draft, side) in [&a, &b].into_iter().zip(sides) {
            let Some((seed, why)) = side.troubles.first() else { continue };
            let (again, many) = (draft.again(*seed), side.troubles.len());
            eprintln!("{again}: there is no plan: {why} (so with {many} seeds)");
        }
        sheet.done()?;
        Ok(failures.none() && sides.iter().all(|side| side.troubles.is_empty()))
    }

    /// What was typed, but for the files that are written.
    fn command(&self) -> String {
        let sets = [("--set", &self.set), ("--set-a", &self.set_a), ("--set-b", &self.set_b)];
        let mut words = ["hexswarm-sim", "compare", &self.a, &self.b].map(str::to_owned).to_vec();
        for (flag, settings) in sets {
            words.extend(settings.iter().flat_map(|set| [flag.to_owned(), set.to_string()]));
        }
        let Range { start, end } = self.seeds;
        words.extend(["--seeds".to_owned(), format!("{start}..{end}")]);
        let plain = words.join(" ");
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or(plain)
    }

    /// A and B; of one scenario under two settings each plan is searched once.
    fn drafts(&self) -> Result<[Draft; 2], GridError> {
        let first = Draft::named(&self.a)?;
        let second = if self.a == self.b { first.clone() } else { Draft::named(&self.b)? };
        let set = |mut draft: Draft, own: &[Setting]| {
            self.set.iter().chain(own).try_for_each(|setting| draft.set(setting))?;
            Ok::<_, GridError>(draft)
        };
        Ok([set(first, &self.set_a)?, set(second, &self.set_b)?])
    }
}

/// Why figures of A and B may be of unlike things.
fn unlike(a: &Draft, b: &Draft, seed: u64) -> Result<Vec<String>, GridError> {
    let (first, second) = (a.scenario()?, b.scenario()?);
    let (Some(first), Some(second)) = (first.recipe(), second.recipe()) else {
        return Ok(Vec::new());
    };
    Ok(hexswarm_sim::unlike(first, second, seed))
}
