//! Names, as people write them.

/// Names that are told of when none fits.
const TOLD_MAX: usize = 5;
/// What stands before or behind a name and says nothing.
const AFFIXES: [&str; 11] = [
    "nvidia", "geforce", "tesla", "quadro", "amd", "radeon", "instruct", "chat", "hf", "it", "fp16",
];

/// A name that means nothing, or too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Several things could be meant.
    #[error("`{name}` could be {}{}: say which {what}", list(.candidates), more(*.untold))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it could be.
        candidates: Vec<String>,
        /// How many it could be besides.
        untold: usize,
        /// The kind of thing.
        what: &'static str,
    },
    /// Nothing is called that.
    #[error("no {what} is called `{name}`; did you mean {}?", list(.nearest))]
    Name {
        /// What was asked for.
        name: String,
        /// What is called something like it.
        nearest: Vec<String>,
        /// The kind of thing.
        what: &'static str,
    },
}

fn more(untold: usize) -> String {
    if untold == 0 { String::new() } else { format!(" or {untold} more") }
}

fn list(names: &[String]) -> String {
    names.join(" or ")
}

/// The place of what `name` means among `known`: case and separators aside, the name itself, then
/// the only one that ends with it, then the only one that has it in it.
pub(super) fn find(what: &'static str, name: &str, known: &[&str]) -> Result<usize, Unknown> {
    let wanted = plain(name);
    let plains: Vec<String> = known.iter().map(|known| plain(known)).collect();
    let tests: [fn(&str, &str) -> bool; 3] =
        [|a, b| a == b, |a, b| a.ends_with(b), |a, b| a.contains(b)];
    for test in tests {
        let found: Vec<usize> =
            (0..known.len()).filter(|n| wanted.len() > 1 && test(&plains[*n], &wanted)).collect();
        if let [only] = found.as_slice() {
            return Ok(*only);
        }
        if !found.is_empty() {
            let told = found.iter().take(TOLD_MAX).map(|n| known[*n].to_owned());
            let (candidates, untold) = (told.collect(), found.len().saturating_sub(TOLD_MAX));
            return Err(Unknown::Ambiguous { name: name.to_owned(), candidates, untold, what });
        }
    }
    let mut near: Vec<usize> = (0..known.len()).collect();
    let likeness = |n: &usize| strsim::jaro_winkler(&plains[*n], &wanted);
    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    let nearest = near.into_iter().take(3).map(|n| known[n].to_owned()).collect();
    Err(Unknown::Name { name: name.chars().take(80).collect(), nearest, what })
}

/// The one of several names that another is most like; none of none.
pub fn nearest_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// Letters and digits, in lower case, without the publisher before a `/` and without affixes.
fn plain(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '.');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let kept: Vec<&str> = words.iter().copied().filter(|word| !AFFIXES.contains(word)).collect();
    let words = if kept.is_empty() { words } else { kept };
    words.concat()
}
