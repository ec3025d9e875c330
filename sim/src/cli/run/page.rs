//! The page of runs of one scenario.

use std::ops::Range;

use hexswarm_sim::{
    Draft, Film, Report, Scenario,
    report::{Section, Shown, over_time, show, spreads, under_way},
};

use crate::cli::{
    html::{asked, grid},
    print,
};

/// All parts of it; `film` is of the first seed.
pub(super) fn sections(
    (draft, scenario): (&Draft, &Scenario),
    seeds: &Range<u64>,
    reports: &[(u64, Report)],
    film: Option<&Film>,
    broken: &[serde_json::Value],
) -> color_eyre::Result<Vec<Section>> {
    let Range { start, end } = seeds;
    let which = match end - start {
        1 => format!("--seed {start}"),
        _ => format!("--seeds {start}..{end}"),
    };
    let command = format!("hexswarm-sim run {draft} {which}");
    let mut sections = vec![asked(command, scenario.notes(), &[draft])];
    sections.push(results(reports, broken));
    let none = !reports.is_empty() && reports.iter().all(|(_, report)| report.trouble.is_some());
    // Where there was no plan there is nothing to see.
    if let Some(film) = film.filter(|_| !none) {
        let own = reports.iter().find(|(seed, _)| seed == start).map(|(_, report)| report);
        let own = own.filter(|report| report.trouble.is_none());
        sections.push(meanwhile(*start, own, film));
        let Shown { html, words, paths } = show(film, &scenario.names())?;
        let title = format!("Seed {start}, step by step");
        sections.push(Section {
            title,
            words,
            table: paths,
            pictures: vec![html],
            ..Section::default()
        });
    }
    Ok(sections)
}

fn results(reports: &[(u64, Report)], broken: &[serde_json::Value]) -> Section {
    let told = print::told(reports);
    let mut words = told.troubles;
    words.extend(told.words);
    let failures = broken.iter().map(|failure| {
        let text = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
        format!("Seed {}: {}: {}", failure["seed"], text("what"), text("again"))
    });
    words.extend(failures);
    let planned = reports.iter().all(|(_, report)| report.trouble.is_none());
    let unfinished: usize = reports.iter().map(|(_, report)| report.unfinished()).sum();
    words.extend(match (broken.len(), unfinished) {
        (0, _) if !planned => None,
        (0, 0) => Some("Whatever must hold did hold.".to_owned()),
        (0, many) => Some(format!("Whatever must hold did hold, but {}.", print::unfinished(many))),
        (many, _) => Some(format!("In {many} runs something did not hold.")),
    });
    let served: Vec<_> = reports.iter().filter(|(_, r)| !r.served.is_empty()).cloned().collect();
    let charts = if served.is_empty() { Vec::new() } else { spreads(&served) };
    let section = Section {
        title: "What came of it".to_owned(),
        words,
        table: grid(&told.table),
        ..Section::default()
    };
    section.with(&charts)
}

fn meanwhile(seed: u64, report: Option<&Report>, film: &Film) -> Section {
    let begun = report.map_or(swarm_proto::Time::ZERO, |report| report.begun);
    let mut charts = report.map(|report| over_time(report, film)).unwrap_or_default();
    charts.extend(under_way(film, begun));
    let from = match report {
        Some(_) => "when the first request could come",
        None => "the start",
    };
    let words = format!("Times count from {from}. Upright lines are where something went wrong.");
    let title = format!("Seed {seed} over time");
    Section { title, words: vec![words], ..Section::default() }.with(&charts)
}
