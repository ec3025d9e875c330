//! A page that needs nothing beside it: words, tables and pictures in one HTML file.

use minijinja::{Environment, context, value::Serde};
use serde::Serialize;

use super::Chart;

/// The page's words and marks.
const TEMPLATE: &str = include_str!("page.html");

/// A part of a page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What is said first, a paragraph each.
    pub words: Vec<String>,
    /// A table, if it has a row.
    pub table: Grid,
    /// Pictures, as SVG.
    pub pictures: Vec<String>,
    /// What they show, and the commands that print the same.
    pub commands: Vec<String>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// What columns are.
    pub heads: Vec<String>,
    /// A cell for each head.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// Adds pictures.
    pub fn with(mut self, charts: &[Chart]) -> Self {
        self.pictures.extend(charts.iter().map(Chart::svg));
        self
    }
}

/// The page with these parts.
pub fn page(title: &str, about: &str, sections: &[Section]) -> Result<String, minijinja::Error> {
    let mut all = Environment::new();
    all.add_template("page.html", TEMPLATE)?;
    all.get_template("page.html")?.render(context! {
        title,
        about,
        sections => Serde(sections),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_pictures_are_not() {
        let section = Section {
            title: "a & b".to_owned(),
            words: vec!["<script>".to_owned()],
            table: Grid { heads: vec!["h".to_owned()], rows: vec![vec!["<td>".to_owned()]] },
            ..Section::default()
        };
        let html = page("<t>", "about", &[section.with(&[Chart::default()])]).unwrap();
        assert!(html.contains("a &amp; b") && html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("&lt;td&gt;") && html.contains("<svg "), "{html}");
        for outside in ["http-equiv", "src=", "href=\"http", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
