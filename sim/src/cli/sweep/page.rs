//! Pictures of a sweep: a figure over the first key, a line for each value of the others.

use std::collections::BTreeMap;

use hexswarm_sim::{
    Axis, Metric,
    report::{Chart, Key, Series},
};

use super::point::Point;

/// Lines of a picture, at most.
const LINES_MAX: usize = 14;

/// A picture for each figure, and what is to be said of them.
pub(super) fn charts(
    axes: &[Axis],
    points: &[Point],
    figures: &[Metric],
) -> (Vec<Chart>, Vec<String>) {
    let swept: Vec<usize> =
        (0..axes.len()).filter(|axis| axes[*axis].settings().len() > 1).collect();
    let Some((&first, rest)) = swept.split_first().filter(|_| !points.is_empty()) else {
        return (Vec::new(), Vec::new());
    };
    let texts: Vec<String> =
        axes[first].settings().iter().map(|setting| setting.text.clone()).collect();
    let numbers: Option<Vec<f64>> = texts.iter().map(|text| text.parse().ok()).collect();
    let log_x = numbers.as_ref().is_some_and(|numbers| {
        let least = numbers.iter().copied().fold(f64::MAX, f64::min);
        least > 0.0 && numbers.iter().any(|number| number / least >= 10.0)
    });
    let place = |text: &str| texts.iter().position(|known| known == text);
    let x = |point: &Point| {
        let at = place(point.text(first)?)?;
        Some(numbers.as_ref().map_or(at as f64, |numbers| numbers[at]))
    };
    let label = |point: &Point| {
        let own = rest
            .iter()
            .filter_map(|axis| Some(format!("{} = {}", axes[*axis].key(), point.text(*axis)?)));
        own.collect::<Vec<_>>().join(", ")
    };
    let mut order: Vec<String> = Vec::new();
    for point in points {
        let label = label(point);
        if !order.contains(&label) {
            order.push(label);
        }
    }
    let left_out = order.len().saturating_sub(LINES_MAX);
    order.truncate(LINES_MAX);
    let chart = |(number, figure): (usize, &Metric)| {
        let mut lines: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for point in points {
            let line = order.iter().position(|known| *known == label(point));
            if let (Some(line), Some(x), Some(y)) = (line, x(point), point.value(number)) {
                lines.entry(line).or_default().push((x, figure.scaled(y)));
            }
        }
        let series = order.iter().enumerate().map(|(number, label)| {
            let mut points = lines.remove(&number).unwrap_or_default();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Series { label: label.clone(), points, ..Series::default() }
        });
        // Figures that rise have the key where they are low, costs have room above them.
        let series: Vec<Series> = series.collect();
        let most = series.iter().flat_map(|line| &line.points).map(|(_, y)| *y).fold(0.0, f64::max);
        let (key, y_range) = match figure {
            Metric::Attainment(_) => (Key::LowerLeft, Some((0.0, 105.0))),
            figure if figure.is_cost() => {
                (Key::UpperLeft, (most > 0.0).then_some((0.0, 1.4 * most)))
            }
            _ => (Key::LowerRight, None),
        };
        Chart {
            key,
            y_range,
            title: figure.name(),
            x: axes[first].key().to_owned(),
            y: figure.axis(),
            log_x,
            names: if numbers.is_none() { texts.clone() } else { Vec::new() },
            series,
            ..Chart::default()
        }
    };
    let mut words = vec!["Of all seeds of a point together.".to_owned()];
    if left_out > 0 {
        words.push(format!("Left out: {left_out} lines after the first {LINES_MAX}."));
    }
    (figures.iter().enumerate().map(chart).collect(), words)
}
