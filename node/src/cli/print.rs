//! What goes to stdout, where a reader that has gone away is an error and no panic.

use std::io::{self, Write};

use comfy_table::{Table, presets::ASCII_FULL_CONDENSED};
use serde::Serialize;

/// Prints a text as it is.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a text, and ends the line.
pub(crate) fn line(line: impl std::fmt::Display) -> io::Result<()> {
    text(&format!("{line}\n"))
}

/// Prints one JSON document.
pub(crate) fn json(document: &impl Serialize) -> color_eyre::Result<()> {
    Ok(line(serde_json::to_string_pretty(document)?)?)
}

/// A table as all commands draw theirs.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_FULL_CONDENSED);
    table
}

/// Whether an error is that the reader of stdout has gone away, as in `hexswarm status | head -1`:
/// it has what it wanted.
pub(crate) fn reader_left(error: &color_eyre::Report) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(broken)
}
