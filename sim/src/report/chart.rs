//! Lines over axes, as SVG: told apart by colour, dash and mark, so that print and the colour-blind
//! can tell them too.

use plotters::{coord::ranged1d::ValueFormatter, prelude::*};

use super::axis::Axis;

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

/// What lines are drawn on.
type Field<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

pub(super) type Drawing = Result<(), Box<dyn std::error::Error>>;

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
            self.draw_line(&mut chart, number, line)?;
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

    /// A line, its marks, and its words in the key.
    fn draw_line(&self, chart: &mut Field<'_, '_>, number: usize, line: &Series) -> Drawing {
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
