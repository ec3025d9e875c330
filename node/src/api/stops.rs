//! Strings that end an answer. They may straddle tokens, and no part of one is ever shown.

/// Text as it comes, held back as long as it could be the beginning of a stop string.
#[derive(Clone, Debug)]
pub(super) struct Stops {
    stops: Vec<String>,
    held: String,
}

/// What may be shown now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// Whether a stop string came: nothing follows.
    pub(super) stopped: bool,
}

impl Stops {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new() }
    }

    /// More text.
    pub(super) fn push(&mut self, text: &str) -> Shown {
        self.held.push_str(text);
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = found {
            let text = self.held[..at].to_owned();
            self.held.clear();
            return Shown { text, stopped: true };
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Shown { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// The end came without a stop string: what was held back is text.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// How many bytes at the end of `text` are the beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len() - 1);
    let ends = |count: &usize| stop.is_char_boundary(*count) && text.ends_with(&stop[..*count]);
    (1..=longest).rev().find(ends).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut matcher = Stops::new(stops.iter().map(|stop| (*stop).to_owned()).collect());
        let mut text = String::new();
        for piece in pieces {
            let shown = matcher.push(piece);
            text += &shown.text;
            if shown.stopped {
                return (text, true);
            }
        }
        text += &matcher.finish();
        (text, false)
    }

    #[test]
    fn a_stop_string_may_straddle_pieces() {
        assert_eq!(shown(&["END"], &["one E", "N", "D two"]), ("one ".into(), true));
        assert_eq!(shown(&["aab"], &["a", "a", "a", "b"]), ("a".into(), true));
        assert_eq!(shown(&["é!"], &["caf", "é", "!"]), ("caf".into(), true));
    }

    #[test]
    fn what_only_looked_like_one_is_text() {
        assert_eq!(shown(&["END"], &["one E", "N", "d"]), ("one ENd".into(), false));
        assert_eq!(shown(&["END"], &["EN"]), ("EN".into(), false));
    }

    #[test]
    fn the_first_of_several_counts() {
        assert_eq!(shown(&["xyz", "y"], &["axyz"]), ("a".into(), true));
    }
}
