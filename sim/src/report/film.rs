//! A run as a picture that moves: who holds what, who is there, and where tokens go. Without a script
//! its main moments stand below each other.

mod frame;
mod paths;
mod place;

use minijinja::{Environment, context, value::Serde};

use self::{frame::Frame, paths::paths, place::Place};
use super::{
    Grid,
    steps::{Steps, is_main},
};
use crate::film::Film;

/// Its marks.
const TEMPLATE: &str = include_str!("film.html");
/// Small pictures, at most.
const PICTURES_MAX: usize = 12;
/// Moments that can be chosen from a list, at most.
const LISTED_MAX: usize = 100;

/// A film, and what is to be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// HTML: the film, and its main moments.
    pub html: String,
    /// What it shows, and what is left out.
    pub words: Vec<String>,
    /// Where requests went.
    pub paths: Grid,
}

/// The film, with machines called by these names.
pub fn show(film: &Film, names: &[String]) -> Result<Shown, minijinja::Error> {
    let place = Place::of(film, names);
    let steps = Steps::of(film);
    let frames: Vec<Frame> = steps.all.iter().map(|step| place.frame(film, step)).collect();
    let all_main = steps
        .all
        .iter()
        .enumerate()
        .filter(|(_, step)| film.moments[step.moments.clone()].iter().any(is_main));
    let all_main: Vec<usize> = all_main.map(|(number, _)| number).collect();
    let main = &all_main[..all_main.len().min(PICTURES_MAX)];
    let start = main.first().copied().unwrap_or(0);
    let mut all = Environment::new();
    all.add_template("film.html", TEMPLATE)?;
    let html = all.get_template("film.html")?.render(context! {
        size => Serde(place.size()),
        rows => Serde(&place.rows),
        ticks => Serde(place.layer_ticks()),
        strip => Serde(place.strip(film)),
        plans => Serde(place.plans(film)),
        frames => Serde(&frames),
        all_main => Serde(&all_main[..all_main.len().min(LISTED_MAX)]),
        main => Serde(main),
        start,
    })?;
    let name = |machine: usize| names.get(machine).cloned().unwrap_or(machine.to_string());
    let (paths, untold) = paths(film, &name);
    let words = words(film, &steps, all_main.len(), (place.unseen(), untold));
    Ok(Shown { html, words, paths })
}

fn words(film: &Film, steps: &Steps, main: usize, (unseen, untold): (usize, usize)) -> Vec<String> {
    let mut words = vec![
        format!(
            "{} requests, {} plans, {} faults, {} tokens in {:.1} s.",
            film.requests.len(),
            film.plans.len(),
            film.faults().count(),
            film.tokens.all(),
            film.end.0 as f64 / 1e9,
        ),
        "A row is a machine, a bar what one of its devices holds of the model's layers; bars of one \
         colour and number are one pipeline. Dashes go from stage to stage where tokens came through \
         since the step before, and on the left from the machine that was asked to the first stage: \
         the thicker, the more tokens a second. A dot is as large as requests were many. \u{2605} leads the swarm."
            .to_owned(),
        format!(
            "{} steps, at most {:.2} s apart from the first plan on.",
            steps.all.len(),
            steps.span.as_secs_f64()
        ),
    ];
    let mut cut = |count: usize, what: &str| {
        if count > 0 {
            words.push(format!("Left out: {count} {what}."));
        }
    };
    cut(
        steps.left_out,
        "times at which something happened have no step of their own; the next step has what they came to",
    );
    cut(
        main.saturating_sub(PICTURES_MAX),
        "main moments after the first twelve have no small picture",
    );
    cut(unseen, "machines have no row");
    cut(untold, "requests have no row in the table; those that went on elsewhere come first");
    cut(film.left_out as usize, "moments, plans and requests, for which there was no room");
    words
}

#[cfg(test)]
mod tests {
    use swarm_proto::Time;

    use super::*;
    use crate::film::{Held, Moment, Seen, Shape};

    #[test]
    fn machines_beyond_the_last_row_are_counted_and_names_are_escaped() {
        let machines = vec![vec!["<card>".to_owned()]; 130];
        let held = |layers, machine| Held { layers, members: vec![(machine, 0)] };
        let pipelines = vec![vec![held((0, 3), 0), held((3, 8), 129)]];
        let moment = Moment { at: Time(1_000_000_000), what: Seen::Live(0) };
        let film = Film {
            machines,
            layers: 8,
            moments: vec![moment],
            plans: vec![Shape { id: Default::default(), pipelines }],
            end: Time(2_000_000_000),
            ..Film::default()
        };
        let Shown { html, words, .. } =
            show(&film, &["<script>alert(1)</script>".to_owned()]).unwrap();
        assert!(words.iter().any(|words| words.contains("30 machines have no row")), "{words:?}");
        assert!(!html.contains("<script>alert") && html.contains("&lt;script&gt;"));
        assert!(!html.contains("<card>") && html.contains("plan 1 is live"), "{html}");
    }
}
