//! What a comparison's page shows.

use hexswarm_sim::{
    Comparison, Metric, Paired,
    report::{Forest, Interval, Section},
};

use crate::cli::html::grid;

/// The table, its words, and all differences below each other.
pub(super) fn section(comparison: &Comparison) -> Section {
    let (pairs, mut words) = (comparison.paired(), comparison.words());
    for (name, side) in ["A", "B"].into_iter().zip(comparison.sides()) {
        if let Some((seed, why)) = side.troubles.first() {
            let many = side.troubles.len();
            words.push(format!(
                "{name}, seed {seed}: there is no plan: {why} (so with {many} seeds)"
            ));
        }
    }
    let rows: Vec<Interval> = pairs.iter().filter_map(interval).collect();
    let left_out = pairs.len() - rows.len();
    if left_out > 0 {
        words.push(format!("Left out of the picture: {left_out} figures of which A has nothing."));
    }
    let forest = Forest {
        title: "B beside A, and where the difference is with 95 % confidence".to_owned(),
        x: "B - A, % of A (blue: better, orange: worse, grey: may be chance)".to_owned(),
        rows,
    };
    let pictures = if pairs.is_empty() { Vec::new() } else { vec![forest.svg()] };
    Section {
        title: "What came of it".to_owned(),
        words,
        table: grid(&comparison.table()),
        pictures,
        ..Section::default()
    }
}

/// A difference in hundredths of what A has.
fn interval((figure, paired): &(Metric, Paired)) -> Option<Interval> {
    let part = |value: f64| 100.0 * value / paired.a.abs();
    (paired.a != 0.0).then(|| Interval {
        label: figure.name(),
        middle: part(paired.difference),
        ends: paired.interval.map(|(low, high)| (part(low), part(high))),
        better: figure.better(paired),
    })
}
