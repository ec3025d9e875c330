//! Differences with their intervals, one below the other, beside the line of no difference.

use plotters::prelude::*;

use super::{
    axis::Axis,
    chart::{Drawing, TEXT},
};

/// A picture of differences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forest {
    /// What is above it.
    pub title: String,
    /// What its axis says.
    pub x: String,
    /// From top to bottom.
    pub rows: Vec<Interval>,
}

/// A difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Of what.
    pub label: String,
    /// How much.
    pub middle: f64,
    /// From where to where it may be; none if nobody knows.
    pub ends: Option<(f64, f64)>,
    /// Whether it is for the better; none if it may be chance.
    pub better: Option<bool>,
}

/// How far the axis goes to each side at most; what is further is drawn at its edge.
const FAR: f64 = 200.0;
const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
const ORANGE: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
const GREY: RGBColor = RGBColor(0x77, 0x77, 0x77);

impl Forest {
    /// The picture.
    pub fn svg(&self) -> String {
        let mut text = String::new();
        // A string takes whatever is drawn.
        self.draw(&mut text).unwrap_or_else(|error| text = format!("<p>no picture: {error}</p>"));
        text
    }

    fn draw(&self, text: &mut String) -> Drawing {
        let count = self.rows.len();
        let area = SVGBackend::with_string(text, (760, 90 + 24 * count as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        let all = self.rows.iter().flat_map(|row| {
            let (low, high) = row.ends.unwrap_or((row.middle, row.middle));
            [low, high, row.middle, 0.0]
        });
        let far = all.map(f64::abs).filter(|far| far.is_finite()).fold(1.0, f64::max);
        let far = (far * 1.05).min(FAR);
        let x = Axis::of(std::iter::empty(), false, Some((-far, far)));
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .caption(&self.title, (TEXT, 15))
            .x_label_area_size(40)
            .y_label_area_size(150)
            .build_cartesian_2d(x, -(count as f64) + 0.5..0.5)?;
        let label = |y: &f64| {
            let row = self.rows.get((-y).round() as usize);
            row.map_or(String::new(), |row| row.label.clone())
        };
        let ticks = (count * 2).max(2);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.1))
            .x_desc(&self.x)
            .y_labels(ticks)
            .y_label_formatter(&|_| String::new())
            .label_style((TEXT, 12))
            .draw()?;
        let top_and_bottom = [(0.0, 0.5), (0.0, -(count as f64) + 0.5)];
        chart.draw_series([PathElement::new(top_and_bottom, BLACK)])?;
        for (number, row) in self.rows.iter().enumerate() {
            let y = -(number as f64);
            let colour = match row.better {
                Some(true) => BLUE,
                Some(false) => ORANGE,
                None => GREY,
            };
            let within = |x: f64| x.clamp(-far, far);
            if let Some((low, high)) = row.ends {
                let (low, high) = (within(low), within(high));
                let line = colour.stroke_width(3);
                chart.draw_series([
                    PathElement::new([(low, y), (high, y)], line),
                    PathElement::new([(low, y - 0.2), (low, y + 0.2)], line),
                    PathElement::new([(high, y - 0.2), (high, y + 0.2)], line),
                ])?;
            }
            let shape = Circle::new((within(row.middle), y), 5, colour.filled());
            chart.draw_series([shape])?;
            let name = EmptyElement::at((-far, y))
                + Text::new(label(&y), (-140, -6), (TEXT, 12).into_font());
            chart.draw_series([name])?;
        }
        drop(chart);
        area.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_name_and_its_interval() {
        let row = |label: &str, ends| Interval {
            label: label.to_owned(),
            middle: 4.0,
            ends,
            better: ends.map(|_| true),
        };
        let rows = vec![row("a<b", Some((1.0, 9_000.0))), row("other", None)];
        let svg = Forest { title: "t".to_owned(), x: "%".to_owned(), rows }.svg();
        assert!(svg.contains("a&lt;b") && svg.contains("other"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert_eq!(svg.matches("stroke-width=\"3\"").count(), 3, "one has no interval: {svg}");
        assert!(Forest::default().svg().contains("<svg"), "nothing to draw is drawn, too");
    }
}
