//! What is said of a comparison.

use std::fmt;

use comfy_table::Table;
use serde_json::{Value, json};

use super::{Comparison, Side};
use crate::{Metric, Paired, Verdict, table as of_figures};

/// A table, and which of its differences are told from chance; nothing if nothing was measured.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.paired();
        if pairs.is_empty() {
            return Ok(());
        }
        writeln!(f, "{}", table(&pairs))?;
        words(&pairs).iter().try_for_each(|words| writeln!(f, "{words}"))
    }
}

impl Comparison {
    /// A row for each figure.
    pub fn table(&self) -> Table {
        table(&self.paired())
    }

    /// Which differences are told from chance.
    pub fn words(&self) -> Vec<String> {
        words(&self.paired())
    }

    /// All figures, for programs.
    pub fn document(&self) -> Value {
        self.paired().iter().map(document).collect()
    }
}

impl Side {
    /// Seeds in which there was no plan, for programs.
    pub fn troubled(&self) -> Value {
        let told = |(seed, why): &(u64, String)| json!({ "seed": seed, "trouble": why });
        self.troubles.iter().map(told).collect()
    }
}

impl Metric {
    /// Whether B is better, if that is not by chance.
    pub fn better(self, paired: &Paired) -> Option<bool> {
        match paired.verdict() {
            Verdict::More => Some(!self.is_cost()),
            Verdict::Less => Some(self.is_cost()),
            _ => None,
        }
    }
}

/// Seeds in which B is better.
fn better_in(figure: Metric, paired: &Paired) -> usize {
    if figure.is_cost() { paired.less } else { paired.more }
}

/// For people.
fn table(pairs: &[(Metric, Paired)]) -> Table {
    let heads = ["figure", "A", "B", "B - A", "95 % interval", "B / A", "B better in"];
    let mut table = of_figures(heads);
    for (figure, paired) in pairs {
        let Paired { a, b, difference, interval, seeds, .. } = *paired;
        let told = |value| figure.told(value);
        let interval = interval.map(|(low, high)| format!("{} to {}", told(low), told(high)));
        let ratio = paired.ratio().map(|ratio| format!("{ratio:.3}"));
        let none = || "-".to_owned();
        table.add_row([
            figure.name(),
            told(a),
            told(b),
            told(difference),
            interval.unwrap_or_else(none),
            ratio.unwrap_or_else(none),
            format!("{} of {seeds}", better_in(*figure, paired)),
        ]);
    }
    table
}

/// Which differences are told from chance.
fn words(pairs: &[(Metric, Paired)]) -> Vec<String> {
    let say = |what: &str, which: &dyn Fn(&Metric, &Paired) -> bool| {
        let named = pairs.iter().filter(|(figure, paired)| which(figure, paired));
        let named: Vec<String> = named.map(|(figure, _)| figure.name()).collect();
        (!named.is_empty()).then(|| format!("{what}: {}", named.join(", ")))
    };
    let is = |verdict| move |_: &Metric, paired: &Paired| paired.verdict() == verdict;
    let is_better = |wanted| move |f: &Metric, paired: &Paired| f.better(paired) == Some(wanted);
    let all = [
        say("B is better, and not by chance", &is_better(true)),
        say("B is worse, and not by chance", &is_better(false)),
        say("B is other, which may be chance", &is(Verdict::Chance)),
        say("B is other, of which one seed tells nothing", &is(Verdict::Unknown)),
        say("the same in every seed", &is(Verdict::Same)),
    ];
    all.into_iter().flatten().collect()
}

/// For programs.
fn document((figure, paired): &(Metric, Paired)) -> Value {
    let Paired { seeds, a, b, difference, interval, .. } = *paired;
    let verdict = match (figure.better(paired), paired.verdict()) {
        (Some(true), _) => "better",
        (Some(false), _) => "worse",
        (None, Verdict::Same) => "same",
        (None, Verdict::Unknown) => "unknown",
        (None, _) => "chance",
    };
    json!({
        "figure": figure.name(), "seeds": seeds, "a": a, "b": b, "difference": difference,
        "interval_95": interval.map(|(low, high)| [low, high]), "ratio": paired.ratio(),
        "b_better_in": better_in(*figure, paired), "b_is": verdict,
    })
}
