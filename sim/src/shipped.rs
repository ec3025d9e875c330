//! Scenarios that come with the simulator, the files that they name, and data of others that any
//! scenario may name (`sim/data/NOTICE.md` says whose it is).

use std::io;

/// A scenario's name, and its text.
pub const SHIPPED: [(&str, &str); 19] = [
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
    ("churn30", include_str!("../scenarios/churn30.toml")),
    ("helix24", include_str!("../scenarios/helix24.toml")),
    ("helix-geo24", include_str!("../scenarios/helix-geo24.toml")),
    ("helix42", include_str!("../scenarios/helix42.toml")),
];

/// Files that they name, by the last part of their path.
const FILES: [(&str, &str); 7] = [
    ("hexgen_full58.toml", include_str!("../../docs/pools/hexgen_full58.toml")),
    ("hexgen_half30.toml", include_str!("../../docs/pools/hexgen_half30.toml")),
    ("hexgen_homogeneous.toml", include_str!("../../docs/pools/hexgen_homogeneous.toml")),
    ("hexgen_asymmetric8.toml", include_str!("../../docs/pools/hexgen_asymmetric8.toml")),
    ("helix_single24.toml", include_str!("../../docs/pools/helix_single24.toml")),
    ("helix_geo24.toml", include_str!("../../docs/pools/helix_geo24.toml")),
    ("helix_high42.toml", include_str!("../../docs/pools/helix_high42.toml")),
];

/// Texts by their names.
pub(crate) type Texts = [(&'static str, &'static str)];

/// Recorded requests.
pub(crate) const TRACES: &Texts = &[
    ("azure2023", include_str!("../data/azure2023.csv")),
    ("mooncake", include_str!("../data/mooncake.csv")),
    ("servegen", include_str!("../data/servegen.csv")),
];

/// How long layers were measured to take.
pub(crate) const LAYERS: &Texts = &[("helix", include_str!("../data/helix_layer_ms.csv"))];

/// Which parts of their makers' figures cards reach, fitted to those layers.
pub(crate) const EFFICIENCY: &str = include_str!("../data/efficiency.csv");

/// Machines that come and go.
pub(crate) const CHURNS: &Texts = &[("bamboo", include_str!("../data/bamboo.csv"))];

/// The text of a name.
pub(crate) fn text(texts: &Texts, name: &str) -> Option<&'static str> {
    texts.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The text of a file that a shipped scenario names.
pub(crate) fn read(path: &str) -> io::Result<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    text(&FILES, name).map(str::to_owned).ok_or_else(|| {
        let why = "no file of the simulator's; a scenario in a file of yours may name any file";
        io::Error::new(io::ErrorKind::NotFound, why)
    })
}
