//! Scenarios that come with the simulator, and the files that they name.

use std::io;

/// A scenario's name, and its text.
pub const SHIPPED: [(&str, &str); 15] = [
    ("story", include_str!("../scenarios/story.toml")),
    ("storm", include_str!("../scenarios/storm.toml")),
    ("hexgen58", include_str!("../scenarios/hexgen58.toml")),
    ("hexgen30", include_str!("../scenarios/hexgen30.toml")),
    ("nevada-leaves", include_str!("../scenarios/nevada-leaves.toml")),
    ("paper-58", include_str!("../scenarios/paper-58.toml")),
    ("paper-16", include_str!("../scenarios/paper-16.toml")),
    ("paper-30", include_str!("../scenarios/paper-30.toml")),
    ("paper-58-symmetric", include_str!("../scenarios/paper-58-symmetric.toml")),
    ("paper-30-petals", include_str!("../scenarios/paper-30-petals.toml")),
    ("paper-16-tp8", include_str!("../scenarios/paper-16-tp8.toml")),
    ("paper-16-tp4", include_str!("../scenarios/paper-16-tp4.toml")),
    ("paper-case-asymmetric", include_str!("../scenarios/paper-case-asymmetric.toml")),
    ("paper-case-pp8", include_str!("../scenarios/paper-case-pp8.toml")),
    ("paper-case-pp2-tp4", include_str!("../scenarios/paper-case-pp2-tp4.toml")),
];

/// Files that they name, by the last part of their path.
const FILES: [(&str, &str); 4] = [
    ("hexgen_full58.toml", include_str!("../../docs/pools/hexgen_full58.toml")),
    ("hexgen_half30.toml", include_str!("../../docs/pools/hexgen_half30.toml")),
    ("hexgen_homogeneous.toml", include_str!("../../docs/pools/hexgen_homogeneous.toml")),
    ("hexgen_asymmetric8.toml", include_str!("../../docs/pools/hexgen_asymmetric8.toml")),
];

/// The text of a file that a shipped scenario names.
pub(crate) fn read(path: &str) -> io::Result<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let found = FILES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
}
