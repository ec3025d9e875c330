//! What a comparison's page shows.

use hexswarm_sim::{
    Figure, Paired,
    report::{Forest, Interval, Section},
};

use super::told;
use crate::cli::html::grid;

/// The table, its words, and all differences below each other.
pub(super) fn section(pairs: &[(Figure, Paired)], troubles: [&[(u64, String)]; 2]) -> Section {
    let mut words = told::words(pairs);
    for (side, troubles) in ["A", "B"].into_iter().zip(troubles) {
        if let Some((seed, why)) = troubles.first() {
            let many = troubles.len();
            words.push(format!(
                "{side}, seed {seed}: there is no plan: {why} (so with {many} seeds)"
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
    Section {
        title: "What came of it".to_owned(),
        words,
        table: grid(&told::table(pairs)),
        pictures: vec![forest.svg()],
        ..Section::default()
    }
}

/// A difference in hundredths of what A has.
fn interval((figure, paired): &(Figure, Paired)) -> Option<Interval> {
    let part = |value: f64| 100.0 * value / paired.a.abs();
    (paired.a != 0.0).then(|| Interval {
        label: figure.name(),
        middle: part(paired.difference),
        ends: paired.interval.map(|(low, high)| (part(low), part(high))),
        better: told::better(*figure, paired),
    })
}
