//! The shapes of the paper's figures, from our runs.

use super::{
    FIGURES,
    case::{CaseStudy, DELAYS_MS, LAYOUTS, PUBLISHED, TOO_LARGE},
    claims::Facts,
    curve::Point,
    estimate::Estimated,
    extent::DRAWN,
    followups::FollowUps,
    ratios::scale_at,
    runs::{Case, PaperError},
    spot::Spot,
    system::{BATCHED, System},
};
use crate::report::{Chart, Drawn, Key, Series};

/// Pictures that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its number in the paper, or ours.
    pub number: u32,
    /// What it is about.
    pub about: &'static str,
    /// What of it was published.
    pub published: &'static str,
    /// The pictures.
    pub charts: Vec<Chart>,
    /// Commands that run one of its points.
    pub commands: Vec<String>,
}

/// Deadlines that attainment is drawn for, in scales.
const SCALES: [f64; 14] =
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 40.0, 90.0];
/// Rates at which it is drawn by deadline; the nearest that was run.
const RATE: f64 = 1.25;
const NONE: &str = "the published points are not available: the text was read in summaries";

/// Each figure that something was run for.
pub(super) fn all(facts: &Facts<'_>) -> Result<Vec<Figure>, PaperError> {
    let drawn = FIGURES.iter().map(|&(number, about)| {
        let (published, charts) = charts(facts, number);
        let commands = commands(facts, number)?;
        Ok(Figure { number, about, published, charts, commands })
    });
    drawn.collect()
}

/// What was published of a figure, and its pictures.
fn charts(facts: &Facts<'_>, number: u32) -> (&'static str, Vec<Chart>) {
    let systems = systems(number);
    match number {
        1 => ("published: the paper's layout is up to 2 and 19 times as fast", case(facts)),
        3 => (NONE, [by_rate(facts, systems), by_scale(facts, systems)].concat()),
        5 => (NONE, by_scale(facts, systems)),
        6 => (NONE, convergence(facts)),
        8 => ("not in the paper, whose engine has no batches", batched(facts, systems)),
        9 => ("published: 92 % and 94 %, at one point", estimate(facts)),
        10 => (
            "published: what Helix' artifact expects of its own simulator",
            facts.followups.as_ref().map(FollowUps::charts).unwrap_or_default(),
        ),
        _ => (NONE, by_rate(facts, systems)),
    }
}

/// What a figure shows, if that is systems at rates.
pub(super) fn systems(number: u32) -> &'static [System] {
    use System::{Full, Half, Less3090, LessA6000, Petals, Symmetric, Tgi, Tp4, Tp8};
    match number {
        2 | 5 => &[Full, Half, Symmetric, Tp8, Tp4],
        3 => &[Half, Petals],
        4 => &[Full, LessA6000, Less3090, Petals],
        7 => &[Full, Tgi],
        8 => &BATCHED,
        _ => &[],
    }
}

/// What runs a point of each line.
fn commands(facts: &Facts<'_>, number: u32) -> Result<Vec<String>, PaperError> {
    match number {
        1 if facts.case.is_some() => {
            let refused = (0..TOO_LARGE.len()).map(CaseStudy::refused);
            (0..LAYOUTS.len()).map(CaseStudy::command).chain(refused).collect()
        }
        6 => match &facts.search {
            Some(search) => search.commands(facts.extent.seeds.start),
            None => Ok(Vec::new()),
        },
        9 => Ok(facts.estimate.as_ref().map(|e| e.commands.clone()).unwrap_or_default()),
        10 => Ok(facts.followups.as_ref().map(FollowUps::commands).unwrap_or_default()),
        _ => {
            let output = facts.extent.middle();
            let spots = systems(number).iter().filter_map(|&system| {
                let requests_per_s =
                    facts.runs.curve(system, output, DRAWN)?.near(RATE)?.requests_per_s;
                let deadline = facts.runs.deadline(output, DRAWN);
                Some(Spot { case: Case::of(system, output, DRAWN), requests_per_s, deadline })
            });
            spots.map(|spot| spot.command(facts.extent)).collect()
        }
    }
}

fn line(label: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
    Series { label: label.into(), points, ..Series::default() }
}

/// Attainment by rate, a picture for each length of answers.
fn by_rate(facts: &Facts<'_>, systems: &[System]) -> Vec<Chart> {
    let chart = |&output: &u32| {
        let deadline = facts.runs.deadline(output, DRAWN);
        let series = systems.iter().filter_map(|&system| {
            let curve = facts.runs.curve(system, output, DRAWN)?;
            let at = |point: &Point| (point.requests_per_s, 100.0 * point.attainment(deadline));
            Some(line(system.label(), curve.0.iter().map(at).collect()))
        });
        Chart {
            title: format!("answers of {output} tokens, within {DRAWN}x what eight A100 take"),
            x: "requests/s".to_owned(),
            y: "in time, %".to_owned(),
            log_x: true,
            y_range: Some((0.0, 105.0)),
            series: series.collect(),
            ..Chart::default()
        }
    };
    // Of systems that are told for one length there is nothing to draw for the others.
    facts.extent.outputs.iter().map(chart).filter(|chart| !chart.series.is_empty()).collect()
}

/// Marks of a picture.
const LINES_MAX: usize = 7;

/// The same of what the paper runs and of what was added beside its best, for a picture tells so many lines
/// apart.
fn batched(facts: &Facts<'_>, systems: &[System]) -> Vec<Chart> {
    let (paper, added) = systems.split_at(systems.len().min(6));
    let ours: Vec<System> = systems.iter().take(2).chain(added).copied().take(LINES_MAX).collect();
    [by_rate(facts, paper), by_rate(facts, &ours)].concat()
}

/// Attainment by deadline at one rate, with the best plan for each deadline.
fn by_scale(facts: &Facts<'_>, systems: &[System]) -> Vec<Chart> {
    let nearest =
        |a: &f64, b: &f64| (a.ln() - RATE.ln()).abs().total_cmp(&(b.ln() - RATE.ln()).abs());
    let Some(rate) = facts.extent.rates.iter().copied().min_by(nearest) else { return Vec::new() };
    let chart = |&output: &u32| {
        let series = systems.iter().filter_map(|&system| {
            let best = |scale: f64| {
                let deadline = facts.runs.deadline(output, scale);
                let plans = facts.extent.scales.iter();
                let met = plans.filter_map(|plan| {
                    let point = facts.runs.curve(system, output, *plan)?.at(rate)?;
                    Some(point.attainment(deadline))
                });
                met.max_by(f64::total_cmp).map(|met| (scale, 100.0 * met))
            };
            let points: Vec<_> = SCALES.iter().filter_map(|scale| best(*scale)).collect();
            let label = match scale_at(facts, system, output, rate) {
                Some((scale, _)) => format!("{} (99 % at {scale:.1}x)", system.label()),
                None => system.label().to_owned(),
            };
            (!points.is_empty()).then(|| line(label, points))
        });
        Chart {
            title: format!("answers of {output} tokens at {rate:.2} requests/s"),
            x: "deadline, times what eight A100 take".to_owned(),
            y: "in time, %".to_owned(),
            log_x: true,
            y_range: Some((0.0, 105.0)),
            key: Key::LowerRight,
            series: series.collect(),
            ..Chart::default()
        }
    };
    // Of systems that are told for one length there is nothing to draw for the others.
    facts.extent.outputs.iter().map(chart).filter(|chart| !chart.series.is_empty()).collect()
}

fn case(facts: &Facts<'_>) -> Vec<Chart> {
    let Some(study) = &facts.case else { return Vec::new() };
    let own = LAYOUTS.iter().enumerate().map(|(number, (_, label))| {
        let at = |(ms, times): &(f64, [std::time::Duration; 3])| (*ms, times[number].as_secs_f64());
        line(*label, study.times.iter().map(at).collect())
    });
    let published = PUBLISHED.iter().map(|factor| Series {
        label: format!("published: {factor}x"),
        points: study
            .times
            .iter()
            .map(|(ms, times)| (*ms, factor * times[0].as_secs_f64()))
            .collect(),
        drawn: Drawn::Dots,
    });
    let series = own.chain(published);
    vec![Chart {
        title: "a request of 128 and 64 tokens, alone on eight cards of three machines".to_owned(),
        x: "delay between machines, ms".to_owned(),
        y: "seconds".to_owned(),
        log_x: true,
        log_y: true,
        key: Key::UpperLeft,
        series: series.collect(),
        y_range: Some((3.0, DELAYS_MS[3] * 20.0)),
        ..Chart::default()
    }]
}

fn convergence(facts: &Facts<'_>) -> Vec<Chart> {
    let Some(convergence) = &facts.search else { return Vec::new() };
    let searches = convergence.searches.iter().enumerate();
    let series = searches.map(|(number, (name, _))| line(*name, convergence.line(number)));
    vec![Chart {
        title: "58 cards: rate in time, in parts of the initial assignment's".to_owned(),
        x: "partitions judged".to_owned(),
        y: "part".to_owned(),
        log_x: true,
        y_range: Some((0.9, 1.2)),
        key: Key::LowerRight,
        series: series.collect(),
        ..Chart::default()
    }]
}

fn estimate(facts: &Facts<'_>) -> Vec<Chart> {
    let Some(estimate) = &facts.estimate else { return Vec::new() };
    let of = |which: fn(&Estimated) -> f64| {
        estimate.rates.iter().map(|at| (at.requests_per_s, 100.0 * which(at))).collect::<Vec<_>>()
    };
    vec![Chart {
        title: "58 cards by HexGen's search, within 5x".to_owned(),
        x: "requests/s".to_owned(),
        y: "in time, %".to_owned(),
        y_range: Some((0.0, 105.0)),
        series: vec![
            line("estimated by the planner", of(|at| at.estimated)),
            line("simulated", of(|at| at.simulated)),
            line("simulated, cards reach 0.8 and 0.55", of(|at| at.slower)),
        ],
        ..Chart::default()
    }]
}
