//! Scenarios that come with the simulator, and the files that they name.

use std::io;

/// A scenario's name, and its text.
pub const SHIPPED: [(&str, &str); 5] = [
    ("story", include_str!("../scenarios/story.toml")),
    ("storm", include_str!("../scenarios/storm.toml")),
    ("hexgen58", include_str!("../scenarios/hexgen58.toml")),
    ("hexgen30", include_str!("../scenarios/hexgen30.toml")),
    ("nevada-leaves", include_str!("../scenarios/nevada-leaves.toml")),
];

/// Files that they name, by the last part of their path.
const FILES: [(&str, &str); 2] = [
    ("hexgen_full58.toml", include_str!("../../docs/pools/hexgen_full58.toml")),
    ("hexgen_half30.toml", include_str!("../../docs/pools/hexgen_half30.toml")),
];

/// The text of a file that a shipped scenario names.
pub(crate) fn read(path: &str) -> io::Result<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let found = FILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}
