//! Pictures of what became of requests, and of what went on meanwhile.

use std::{collections::BTreeMap, time::Duration};

use swarm_proto::Time;

use super::{Chart, Drawn, Key, Series};
use crate::{Film, Report, Served};

/// Seeds that have lines of their own; more are drawn together.
const SEEDS_MAX: usize = 6;
/// Corners of a line, and dots, at most.
const CORNERS_MAX: usize = 400;
const DOTS_MAX: usize = 1_500;
/// Times at which things under way are counted.
const TIMES: usize = 150;

/// Runs of a scenario, each with its seed.
pub type Runs = [(u64, Report)];

/// Corners of a line.
type Corners = Vec<(f64, f64)>;

/// What all runs came to: times in order, and attainment by scale.
pub fn spreads(runs: &Runs) -> Vec<Chart> {
    let cdf = |what: &str, of: fn(&Served) -> Option<Duration>| Chart {
        title: format!("{what}: the part of requests that take no longer"),
        x: "ms".to_owned(),
        y: "part of requests, %".to_owned(),
        log_x: true,
        y_range: Some((0.0, 105.0)),
        key: Key::LowerRight,
        series: lines(runs, &|reports| in_order(reports, of), Drawn::Plain),
        ..Chart::default()
    };
    let attainment = Chart {
        title: "requests done within a deadline".to_owned(),
        x: "deadline, in scales".to_owned(),
        y: "in time, %".to_owned(),
        log_x: true,
        y_range: Some((0.0, 105.0)),
        key: Key::LowerRight,
        series: lines(runs, &attained, Drawn::Marked),
        ..Chart::default()
    };
    vec![
        cdf("TTFT", |one| one.ttft),
        cdf("TPOT", Served::tpot),
        cdf("request latency", |one| one.latency),
        attainment,
    ]
}

/// What became of requests by when they were asked, with lines where something went wrong.
pub fn over_time(report: &Report, film: &Film) -> Vec<Chart> {
    let dots = |what: &str, of: fn(&Served) -> Option<Duration>| {
        let point = |one: &Served| {
            Some((one.asked.since(report.begun).as_secs_f64(), of(one)?.as_secs_f64() * 1e3))
        };
        let points: Vec<_> = report.served.iter().filter_map(point).collect();
        let every = points.len().div_ceil(DOTS_MAX).max(1);
        let some = if every > 1 { format!(", one of {every}") } else { String::new() };
        Chart {
            title: format!("{what} by when a request was asked{some}"),
            x: "asked, s".to_owned(),
            y: "ms".to_owned(),
            series: vec![Series {
                points: points.into_iter().step_by(every).collect(),
                drawn: Drawn::Dots,
                ..Series::default()
            }],
            marks: marks(film, report.begun),
            ..Chart::default()
        }
    };
    vec![dots("TTFT", |one| one.ttft), dots("latency", |one| one.latency)]
}

/// What went on: requests under way, and tokens a second.
pub fn under_way(film: &Film, begun: Time) -> Vec<Chart> {
    let span = film.end.since(begun);
    let step = span / TIMES as u32;
    let times = || (0..=TIMES as u32).map(|number| begun + step * number);
    let x = |at: Time| at.since(begun).as_secs_f64();
    let chart = |title: &str, y: &str, points| Chart {
        title: title.to_owned(),
        x: "s".to_owned(),
        y: y.to_owned(),
        series: vec![Series { points, drawn: Drawn::Plain, ..Series::default() }],
        marks: marks(film, begun),
        ..Chart::default()
    };
    let open = times().map(|at| (x(at), film.counts(at).under_way as f64)).collect();
    let wide = step.max(film.tokens.slot()).as_secs_f64().max(f64::MIN_POSITIVE);
    let mut bins: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, _, count) in film.tokens.counts().filter(|(at, ..)| *at >= begun) {
        *bins.entry((x(at) / wide) as u64).or_default() += u64::from(count);
    }
    let last = (span.as_secs_f64() / wide) as u64;
    let rate = |bin: u64| {
        let count = bins.get(&bin).copied().unwrap_or(0);
        ((bin as f64 + 0.5) * wide, count as f64 / wide)
    };
    vec![
        chart("requests that wait or run", "requests", open),
        chart("tokens that clients get", "tokens/s", (0..=last).map(rate).collect()),
    ]
}

fn marks(film: &Film, begun: Time) -> Vec<f64> {
    let faults = film.faults().filter(|moment| moment.at >= begun);
    let mut marks: Vec<f64> = faults.map(|m| m.at.since(begun).as_secs_f64()).collect();
    marks.dedup();
    marks.truncate(CORNERS_MAX);
    marks
}

/// A line for each seed, or one for all of many.
fn lines(runs: &Runs, of: &dyn Fn(&[&Report]) -> Corners, drawn: Drawn) -> Vec<Series> {
    let line = |label: String, reports: &[&Report]| Series { label, points: of(reports), drawn };
    if runs.len() > SEEDS_MAX {
        let all: Vec<&Report> = runs.iter().map(|(_, report)| report).collect();
        return vec![line(format!("all {} seeds", runs.len()), &all)];
    }
    runs.iter().map(|(seed, report)| line(format!("seed {seed}"), &[report])).collect()
}

/// Times in order; what has none takes for ever.
fn in_order(reports: &[&Report], of: fn(&Served) -> Option<Duration>) -> Corners {
    let served = || reports.iter().flat_map(|report| &report.served);
    let mut times: Vec<f64> = served().filter_map(of).map(|t| t.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let (count, all) = (times.len(), served().count() as f64);
    let every = count.div_ceil(CORNERS_MAX).max(1);
    let corners = times.iter().enumerate().filter(|(n, _)| n % every == 0 || n + 1 == count);
    corners.map(|(n, time)| (*time, 100.0 * (n + 1) as f64 / all)).collect()
}

fn attained(reports: &[&Report]) -> Corners {
    let Some(first) = reports.first() else { return Vec::new() };
    let all: usize = reports.iter().map(|report| report.served.len()).sum();
    let part = |place: usize| {
        let met = |report: &&Report| report.in_time.get(place).map_or(0, |(_, met)| *met);
        100.0 * reports.iter().map(met).sum::<usize>() as f64 / all.max(1) as f64
    };
    let scales = first.in_time.iter().enumerate();
    let mut points: Vec<_> = scales.map(|(place, (scale, _))| (*scale, part(place))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(latencies_ms: &[Option<u64>]) -> Report {
        let served = latencies_ms.iter().map(|ms| Served {
            asked: Time(0),
            latency: ms.map(Duration::from_millis),
            tokens: 1,
            ..Served::default()
        });
        Report { served: served.collect(), ..Report::default() }
    }

    #[test]
    fn requests_without_an_answer_count_among_all() {
        let reports = [report(&[Some(30), None]), report(&[Some(10), Some(20)])];
        let both: Vec<&Report> = reports.iter().collect();
        let points = in_order(&both, |one| one.latency);
        assert_eq!(points, [(10.0, 25.0), (20.0, 50.0), (30.0, 75.0)]);
    }

    #[test]
    fn lines_have_few_corners_and_end_where_they_should() {
        let many: Vec<_> = (1..=10_001).map(Some).collect();
        let points = in_order(&[&report(&many)], |one| one.latency);
        assert!(points.len() <= CORNERS_MAX + 1, "{}", points.len());
        assert_eq!(points.last(), Some(&(10_001.0, 100.0)));
    }

    #[test]
    fn many_seeds_are_one_line() {
        let runs = |many: u64| (0..many).map(|seed| (seed, report(&[Some(seed + 1)]))).collect();
        let few: Vec<_> = runs(3);
        let many: Vec<_> = runs(9);
        assert_eq!(spreads(&few)[2].series.len(), 3);
        assert_eq!(spreads(&many)[2].series.len(), 1);
        assert_eq!(spreads(&many)[2].series[0].points.len(), 9);
    }
}
