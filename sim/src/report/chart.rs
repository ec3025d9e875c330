//! Lines over axes, as SVG: told apart by colour, dash and mark, so that print and the colour-blind
//! can tell them too.

use plotters::{
    coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter},
    prelude::*,
};

/// A picture of lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What is above it.
    pub title: String,
    /// What its axes say.
    pub x: String,
    /// What its axes say.
    pub y: String,
    /// Whether equal factors are equally far apart on the x axis.
    pub log_x: bool,
    /// Whether on the y axis.
    pub log_y: bool,
    /// What y axes show at least, if not what the lines need.
    pub y_range: Option<(f64, f64)>,
    /// Where lines are told apart.
    pub key: Key,
    /// The lines.
    pub series: Vec<Series>,
    /// Where on the x axis something happened.
    pub marks: Vec<f64>,
    /// What is at 0, 1, 2 and so on of the x axis, if that is not of figures.
    pub names: Vec<String>,
}

/// A corner of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// Where curves that fall have nothing.
    #[default]
    LowerLeft,
    /// Where curves that rise have nothing.
    LowerRight,
    /// Where curves that rise begin.
    UpperLeft,
    /// Where curves that fall end.
    UpperRight,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What it is called.
    pub label: String,
    /// Its corners.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub drawn: Drawn,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawn {
    /// With a mark at each corner.
    #[default]
    Marked,
    /// With few marks: it has many corners.
    Plain,
    /// Its marks only: what others published, or one thing each.
    Dots,
}

/// Okabe and Ito's colours, but for the yellow.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0xE6, 0x9F, 0x00),
];
/// The colour of what has this number, as HTML has it, and of what is written on it.
pub(super) fn colour(number: usize) -> (String, &'static str) {
    let RGBColor(red, green, blue) = COLOURS[number % COLOURS.len()];
    let bright = u32::from(red) * 3 + u32::from(green) * 6 + u32::from(blue) > 1_400;
    (format!("#{red:02X}{green:02X}{blue:02X}"), if bright { "#000" } else { "#fff" })
}

/// Dashes and gaps, in pixels; none for a line without.
const DASHES: [Option<(i32, i32)>; 4] = [None, Some((8, 4)), Some((2, 3)), Some((12, 3))];
/// Marks of a line with few.
const FEW: usize = 6;
const SIZE: (u32, u32) = (640, 360);
pub(super) const TEXT: &str = "sans-serif";

pub(super) type Drawing = Result<(), Box<dyn std::error::Error>>;

/// An axis: from where to where it goes, and the figures beside it.
pub(super) struct Axis {
    range: std::ops::Range<f64>,
    ticks: Vec<f64>,
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

impl Chart {
    /// The picture.
    pub fn svg(&self) -> String {
        let mut text = String::new();
        // A string takes whatever is drawn.
        self.draw(&mut text).unwrap_or_else(|error| text = format!("<p>no picture: {error}</p>"));
        text
    }

    fn draw(&self, text: &mut String) -> Drawing {
        let all = || self.series.iter().flat_map(|line| line.points.iter().copied());
        let marks = || self.marks.iter().copied();
        let last = self.names.len() as f64 - 0.5;
        let places = (!self.names.is_empty()).then_some((-0.5, last));
        let mut x = Axis::of(all().map(|(x, _)| x).chain(marks()), self.log_x, places);
        if places.is_some() {
            x.ticks = (0..self.names.len()).map(|place| place as f64).collect();
        }
        let y = Axis::of(all().map(|(_, y)| y), self.log_y, self.y_range);
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .caption(&self.title, (TEXT, 15))
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(x, y)?;
        let named = |x: &f64| match self.names.is_empty() {
            true => <Axis as ValueFormatter<f64>>::format(x),
            false => self.names.get(*x as usize).cloned().unwrap_or_default(),
        };
        chart
            .configure_mesh()
            .x_label_formatter(&named)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .x_desc(&self.x)
            .y_desc(&self.y)
            .label_style((TEXT, 12))
            .draw()?;
        let (low, high) = (chart.y_range().start, chart.y_range().end);
        let upright = |x| PathElement::new([(x, low), (x, high)], RED.mix(0.6));
        chart.draw_series(marks().map(upright))?;
        for (number, line) in self.series.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let shown = |(x, y): &(f64, f64)| {
                x.is_finite()
                    && y.is_finite()
                    && !(self.log_x && *x <= 0.0)
                    && !(self.log_y && *y <= 0.0)
            };
            let places: Vec<(f64, f64)> = line.points.iter().copied().filter(shown).collect();
            let style = colour.stroke_width(2);
            match DASHES[number % DASHES.len()] {
                _ if line.drawn == Drawn::Dots => {}
                None => {
                    chart.draw_series(LineSeries::new(places.clone(), style))?;
                }
                Some((on, off)) => {
                    let line = DashedLineSeries::new(places.clone(), on, off, style);
                    chart.draw_series(line)?;
                }
            }
            let mark = |place: &(f64, f64)| EmptyElement::at(*place) + mark(number, (0, 0), colour);
            let key = move |(x, y): (i32, i32)| self::mark(number, (x + 10, y), colour);
            let every = match line.drawn {
                Drawn::Plain => places.len().div_ceil(FEW).max(1),
                _ => 1,
            };
            let marked = places.iter().step_by(every);
            let marks = chart.draw_series(marked.map(mark))?;
            if !line.label.is_empty() {
                marks.label(&line.label).legend(key);
            }
        }
        if self.series.iter().any(|line| !line.label.is_empty()) {
            chart
                .configure_series_labels()
                .position(self.key.into())
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.2))
                .label_font((TEXT, 12))
                .draw()?;
        }
        drop(chart);
        area.present()?;
        Ok(())
    }
}

/// A mark of its own for each line: corners that differ in number.
fn mark(number: usize, (x, y): (i32, i32), colour: RGBColor) -> Polygon<(i32, i32)> {
    let corners = [12, 4, 3, 6, 5, 8, 10][number % 7];
    let turn = if corners == 4 { 0.25 } else { 0.0 };
    let corner = |index: usize| {
        let angle = std::f64::consts::TAU * ((index as f64 + turn) / corners as f64)
            - std::f64::consts::FRAC_PI_2;
        ((4.5 * angle.cos()).round() as i32 + x, (4.5 * angle.sin()).round() as i32 + y)
    };
    Polygon::new((0..corners).map(corner).collect::<Vec<_>>(), colour.filled())
}

impl From<Key> for SeriesLabelPosition {
    fn from(key: Key) -> Self {
        match key {
            Key::LowerLeft => Self::LowerLeft,
            Key::LowerRight => Self::LowerRight,
            Key::UpperLeft => Self::UpperLeft,
            Key::UpperRight => Self::UpperRight,
        }
    }
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

    #[test]
    fn a_chart_says_its_words_and_draws_its_lines() {
        let line = |label: &str, points: &[(f64, f64)]| Series {
            label: label.to_owned(),
            points: points.to_vec(),
            ..Series::default()
        };
        let chart = Chart {
            title: "a < b".to_owned(),
            x: "requests/s".to_owned(),
            y: "part".to_owned(),
            log_x: true,
            series: vec![
                line("one", &[(0.1, 1.0), (10.0, 0.5)]),
                line("other", &[(f64::NAN, 1.0)]),
            ],
            ..Chart::default()
        };
        let svg = chart.svg();
        for word in ["a &lt; b", "requests/s", "one", "other", "<polyline", "<polygon"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
        assert!(Chart::default().svg().contains("<svg"), "nothing to draw is drawn, too");
    }
}
