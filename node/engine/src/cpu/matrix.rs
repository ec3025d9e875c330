//! A part of a weight matrix, read from the mapped file as it is needed.

use std::ops::Range;

use super::{isa::Lanes, packed::unpack};
use crate::{EngineError, Format, Tensor};

/// A part of a weight matrix: some outputs, some columns.
#[derive(Clone, Debug)]
pub struct Matrix {
    tensor: Tensor,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Matrix {
    pub(super) fn new(
        tensor: &Tensor,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Self, EngineError> {
        let (height, width) = (tensor.rows(), tensor.cols());
        let inside = rows.end <= height && columns.end <= width;
        if !inside || rows.is_empty() || columns.is_empty() {
            let part = format!("rows {rows:?}, columns {columns:?} of {height} by {width}");
            return Err(EngineError::Shard(part));
        }
        Ok(Self { tensor: tensor.clone(), rows, columns })
    }

    /// Outputs of a product with it.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Inputs of a product with it.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Reads a row of a matrix that has all columns of its tensor.
    pub(super) fn read(&self, row: usize, out: &mut [f32]) {
        self.tensor.read_row(self.rows.start + row, out);
    }

    /// How it is packed.
    pub(super) fn format(&self) -> Format {
        self.tensor.format()
    }

    /// Whether no block sticks out, at the ends or between chunks.
    pub(super) fn is_whole_blocks(&self, chunk: usize) -> bool {
        let block = self.tensor.format().block_len();
        let ends = [self.columns.start, self.columns.end, self.columns.start + chunk];
        ends.iter().all(|end| end.is_multiple_of(block))
    }

    /// The bytes of rows of whole blocks.
    #[inline(always)]
    pub(super) fn packed(&self, rows: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let format = self.tensor.format();
        let at = |column: usize| column / format.block_len() * format.block_bytes();
        let bytes = at(self.columns.start)..at(self.columns.end);
        rows.map(move |row| &self.tensor.row(self.rows.start + row)[bytes.clone()])
    }

    /// Reads `rows` into `panel`. Blocks that stick out at either end are read whole: heads need
    /// not be as wide as blocks.
    #[inline(always)]
    pub(super) fn unpack<L: Lanes>(&self, lanes: L, rows: Range<usize>, panel: &mut Panel) {
        let format = self.tensor.format();
        let block = format.block_len();
        let first = self.columns.start / block;
        let end = self.columns.end.div_ceil(block);
        panel.stride = (end - first) * block;
        panel.skip = self.columns.start - first * block;
        panel.width = self.columns.len();
        let len = rows.len() * panel.stride;
        if panel.numbers.len() < len {
            panel.numbers.resize(len, 0.0);
        }
        panel.rows = rows.len();
        let bytes = first * format.block_bytes()..end * format.block_bytes();
        for (row, out) in rows.zip(panel.numbers.chunks_exact_mut(panel.stride)) {
            let blocks = &self.tensor.row(self.rows.start + row)[bytes.clone()];
            unpack(lanes, format, blocks, out);
        }
    }
}

/// Weight rows in f32; a thread's scratch.
#[derive(Debug, Default)]
pub(super) struct Panel {
    numbers: Vec<f32>,
    rows: usize,
    stride: usize,
    skip: usize,
    width: usize,
}

impl Panel {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.stride + self.skip..][..self.width]
    }
}
