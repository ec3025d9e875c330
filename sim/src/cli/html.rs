//! Pages of runs.

use std::path::Path;

use comfy_table::Table;
use hexswarm_sim::{
    Draft,
    report::{Grid, Section, page},
};

use super::outputs;

/// A table as it is printed.
pub(super) fn grid(table: &Table) -> Grid {
    let heads = table.header().map(|row| row.cell_iter().map(|cell| cell.content()).collect());
    let rows = table.row_iter().map(|row| row.cell_iter().map(|cell| cell.content()).collect());
    Grid { heads: heads.unwrap_or_default(), rows: rows.collect() }
}

/// What was run: the command, and each scenario's text.
pub(super) fn asked(command: String, notes: &[String], drafts: &[&Draft]) -> Section {
    let mut words: Vec<String> =
        drafts.iter().filter_map(|d| d.about()).map(str::to_owned).collect();
    words.dedup();
    words.extend(notes.iter().map(|note| format!("Note: {note}")));
    let mut commands = vec![command];
    for draft in drafts {
        commands.push(format!("\n# {draft}\n{}", draft.source().trim_end()));
    }
    Section { title: "What was run".to_owned(), words, commands, ..Section::default() }
}

/// Writes a page.
pub(super) fn write(path: &Path, title: &str, sections: &[Section]) -> color_eyre::Result<()> {
    let about = format!(
        "Simulated with the core and the scheduler of hexswarm {}: real decisions on virtual time, where only how \
         long things take is made up. The same command writes the same page.",
        env!("CARGO_PKG_VERSION"),
    );
    write_about(path, title, &about, sections)
}

/// The same with other words on how it was made.
pub(super) fn write_about(
    path: &Path,
    title: &str,
    about: &str,
    sections: &[Section],
) -> color_eyre::Result<()> {
    outputs::write(path, page(title, about, sections)?)
}
