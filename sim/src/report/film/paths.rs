//! Where requests went: through whose layers, and where they went on when that was lost.

use swarm_proto::Time;

use crate::{
    film::{Asked, Ending, Film},
    report::Grid,
};

/// Requests that are told of, at most: those that moved before all others.
const ROWS_MAX: usize = 40;

/// A row a request, and how many have none.
pub(super) fn paths(film: &Film, name: &dyn Fn(usize) -> String) -> (Grid, usize) {
    let mut all: Vec<(usize, &Asked)> = film.requests.iter().enumerate().collect();
    all.sort_by_key(|(_, asked)| asked.ways.len() < 2);
    all.truncate(ROWS_MAX);
    all.sort_by_key(|(number, _)| *number);
    let rows = all.iter().map(|(number, asked)| {
        let first = asked.first.map_or("-".to_owned(), seconds);
        let (end, how) = asked.end.map_or(("-".to_owned(), "under way"), |(at, ending)| {
            let how = match ending {
                Ending::Whole => "whole",
                Ending::Refused => "refused",
                Ending::Left => "left",
            };
            (seconds(at), how)
        });
        let begins = vec![number.to_string(), name(asked.entry), seconds(asked.at)];
        [begins, vec![way(film, asked, name), first, end, how.to_owned()]].concat()
    });
    let heads = ["request", "asked at", "s", "went through", "first token, s", "end, s", "answer"];
    let heads = heads.map(str::to_owned).to_vec();
    (Grid { heads, rows: rows.collect() }, film.requests.len() - all.len())
}

/// `a (0-20), b (20-80); from 12.3 s on c (0-80)`: leaders of stages, and their layers.
fn way(film: &Film, asked: &Asked, name: &dyn Fn(usize) -> String) -> String {
    let each = asked.ways.iter().enumerate().map(|(number, (at, (plan, pipeline)))| {
        let stages = film.plans.get(*plan).and_then(|p| p.pipelines.get(usize::from(*pipeline)));
        let stages = stages.into_iter().flatten().map(|held| {
            let ((first, end), leader) = (held.layers, held.members.first());
            let leader = leader.map_or_else(String::new, |(machine, _)| name(*machine));
            let more = match held.members.len() {
                0 | 1 => String::new(),
                members => format!(" x{members}"),
            };
            format!("{leader}{more} ({first}-{end})")
        });
        let from = if number > 0 { format!("from {} s on ", seconds(*at)) } else { String::new() };
        format!("{from}{}", stages.collect::<Vec<_>>().join(", "))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn seconds(at: Time) -> String {
    format!("{:.2}", at.0 as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::film::{Held, Shape};

    #[test]
    fn a_request_that_moved_is_told_of_with_both_ways() {
        let held = |layers, machine, members| Held { layers, members: vec![(machine, 0); members] };
        let shape =
            |pipeline: Vec<Held>| Shape { id: Default::default(), pipelines: vec![pipeline] };
        let s = |seconds: u64| Time(seconds * 1_000_000_000);
        let asked = |ways: &[(Time, (usize, u16))]| Asked {
            entry: 0,
            at: s(1),
            first: Some(s(2)),
            end: Some((s(9), Ending::Whole)),
            ways: ways.to_vec(),
        };
        let mut requests = vec![asked(&[(s(2), (0, 0))]); ROWS_MAX + 5];
        requests.push(asked(&[(s(2), (0, 0)), (s(4), (1, 0))]));
        let film = Film {
            plans: vec![
                shape(vec![held((0, 3), 1, 1), held((3, 8), 2, 2)]),
                shape(vec![held((0, 8), 3, 1)]),
            ],
            requests,
            ..Film::default()
        };
        let (grid, left_out) = paths(&film, &|machine| format!("m{machine}"));
        assert_eq!((grid.rows.len(), left_out), (ROWS_MAX, 6));
        let row = |number: usize| grid.rows[number].join("|");
        assert_eq!(row(0), "0|m0|1.00|m1 (0-3), m2 x2 (3-8)|2.00|9.00|whole");
        let moved = "45|m0|1.00|m1 (0-3), m2 x2 (3-8); from 4.00 s on m3 (0-8)|2.00|9.00|whole";
        assert_eq!(row(ROWS_MAX - 1), moved);
    }
}
