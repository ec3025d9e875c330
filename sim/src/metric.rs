//! What is measured of runs.

use crate::{Report, Spread};

/// A figure of a run, or of runs together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Time to the first token, the middle.
    TtftP50,
    /// What 99 of 100 are not above.
    TtftP99,
    /// Time for each token after the first, the middle.
    TpotP50,
    /// What 99 of 100 are not above.
    TpotP99,
    /// From a request to its last token, the middle.
    LatencyP50,
    /// What 99 of 100 are not above.
    LatencyP99,
    /// Tokens that clients got.
    Tokens,
    /// Answers that are whole.
    Whole,
    /// Requests that are done within so many times the deadline's scale.
    Goodput(f64),
    /// The part of requests that are.
    Attainment(f64),
}

/// The scale that goodput is told at, if the scenario has it; else the first that it has.
const GOOD: f64 = 5.0;

impl Metric {
    /// All figures of a scenario with these scales.
    pub fn all(scales: &[f64]) -> Vec<Self> {
        use Metric::*;
        let mut all =
            vec![Whole, TtftP50, TtftP99, TpotP50, TpotP99, LatencyP50, LatencyP99, Tokens];
        let good = scales.iter().find(|scale| **scale == GOOD).or(scales.first());
        all.extend(good.map(|scale| Goodput(*scale)));
        all.extend(scales.iter().map(|scale| Attainment(*scale)));
        all
    }

    /// What it is called in files; its unit is last.
    pub fn name(self) -> String {
        match self {
            Self::TtftP50 => "ttft_p50_ms".to_owned(),
            Self::TtftP99 => "ttft_p99_ms".to_owned(),
            Self::TpotP50 => "tpot_p50_ms".to_owned(),
            Self::TpotP99 => "tpot_p99_ms".to_owned(),
            Self::LatencyP50 => "latency_p50_ms".to_owned(),
            Self::LatencyP99 => "latency_p99_ms".to_owned(),
            Self::Tokens => "tokens_per_s".to_owned(),
            Self::Whole => "whole".to_owned(),
            Self::Goodput(scale) => format!("goodput_{scale}x_per_s"),
            Self::Attainment(scale) => format!("attainment_{scale}x"),
        }
    }

    /// What it is called in tables.
    pub fn head(self) -> String {
        match self {
            Self::TtftP50 => "TTFT p50 ms".to_owned(),
            Self::TtftP99 => "TTFT p99 ms".to_owned(),
            Self::TpotP50 => "TPOT p50 ms".to_owned(),
            Self::TpotP99 => "TPOT p99 ms".to_owned(),
            Self::LatencyP50 => "request p50 ms".to_owned(),
            Self::LatencyP99 => "request p99 ms".to_owned(),
            Self::Tokens => "tokens/s".to_owned(),
            Self::Whole => "whole".to_owned(),
            Self::Goodput(scale) => format!("in {scale}x /s"),
            Self::Attainment(scale) => format!("{scale}x"),
        }
    }

    /// What the axis of a picture says of it.
    pub fn axis(self) -> String {
        match self {
            Self::Attainment(_) => "in time, %".to_owned(),
            Self::Goodput(_) => "requests/s in time".to_owned(),
            Self::Tokens => "tokens/s".to_owned(),
            Self::Whole => "whole answers".to_owned(),
            _ => "ms".to_owned(),
        }
    }

    /// A value of it as that axis has it.
    pub fn scaled(self, value: f64) -> f64 {
        if matches!(self, Self::Attainment(_)) { 100.0 * value } else { value }
    }

    /// Whether less of it is better.
    pub fn is_cost(self) -> bool {
        !matches!(self, Self::Tokens | Self::Whole | Self::Goodput(_) | Self::Attainment(_))
    }

    /// A value of it, for people.
    pub fn told(self, value: f64) -> String {
        match self {
            Self::Whole => format!("{}", rounded(value, 1)),
            Self::Goodput(_) => format!("{:.3}", rounded(value, 3)),
            Self::Attainment(_) => format!("{:.1} %", rounded(100.0 * value, 1)),
            _ => format!("{:.1}", rounded(value, 1)),
        }
    }

    /// Its value for runs together: of all their requests, over all their time. None if nothing was
    /// there to measure.
    pub fn of(self, reports: &[&Report]) -> Option<f64> {
        let served = || reports.iter().flat_map(|report| &report.served);
        let ttft = || Spread::of(served().filter_map(|one| one.ttft));
        let tpot = || Spread::of(served().filter_map(crate::Served::tpot));
        let latency = || Spread::of(served().filter_map(|one| one.latency));
        let count = served().count() as f64;
        let span_s: f64 = reports.iter().map(|report| report.span.as_secs_f64()).sum();
        let per_s = |count: f64| (span_s > 0.0).then(|| count / span_s);
        match self {
            Self::TtftP50 => Some(ttft()?.p50),
            Self::TtftP99 => Some(ttft()?.p99),
            Self::TpotP50 => Some(tpot()?.p50),
            Self::TpotP99 => Some(tpot()?.p99),
            Self::LatencyP50 => Some(latency()?.p50),
            Self::LatencyP99 => Some(latency()?.p99),
            Self::Tokens => per_s(served().map(|one| one.tokens as f64).sum()),
            Self::Whole => {
                (count > 0.0).then(|| reports.iter().map(|report| report.whole() as f64).sum())
            }
            Self::Goodput(scale) => per_s(in_time(reports, scale)?),
            Self::Attainment(scale) if count > 0.0 => Some(in_time(reports, scale)? / count),
            Self::Attainment(_) => None,
        }
    }
}

/// To so many places; a little less than nothing is nothing.
fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale + 0.0
}

/// Requests that are done within so many times the deadline's scale.
fn in_time(reports: &[&Report], scale: f64) -> Option<f64> {
    let of = |report: &&Report| {
        let met = report.in_time.iter().find(|(known, _)| *known == scale)?.1;
        Some(met as f64)
    };
    reports.iter().filter(|report| report.trouble.is_none()).map(of).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_proto::Time;

    use super::*;
    use crate::Served;

    fn report(latencies_ms: &[u64], in_time: usize, span_s: u64) -> Report {
        let served = latencies_ms.iter().map(|ms| Served {
            asked: Time(0),
            ttft: Some(Duration::from_millis(ms / 2)),
            latency: Some(Duration::from_millis(*ms)),
            tokens: 11,
            ..Served::default()
        });
        let span = Duration::from_secs(span_s);
        Report {
            served: served.collect(),
            span,
            in_time: vec![(2.0, in_time)],
            ..Report::default()
        }
    }

    #[test]
    fn runs_together_count_by_their_requests_and_their_time() {
        let (few, many) = (report(&[100], 0, 10), report(&[200, 300, 400], 2, 30));
        let of = |figure: Metric| figure.of(&[&few, &many]);
        assert_eq!(of(Metric::LatencyP50), Some(200.0));
        assert_eq!(of(Metric::TtftP99), Some(200.0));
        assert_eq!(of(Metric::TpotP50), Some(10.0));
        assert_eq!(of(Metric::Tokens), Some(44.0 / 40.0));
        assert_eq!(of(Metric::Whole), Some(4.0));
        assert_eq!(of(Metric::Attainment(2.0)), Some(0.5));
        assert_eq!(of(Metric::Goodput(2.0)), Some(2.0 / 40.0));
        assert_eq!(of(Metric::Attainment(3.0)), None, "nobody counted it");
    }

    #[test]
    fn what_was_not_measured_is_not_nothing() {
        let none = Report { trouble: Some("no plan".to_owned()), ..Report::default() };
        for figure in Metric::all(&[2.0]) {
            assert_eq!(figure.of(&[&none]), None, "{figure:?}");
            assert_eq!(figure.of(&[]), None, "{figure:?}");
        }
    }

    #[test]
    fn goodput_is_told_at_five_times_the_deadline_if_that_is_counted() {
        assert!(Metric::all(&[2.0, 5.0]).contains(&Metric::Goodput(5.0)));
        assert!(Metric::all(&[3.0, 2.0]).contains(&Metric::Goodput(3.0)));
        assert_eq!(Metric::all(&[]).last(), Some(&Metric::Tokens));
        assert_eq!(Metric::Goodput(2.5).name(), "goodput_2.5x_per_s");
    }

    #[test]
    fn figures_are_told_to_as_many_places_as_say_something() {
        assert_eq!(Metric::TtftP50.told(59.0), "59.0");
        assert_eq!(Metric::Tokens.told(-0.04), "0.0");
        assert_eq!(Metric::Whole.told(151.94), "151.9");
        assert_eq!(Metric::Whole.told(29.0), "29");
        assert_eq!(Metric::Attainment(5.0).told(0.9876), "98.8 %");
    }
}
