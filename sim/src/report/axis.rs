//! Axes: from where to where they go, and the figures beside them.

use plotters::{
    coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter},
    prelude::Ranged,
};

/// An axis: from where to where it goes, and the figures beside it.
pub(super) struct Axis {
    range: std::ops::Range<f64>,
    pub(super) ticks: Vec<f64>,
    log: bool,
}

impl Axis {
    /// An axis for these figures, or for all between two.
    pub(super) fn of(
        values: impl Iterator<Item = f64>,
        log: bool,
        whole: Option<(f64, f64)>,
    ) -> Self {
        let values = values.filter(|value| value.is_finite() && (!log || *value > 0.0));
        let (mut low, mut high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        (low, high) = whole.unwrap_or(match log {
            true => (low / 1.1, high * 1.1),
            false => (low.min(0.0), if high > 0.0 { high * 1.05 } else { 1.0 }),
        });
        // Between few of the one kind are more of the other.
        let decades = if log { decades(low, high) } else { Vec::new() };
        let ticks = if decades.len() > 2 { decades } else { steps(low, high) };
        Self { range: low..high, ticks, log }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let place = |value: f64| if self.log { value.ln() } else { value };
        let [low, high] = [self.range.start, self.range.end].map(place);
        let part = (place(*value) - low) / (high - low);
        // What lies far outside is drawn at the edge, not at a pixel that is none.
        from + (f64::from(to - from) * part.clamp(-0.1, 1.1)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        let short = format!("{value:.3}");
        let short = short.trim_end_matches('0').trim_end_matches('.');
        if *value >= 1e5 { format!("{value:.0e}") } else { short.to_owned() }
    }
}

/// 1, 2 and 5 of each power of ten.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let each = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10.0_f64.powi(power)));
    each.filter(|value| (low..=high).contains(value)).collect()
}

/// Some five round figures.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let step = step.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    (first..).map(|n| n as f64 * step).take_while(|value| *value <= high + step * 1e-9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(steps(0.0, 1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(steps(0.0, 37.0), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(decades(0.125, 10.0), [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
    }
}
