//! Control tokens in a text, and how they are kept out of it.

use std::borrow::Cow;
use std::collections::HashMap;

/// The control tokens of a vocabulary.
pub(super) struct Specials {
    ids: HashMap<String, u32>,
    /// Their lengths, longest first: of two that start alike the longer is meant.
    lengths: Vec<usize>,
    /// Which bytes one of them starts with.
    starts: [bool; 256],
}

/// A character that breaks up what looks like a control token, and is taken out again before
/// text is encoded.
#[derive(Clone, Copy)]
pub(super) struct Guard(Option<char>);

/// Unicode sets these apart for use within a program, never for text.
const NONCHARACTERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

impl Guard {
    /// No guard: control tokens are meant.
    pub(super) const NONE: Self = Self(None);

    /// One that occurs in none of `texts`. Should someone use all 32 that there are, the first:
    /// their noncharacters are dropped from their text, and nothing else happens.
    pub(super) fn unused_in<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let unused = |guard: &char| texts.clone().all(|text| !text.contains(*guard));
        Self(NONCHARACTERS.clone().find(unused).or(Some(*NONCHARACTERS.start())))
    }

    /// `text` without guards.
    pub(super) fn remove(self, text: &str) -> Cow<'_, str> {
        match self.0 {
            Some(guard) if text.contains(guard) => text.replace(guard, "").into(),
            _ => text.into(),
        }
    }
}

impl Specials {
    pub(super) fn new(ids: HashMap<String, u32>) -> Self {
        let mut lengths: Vec<usize> = ids.keys().map(String::len).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        let mut starts = [false; 256];
        ids.keys().filter_map(|text| text.bytes().next()).for_each(|byte| {
            starts[usize::from(byte)] = true;
        });
        Self { ids, lengths, starts }
    }

    /// The control token at the start of `text`: its id and length.
    fn at_start(&self, text: &str) -> Option<(u32, usize)> {
        let first = text.bytes().next()?;
        if !self.starts[usize::from(first)] {
            return None;
        }
        self.lengths.iter().find_map(|&length| {
            let id = self.ids.get(text.get(..length)?)?;
            Some((*id, length))
        })
    }

    /// Gives `each` the text before every control token with the token, then the text after the
    /// last.
    pub(super) fn cut(&self, text: &str, mut each: impl FnMut(&str, Option<u32>)) {
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            match text.get(at..).and_then(|rest| self.at_start(rest)) {
                Some((id, length)) => {
                    each(&text[from..at], Some(id));
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        if from < text.len() {
            each(&text[from..], None);
        }
    }

    /// `content` with guards in all that looks like a control token, or like an end of one that
    /// the text around it could complete.
    pub(super) fn guard(&self, content: &str, guard: Guard) -> String {
        let Some(guard) = guard.0 else { return content.to_owned() };
        let content = content.replace(guard, "");
        let mut guarded = String::with_capacity(content.len());
        let within = |special: &String| !content.is_empty() && special.contains(&content);
        if self.ids.keys().any(|special| within(special) || overlaps(special, &content)) {
            guarded.push(guard);
        }
        for (at, character) in content.char_indices() {
            guarded.push(character);
            if self.at_start(&content[at..]).is_some() {
                guarded.push(guard);
            }
        }
        if self.ids.keys().any(|special| within(special) || overlaps(&content, special)) {
            guarded.push(guard);
        }
        guarded
    }
}

/// Whether `left` ends in what `right` starts with.
fn overlaps(left: &str, right: &str) -> bool {
    (1..=left.len().min(right.len())).any(|length| {
        let end = &left.as_bytes()[left.len() - length..];
        end == &right.as_bytes()[..length]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specials() -> Specials {
        let ids = [("<|a|>", 1), ("<|a|>b", 2), ("</s>", 3)];
        Specials::new(ids.map(|(text, id)| (text.to_owned(), id)).into())
    }

    fn cut(text: &str) -> Vec<(String, Option<u32>)> {
        let mut parts = Vec::new();
        specials().cut(text, |part, id| parts.push((part.to_owned(), id)));
        parts
    }

    #[test]
    fn the_longest_control_token_is_meant() {
        let expected = [("x".into(), Some(2)), ("é".into(), Some(1)), ("<|".into(), None)];
        assert_eq!(cut("x<|a|>bé<|a|><|"), expected);
        assert_eq!(cut("</s>"), [(String::new(), Some(3))]);
        assert_eq!(cut(""), []);
    }

    #[test]
    fn guarded_text_holds_no_control_token_and_completes_none() {
        let guard = Guard::unused_in(["\u{fdd0}"].into_iter());
        for content in ["<|a|>", "x<|a|>b<|a|>", "<|a", "|>", "<", ">b", "|", "é</s></s"] {
            let guarded = specials().guard(content, guard);
            let around = format!("<|a{guarded}|>b<{guarded}/s><{guarded}a|>");
            assert!(cut(&around).iter().all(|(_, id)| id.is_none()), "{content}");
            assert_eq!(guard.remove(&guarded), content);
        }
    }

    #[test]
    fn harmless_text_is_left_alone() {
        let guard = Guard::unused_in(["a"].into_iter());
        assert_eq!(specials().guard("a < b", guard), "a < b");
    }
}
