//! A matrix of weights as it lies in its file.
//!
//! A tensor is a view: clones share the mapped file, and nothing is read before it is used. Its
//! bytes are promised no alignment; what wants one repacks, or reads little-endian bytes.

use bytes::Bytes;

use crate::Format;

/// A matrix of weights, rows one after another. A vector is a matrix of one row.
#[derive(Clone, Debug)]
pub struct Tensor {
    bytes: Bytes,
    row_bytes: usize,
    format: Format,
    rows: usize,
    cols: usize,
}

impl Tensor {
    /// The matrix that `bytes` hold; `None` if they are too few or too many for it, or blocks do
    /// not fill its rows.
    pub fn new(bytes: Bytes, format: Format, rows: usize, cols: usize) -> Option<Self> {
        let row_bytes = format.row_bytes(cols)?;
        let fits = row_bytes.checked_mul(rows) == Some(bytes.len()) && !bytes.is_empty();
        fits.then_some(Self { bytes, row_bytes, format, rows, cols })
    }

    /// Rows: what a product with this matrix has as outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: what a product with this matrix takes as inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// How its numbers are written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The blocks of row `row`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.row_bytes..][..self.row_bytes]
    }

    /// All blocks.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What row `row` stands for.
    ///
    /// # Panics
    /// If there is no such row, or `out` is not as long as it.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        self.format.dequantize(self.row(row), out);
    }
}
