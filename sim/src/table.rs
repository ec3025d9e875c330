//! Tables for people.

use comfy_table::{Cell, CellAlignment, Table, presets};

/// A table whose first column is of words, and all others of figures.
pub fn table(heads: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED);
    table.set_header(heads.into_iter().map(Into::into).collect::<Vec<Cell>>());
    table.column_iter_mut().skip(1).for_each(|c| c.set_cell_alignment(CellAlignment::Right));
    table
}
