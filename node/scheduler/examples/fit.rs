//! What the cost model's factors are, and how far off it is on points that it was not fitted to:
//! each device model left out in turn, and each language model.
//!
//!     cargo run --release -p swarm-scheduler --example fit

use std::collections::BTreeMap;

use swarm_scheduler::fit::{Fit, Phase, Point, Sort, points};

fn main() {
    let fit = Fit::shipped();
    for sort in [Sort::Card, Sort::Soc] {
        println!("{sort:?}: {:?}", fit.factors(sort));
    }
    let sound: Vec<&Point> = points().iter().filter(|point| !point.fault).collect();
    println!(
        "\n{} points, {} of them sound. |log(measured / predicted)|:",
        points().len(),
        sound.len()
    );
    for (phase, several, what) in [
        (Phase::Decode, None, "decode"),
        (Phase::Decode, Some(false), "decode, one device"),
        (Phase::Decode, Some(true), "decode, layers over several devices"),
        (Phase::Prefill, None, "prefill"),
        (Phase::Prefill, Some(false), "prefill, one device"),
        (Phase::Prefill, Some(true), "prefill, layers over several devices"),
    ] {
        let asked = |point: &Point| {
            point.phase == phase && several.is_none_or(|several| several == (point.devices > 1.0))
        };
        println!("\n{what}");
        show(
            "device left out",
            &sound,
            asked,
            |point| &point.device.name,
            |point| &point.device.class,
        );
        show("model left out", &sound, asked, |point| &point.model.name, |point| &point.model.name);
    }
}

/// Errors where each group is left out in turn; in one line, and by class.
fn show(
    what: &str,
    points: &[&Point],
    asked: impl Fn(&Point) -> bool,
    group: impl Fn(&Point) -> &str,
    class: impl Fn(&Point) -> &str,
) {
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut groups: Vec<&str> = points.iter().map(|point| group(point)).collect();
    groups.sort_unstable();
    groups.dedup();
    for out in groups {
        let rest: Vec<&Point> = points.iter().copied().filter(|p| group(p) != out).collect();
        let fit = Fit::to(&rest);
        for point in points.iter().filter(|point| group(point) == out && asked(point)) {
            errors
                .entry(class(point))
                .or_default()
                .push((point.ms / fit.predict(point)).ln().abs());
        }
    }
    let all: Vec<f64> = errors.values().flatten().copied().collect();
    line(what, all);
    for (class, errors) in errors {
        line(&format!("  {class}"), errors);
    }
}

fn line(what: &str, mut errors: Vec<f64>) {
    errors.sort_by(f64::total_cmp);
    let at = |part: f64| errors[((errors.len() - 1) as f64 * part).round() as usize];
    println!("  {what:<24} {:>4} points  median {:.3}  90 % {:.3}", errors.len(), at(0.5), at(0.9));
}
