//! Texts that stay within their room, whatever font draws them.

use svg::node::element::{Element, Group, Text, Title};

/// Fonts that most machines have. None is wider than DejaVu Sans, by which texts are measured.
pub(super) const FONTS: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// How much wider bold letters are, at most.
const BOLD: f64 = 1.25;

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) fill: &'static str,
    /// Where in the text its place is: `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
}

impl Style {
    /// A text that begins at its place.
    pub(super) const fn new(size: f64, fill: &'static str) -> Self {
        Self { size, bold: false, fill, anchor: "start" }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn anchored(self, anchor: &'static str) -> Self {
        Self { anchor, ..self }
    }

    /// How wide a text is at most.
    pub(super) fn width(self, text: &str) -> f64 {
        let em: f64 = text.chars().map(em).sum();
        em * self.size * if self.bold { BOLD } else { 1.0 }
    }

    /// As much of a text as there is room for; nothing rather than less than two letters.
    pub(super) fn fit(self, text: &str, room: f64) -> Option<String> {
        let text = clean(text);
        if self.width(&text) <= room {
            return Some(text).filter(|text| !text.is_empty());
        }
        let mut room = room - self.width("…");
        let letters = text.chars().take_while(|letter| {
            room -= self.width(letter.encode_utf8(&mut [0; 4]));
            room >= 0.0
        });
        let short: String = letters.collect();
        (short.chars().count() >= 2).then(|| short.trim_end().to_owned() + "…")
    }

    /// The same, but the number at a name's end is kept: by it names differ.
    pub(super) fn fit_name(self, name: &str, room: f64) -> Option<String> {
        let begin = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let number = &name[begin.len()..];
        if self.width(&clean(name)) <= room {
            return self.fit(name, room);
        }
        let room_of_begin = room - self.width(&format!("…{number}"));
        let Some(begin) = self.fit(begin.trim_end_matches('-'), room_of_begin) else {
            return self.fit(name, room);
        };
        Some(format!("{}…{number}", begin.trim_end_matches('…')))
    }

    /// A text on a base line; nothing if there is no room.
    pub(super) fn label(self, (x, y): (f64, f64), room: f64, text: &str) -> Option<Element> {
        let text = self.fit(text, room)?;
        let drawn = Text::new(text)
            .set("x", round(x))
            .set("y", round(y))
            .set("font-size", round(self.size))
            .set("fill", self.fill);
        let drawn = if self.bold { drawn.set("font-weight", "bold") } else { drawn };
        // As a plain element it is written without line breaks around the text.
        Some(match self.anchor {
            "start" => drawn.into(),
            anchor => drawn.set("text-anchor", anchor).into(),
        })
    }

    /// A text on a base line, whole in its tooltip if it had to be cut.
    pub(super) fn told(self, at: (f64, f64), room: f64, text: &str) -> Group {
        let group = Group::new();
        let Some(drawn) = self.label(at, room, text) else { return group };
        let whole = self.width(&clean(text)) <= room;
        let group = if whole { group } else { group.add(tooltip(text)) };
        group.add(drawn)
    }

    /// The lines of a list, as many items on each as there is room for.
    pub(super) fn lines(self, items: &[String], between: &str, room: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for item in items.iter().map(|item| clean(item)) {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line}{between}{item}")) <= room => {
                    *line = format!("{line}{between}{item}");
                }
                _ => lines.push(item),
            }
        }
        lines
    }
}

/// What a pointer is told.
pub(super) fn tooltip(text: &str) -> Title {
    Title::new(clean(text))
}

/// Two decimals are finer than a screen.
pub(super) fn round(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

/// A text without what XML has no way to say.
fn clean(text: &str) -> String {
    let keep = |letter: char| match letter {
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        control if control.is_control() => ' ',
        letter => letter,
    };
    text.chars().map(keep).collect()
}

/// The width of a letter in DejaVu Sans, rounded up, as a part of its size.
fn em(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' => 0.28,
        ' ' | '.' | ',' | ':' | ';' | '/' | '\\' | '|' | '·' | '\'' | 'I' | 'J' => 0.34,
        '(' | ')' | '[' | ']' | 'f' | 't' | '-' | '!' => 0.41,
        'r' | 's' | 'c' | 'z' | 'k' | '"' | '–' | '_' | '*' => 0.59,
        'a' | 'b' | 'd' | 'e' | 'g' | 'h' | 'n' | 'o' | 'p' | 'q' | 'u' | 'v' | 'x' | 'y' => 0.64,
        'E' | 'F' | 'L' | 'P' | 'S' | 'T' | 'Y' | '?' | '0'..='9' | '$' => 0.64,
        'A' | 'B' | 'C' | 'K' | 'R' | 'V' | 'X' | 'Z' => 0.7,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        ' '..='~' | '×' | '≤' => 0.84,
        // Latin, Greek, Cyrillic; then letters that take a square, and pictures.
        '\u{a1}'..='\u{17f}' | '\u{370}'..='\u{52f}' => 1.1,
        _ => 1.5,
    }
}
