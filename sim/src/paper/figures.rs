//! The shapes of the paper's figures, from our runs.

use super::{
    FIGURES,
    case::{DELAYS_MS, LAYOUTS},
    claims::Facts,
    curve::Point,
    estimate::Estimated,
    extent::DRAWN,
    followups::FollowUps,
    ratios::scale_at,
    system::System,
};
use crate::report::{Chart, Key, Series};

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

pub(super) fn all(facts: &Facts<'_>) -> Vec<Figure> {
    let about = |number: u32| FIGURES.iter().find(|(n, _)| *n == number).map_or("", |(_, a)| a);
    let figure = |number, published, charts, systems: &[System]| Figure {
        number,
        about: about(number),
        published,
        charts,
        commands: systems.iter().map(|system| command(*system)).collect(),
    };
    let pools = [System::Full, System::Half, System::Symmetric, System::Tp8, System::Tp4];
    let half = [System::Half, System::Petals];
    let offline = [System::Full, System::LessA6000, System::Less3090, System::Petals];
    let batches = [
        System::OursFull,
        System::OursHalf,
        System::OursHomogeneous,
        System::Parallax,
        System::Tgi,
    ];
    let factors = "published: the paper's layout is up to 2 and 19 times as fast";
    let mut later = figure(
        10,
        "published: what Helix' artifact expects of its own simulator",
        facts.followups.as_ref().map(FollowUps::charts).unwrap_or_default(),
        &[],
    );
    later.commands = facts.followups.as_ref().map(FollowUps::commands).unwrap_or_default();
    vec![
        figure(1, factors, case(facts), &[]),
        figure(2, NONE, by_rate(facts, &pools), &pools),
        figure(3, NONE, [by_rate(facts, &half), by_scale(facts, &half)].concat(), &half),
        figure(4, NONE, by_rate(facts, &offline), &offline),
        figure(5, NONE, by_scale(facts, &pools), &pools),
        figure(6, NONE, convergence(facts), &[]),
        figure(7, NONE, by_rate(facts, &[System::Full, System::Tgi]), &[System::Tgi]),
        figure(
            8,
            "not in the paper, whose engine has no batches",
            by_rate(facts, &batches),
            &batches,
        ),
        figure(9, "published: 92 % and 94 %, at one point", estimate(facts), &[]),
        later,
    ]
}

/// What runs one point of a system.
fn command(system: System) -> String {
    let (name, keys) = system.scenario();
    let set = keys.iter().map(|(key, value)| format!(" --set '{key}={value}'"));
    format!("hexswarm-sim run {name}{} --seed 1   # {}", set.collect::<String>(), system.label())
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
                Some(scale) => format!("{} (99 % at {scale:.1}x)", system.label()),
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
    let series = LAYOUTS.iter().enumerate().map(|(number, (_, label))| {
        let at = |(ms, times): &(f64, [std::time::Duration; 3])| (*ms, times[number].as_secs_f64());
        line(*label, study.0.iter().map(at).collect())
    });
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
    let series = searches.map(|(number, (name, _))| line(*name, convergence.middle(number)));
    vec![Chart {
        title: "58 cards: rate in time, in parts of the initial assignment's".to_owned(),
        x: "partitions judged".to_owned(),
        y: "part".to_owned(),
        log_x: true,
        y_range: Some((0.95, 1.2)),
        key: Key::LowerRight,
        series: series.collect(),
        ..Chart::default()
    }]
}

fn estimate(facts: &Facts<'_>) -> Vec<Chart> {
    let Some(estimate) = &facts.estimate else { return Vec::new() };
    let of = |which: fn(&Estimated) -> f64| {
        estimate.0.iter().map(|at| (at.requests_per_s, 100.0 * which(at))).collect::<Vec<_>>()
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
