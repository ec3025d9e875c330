//! Keys of a scenario, and what they are set to.

use std::{borrow::Cow, fmt, str::FromStr};

/// A key of a scenario, and its value: `workload.requests_per_s=2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key, with the tables that it is in.
    pub key: String,
    /// Its value, as it was written.
    pub text: String,
    /// Its value: TOML if that can be read as such, else a text.
    pub value: toml::Value,
}

impl Setting {
    /// This key, set to that.
    pub(crate) fn new(key: &str, text: &str) -> Self {
        let value = text.parse().unwrap_or_else(|_| toml::Value::String(text.to_owned()));
        Self { key: key.to_owned(), text: text.to_owned(), value }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.text)
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Axis(mut all) = text.parse()?;
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            _ => Err("one value is wanted here: of several write [V1, V2]".to_owned()),
        }
    }
}

/// A key and the values that it takes in turn, at least one: `workload.requests_per_s=1,2,4`.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis(Vec<Setting>);

impl Axis {
    /// The key.
    pub fn key(&self) -> &str {
        self.0.first().map_or("", |first| &first.key)
    }

    /// The key with each of its values.
    pub fn settings(&self) -> &[Setting] {
        &self.0
    }
}

/// As a shell takes it.
impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.0.iter().map(|setting| setting.text.as_str()).collect();
        write!(f, "{}={}", quoted(self.key()), quoted(&texts.join(",")))
    }
}

/// A word as a shell takes it. What has a zero byte is no word, nor was it typed as one.
pub(crate) fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || "write KEY=VALUE, such as workload.requests_per_s=2".to_owned();
        let (key, values) = text.split_once('=').ok_or_else(usage)?;
        let key = key.trim();
        if key.split('.').any(str::is_empty) {
            return Err(usage());
        }
        let values = apart(values);
        if values.iter().any(|value| value.is_empty()) {
            return Err("a value is missing: write \"\" for an empty text".to_owned());
        }
        Ok(Self(values.into_iter().map(|value| Setting::new(key, value)).collect()))
    }
}

/// Values between commas; those within brackets or quotes part nothing.
fn apart(text: &str) -> Vec<&str> {
    let (mut all, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_i64, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                all.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    all.push(text[from..].trim());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<toml::Value> {
        let axis: Axis = text.parse().unwrap();
        axis.settings().iter().map(|setting| setting.value.clone()).collect()
    }

    #[test]
    fn values_are_toml_or_else_texts() {
        let text = |text: &str| toml::Value::String(text.to_owned());
        assert_eq!(values("a.b=1, 2.5,true"), [1.into(), 2.5.into(), true.into()]);
        assert_eq!(values("a=petals,5x"), [text("petals"), text("5x")]);
        assert_eq!(values("a=\"1,5\",'2'"), [text("1,5"), text("2")]);
        assert_eq!(values("a=[1,2],[3]"), [vec![1, 2].into(), toml::Value::from(vec![3])]);
        assert_eq!(values("a=\"\"=\""), [text("\"\"=\"")], "no TOML is a text");
    }

    #[test]
    fn what_sets_nothing_is_refused() {
        for text in ["", "a", "=1", "a..b=1", ".a=1", "a=", "a=1,,2", "a=1,"] {
            text.parse::<Axis>().unwrap_err();
        }
        let several = "a=1,2".parse::<Setting>().unwrap_err();
        assert!(several.contains("[V1, V2]"), "{several}");
        assert_eq!("a=[1,2]".parse::<Setting>().unwrap().to_string(), "a=[1,2]");
    }
}
