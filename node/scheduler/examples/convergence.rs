//! How soon searches get how far on the HexGen paper's pool of 58 devices: the best score after so
//! many judgements of HexGen's own search, of the same with mutations that know nothing, and of ours,
//! whose searches beside each other are counted one after the other. Each seed has requests of its
//! own, so its scores are told in parts of what the initial assignment has with them. Scores are of
//! the search's own trials (1,000 requests). Five seeds: the median, least and most.
//!
//!     cargo run --release -p swarm-scheduler --example convergence [-- FILE.svg]

mod common;

use std::{ops::Range, path::Path};

use common::{ground, median, pool, slo, table};
use plotters::prelude::*;
use swarm_scheduler::{Ask, Planner, Rules, propose};

const SEEDS: Range<u64> = 1..6;
/// Judgements that are shown; a search that gave up sooner stays where it was.
const JUDGED: usize = 4_000;
const SHOWN: [usize; 6] = [1, 30, 100, 300, 1_000, JUDGED];

/// A search, and its colour.
const SEARCHES: [(&str, Planner, RGBColor); 3] = [
    ("HexGen's search", Planner::Hexgen, RGBColor(0x00, 0x72, 0xB2)),
    ("random mutation", Planner::HexgenRandom, RGBColor(0xD5, 0x5E, 0x00)),
    ("ours", Planner::Default, RGBColor(0x00, 0x9E, 0x73)),
];
const INITIAL: (&str, RGBColor) = ("initial assignment", RGBColor(0x60, 0x60, 0x60));

/// The best scores of a search, for each seed.
fn progress(planner: Planner) -> Vec<Vec<(usize, f64)>> {
    let ground = ground(&pool("hexgen_full58"), Rules::exact());
    let objective = slo(common::SCALE);
    let of = |seed| {
        let found = propose(&ground, &Ask { planner, objective, seed });
        found.map_or_else(Vec::new, |found| found.progress)
    };
    SEEDS.map(of).collect()
}

/// Scores of all seeds, in order, in parts of the initial assignment's.
fn parts(scores: impl Iterator<Item = f64>, initial: &[f64]) -> [f64; 3] {
    let mut all: Vec<f64> = scores.zip(initial).map(|(score, initial)| score / initial).collect();
    all.sort_by(f64::total_cmp);
    [all[0], median(&all), all[all.len() - 1]]
}

/// Least, median and most after each number of judgements.
struct Curve(Vec<[f64; 3]>);

impl Curve {
    fn of(planner: Planner, initial: &[f64]) -> Self {
        let all = progress(planner);
        let best = |progress: &Vec<(usize, f64)>, judged: usize| {
            let known = progress.iter().take_while(|(at, _)| *at <= judged).last();
            // What serves nobody is told as minus infinity.
            known.map_or(0.0, |(_, score)| score.max(0.0))
        };
        let after = |judged| parts(all.iter().map(|progress| best(progress, judged)), initial);
        Self((1..=JUDGED).map(after).collect())
    }

    fn after(&self, judged: usize) -> [f64; 3] {
        self.0[judged - 1]
    }

    /// The corners of the least, the median or the most.
    fn line(&self, which: usize) -> Vec<(f64, f64)> {
        let mut corners = vec![(1.0, self.after(1)[which])];
        for judged in 2..=JUDGED {
            let [before, now] = [judged - 1, judged].map(|at| self.after(at)[which]);
            if before != now {
                corners.extend([(judged as f64, before), (judged as f64, now)]);
            }
        }
        corners.push((JUDGED as f64, self.after(JUDGED)[which]));
        corners
    }
}

fn last(progress: &[(usize, f64)]) -> f64 {
    progress.last().map_or(0.0, |(_, score)| *score)
}

fn main() {
    let initial: Vec<f64> = progress(Planner::HexgenInitial).iter().map(|all| last(all)).collect();
    let curves = SEARCHES.map(|(_, planner, _)| Curve::of(planner, &initial));
    let cell = |[least, median, most]: [f64; 3]| format!("{median:.3} ({least:.3} to {most:.3})");
    let mut rows = Vec::new();
    for ((name, ..), curve) in SEARCHES.iter().zip(&curves) {
        let cells = SHOWN.map(|judged| cell(curve.after(judged)));
        rows.push([(*name).to_owned()].into_iter().chain(cells).collect());
    }
    let initial: Vec<String> = initial.iter().map(|rate| format!("{rate:.3}")).collect();
    println!("Rate of which 99 % are within {} times what eight A100 take,", common::SCALE);
    println!("in parts of the initial assignment's ({} requests/s by seed)\n", initial.join(", "));
    let heads = SHOWN.map(|judged| format!("after {judged}"));
    let heads: Vec<&str> = ["search"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    table(&heads, &rows);
    let random = curves[1].after(JUDGED)[1];
    let over = |part: f64| 100.0 * (part / random - 1.0);
    println!(
        "\nmedians at the end, over random mutation's: HexGen's {:+.1} %, ours {:+.1} %",
        over(curves[0].after(JUDGED)[1]),
        over(curves[2].after(JUDGED)[1])
    );
    if let Some(file) = std::env::args().nth(1) {
        draw(Path::new(&file), &curves).expect("a picture");
        println!("{file}");
    }
}

/// Lines of medians in bands from the least to the most.
fn draw(file: &Path, curves: &[Curve]) -> Result<(), Box<dyn std::error::Error>> {
    const TEXT: &str = "sans-serif";
    let area = SVGBackend::new(file, (800, 440)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = curves.iter().map(|curve| curve.after(JUDGED)[2]).fold(1.0, f64::max);
    let (width, most) = (1.0..JUDGED as f64, (most * 50.0).ceil() / 50.0 + 0.02);
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(width.clone().log_scale(), 0.98..most)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .x_desc("partitions judged")
        .y_desc("rate in time, in parts of the initial assignment's")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.2}"))
        .label_style((TEXT, 13))
        .draw()?;
    let flat = [(width.start, 1.0), (width.end, 1.0)];
    for ((_, _, colour), curve) in SEARCHES.iter().zip(curves) {
        let band: Vec<_> =
            curve.line(0).into_iter().chain(curve.line(2).into_iter().rev()).collect();
        chart.draw_series([Polygon::new(band.clone(), colour.mix(0.08))])?;
        chart.draw_series([PathElement::new(band, colour.mix(0.4))])?;
    }
    let (name, colour) = INITIAL;
    chart.draw_series(DashedLineSeries::new(flat, 6, 4, colour.stroke_width(2)))?;
    let text = Text::new(name, (6, 6), (TEXT, 13).into_font().color(&colour));
    chart.draw_series([EmptyElement::at((width.start, 1.0)) + text])?;
    for ((name, _, colour), curve) in SEARCHES.iter().zip(curves) {
        let line = LineSeries::new(curve.line(1), colour.stroke_width(2));
        let key = |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2));
        chart.draw_series(line)?.label(*name).legend(key);
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.2))
        .label_font((TEXT, 13))
        .draw()?;
    area.present()?;
    Ok(())
}
