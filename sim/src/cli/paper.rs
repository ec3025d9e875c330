//! `hexswarm-sim paper`: the HexGen paper's evaluation, run anew.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use hexswarm_sim::{
    paper::{Claim, Extent, FIGURES, Figure, Paper, evaluate},
    report::{Grid, Section},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{html, outputs, print};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm-sim paper
      Everything: a table of claims, and a page with all pictures in hexswarm-paper.html
  hexswarm-sim paper --figure 3
      Only half the price beside Petals
  hexswarm-sim paper --quick --json
      One seed and few rates, as a JSON document

Exit codes: 0 run, 1 something did not hold, 2 wrong usage")]
pub(crate) struct PaperArgs {
    #[arg(long, value_name = "N", value_parser = figure, help = figures())]
    figure: Option<u32>,
    /// One seed, one length of answers, few rates
    #[arg(long)]
    quick: bool,
    /// Where the page is written
    #[arg(long, value_name = "FILE", default_value = "hexswarm-paper.html")]
    html: PathBuf,
    /// Print one JSON document: claims, and every line's points
    #[arg(long)]
    json: bool,
}

/// Which figures there are.
fn known() -> String {
    FIGURES.map(|(number, about)| format!("{number:>4}  {about}")).join("\n")
}

fn figures() -> String {
    format!("Only this figure, and the claims that it shows:\n{}", known())
}

fn figure(text: &str) -> Result<u32, String> {
    let number =
        text.parse().ok().filter(|number| FIGURES.iter().any(|(known, _)| known == number));
    number.ok_or_else(|| format!("there is no figure {text}; there are\n{}", known()))
}

impl PaperArgs {
    /// Runs it. Whether all held.
    pub(super) fn play(self) -> color_eyre::Result<bool> {
        outputs::create(Some(&self.html))?;
        let extent = if self.quick { Extent::quick() } else { Extent::whole() };
        let bar = ProgressBar::new(0).with_style(
            ProgressStyle::with_template("{bar:40} {pos} of {len} curves, {elapsed}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let paper = evaluate(&extent, self.figure, &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        write(&self.html, &paper)?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", document(&paper))?;
        } else {
            let heads = ["claim", "published", "here", "verdict"];
            let rows = paper.claims.iter().map(|claim| {
                let verdict = claim.verdict.to_string();
                vec![claim.what.clone(), claim.published.clone(), claim.ours.clone(), verdict]
            });
            writeln!(out, "{}", print::words(&heads, rows))?;
            writeln!(out, "pictures, reasons and sources: {}", self.html.display())?;
        }
        Ok(true)
    }
}

fn document(paper: &Paper) -> serde_json::Value {
    let figures = paper.figures.iter().map(|figure| {
        let charts = figure.charts.iter().map(|chart| {
            let series = chart.series.iter().map(|s| json!({"label": s.label, "points": s.points}));
            json!({"title": chart.title, "x": chart.x, "y": chart.y, "series": series.collect::<Vec<_>>()})
        });
        json!({
            "number": figure.number, "about": figure.about, "published": figure.published,
            "charts": charts.collect::<Vec<_>>(), "commands": figure.commands,
        })
    });
    json!({
        "seeds": [paper.extent.seeds.start, paper.extent.seeds.end],
        "requests_per_point": paper.extent.requests,
        "claims": paper.claims,
        "figures": figures.collect::<Vec<_>>(),
    })
}

fn write(path: &Path, paper: &Paper) -> color_eyre::Result<()> {
    let mut sections = vec![claims(&paper.claims)];
    sections.extend(paper.figures.iter().map(section));
    let extent = &paper.extent;
    let about = format!(
        "Simulated with the core and the scheduler of hexswarm {}: seeds {} to {}, {} requests a seed and \
         rate, prompts of 128 tokens. Cards are as fast as their makers say, as the paper's cost model has it. \
         No GPU was asked: whatever is said of real cards is unproven here.",
        env!("CARGO_PKG_VERSION"),
        extent.seeds.start,
        extent.seeds.end - 1,
        extent.requests,
    );
    html::write_about(path, "The HexGen paper, run anew", &about, &sections)
}

fn claims(claims: &[Claim]) -> Section {
    let row = |claim: &Claim| {
        let verdict = claim.verdict.to_string();
        let figure = claim.figure.to_string();
        let [what, published, ours, why] =
            [&claim.what, &claim.published, &claim.ours, &claim.why].map(String::clone);
        let [first, end] = claim.seeds;
        let seeds = format!("{first}..{end}");
        let commands = claim.commands.join("\n");
        vec![what, published, claim.source.to_owned(), ours, verdict, why, figure, seeds, commands]
    };
    let heads = [
        "claim",
        "published",
        "known from",
        "here",
        "verdict",
        "why",
        "figure",
        "seeds",
        "points of it",
    ];
    Section {
        title: "Claims".to_owned(),
        words: vec![
            "Reproduced: the largest factor and the average are at least 0.8 of what was published; where no average was, \
             ours is at least 1. Where two are on par: from 0.8 to 1.25 on average. Averages are geometric, of what both reach. \
             Where only the other reaches something nothing is reproduced; where only this one does there is no factor. Factors of \
             rates are read at the deadlines that plans are made for, factors of deadlines at all rates that both serve within 90 \
             times what eight A100 take."
                .to_owned(),
            "Each command runs a point again, that with the largest factor: its last column is the part in time, for each seed."
                .to_owned(),
        ],
        table: Grid { heads: heads.map(str::to_owned).to_vec(), rows: claims.iter().map(row).collect() },
        ..Section::default()
    }
}

fn section(figure: &Figure) -> Section {
    let section = Section {
        title: format!("Figure {}: {}", figure.number, figure.about),
        words: vec![figure.published.to_owned()],
        commands: figure.commands.clone(),
        ..Section::default()
    };
    section.with(&figure.charts)
}
