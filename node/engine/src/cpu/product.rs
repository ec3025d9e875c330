//! Products of activations with a weight matrix.
//!
//! A panel of weight rows is turned into f32 in a cache-sized scratch and then used for every row
//! of the batch, so a prompt pays for that once a chunk and a decode step reads each weight once.
//! Results are written output-major (`out[output][row]`), so that threads own whole slices.

use std::ops::Range;

use super::{
    dot::tile,
    isa::{Kernel, Lanes},
    matrix::{Matrix, Panel},
};
use crate::fixed;

/// Numbers of a panel: half of a level-1 cache, so that the batch's rows fit beside it.
const PANEL_NUMBERS: usize = 4096;
/// Weight rows and batch rows that are multiplied side by side: as many sums as registers hold.
const WIDE: (usize, usize) = (2, 3);
/// Weight rows side by side for a single batch row.
const TALL: usize = 4;

/// Where the sums of a product go.
pub(super) trait Sink: Copy + Default + Send {
    /// Adds the sum of a chunk; says whether it can be held.
    fn put(&mut self, sum: f32) -> bool;
}

/// A single chunk, kept as it is.
impl Sink for f32 {
    #[inline(always)]
    fn put(&mut self, sum: f32) -> bool {
        *self = sum;
        true
    }
}

/// Chunks in fixed point.
impl Sink for i64 {
    #[inline(always)]
    fn put(&mut self, sum: f32) -> bool {
        *self = self.wrapping_add(fixed::from_f32(sum));
        fixed::fits(sum)
    }
}

/// Some outputs of a product, for all rows of a batch.
pub(super) struct Product<'a, S> {
    pub(super) matrix: &'a Matrix,
    /// Which outputs.
    pub(super) outputs: Range<usize>,
    /// The batch's rows, each as wide as the matrix.
    pub(super) inputs: &'a [f32],
    /// Columns that are summed before they go to the sink.
    pub(super) chunk: usize,
    /// `outputs.len()` runs of a number for each batch row.
    pub(super) out: &'a mut [S],
    pub(super) panel: &'a mut Panel,
}

impl<S: Sink> Kernel for Product<'_, S> {
    /// Whether every sum could be held.
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> bool {
        let Self { matrix, outputs, inputs, chunk, out, panel } = self;
        let width = matrix.columns();
        let batch = inputs.len() / width;
        let height = (PANEL_NUMBERS / width).next_multiple_of(TALL).max(TALL);
        let mut held = true;
        for start in outputs.clone().step_by(height) {
            let rows = start..outputs.end.min(start + height);
            let at = (start - outputs.start) * batch;
            let out = &mut out[at..at + rows.len() * batch];
            matrix.unpack(lanes, rows, panel);
            let mut patch = Patch { lanes, panel, inputs, width, batch, out, chunk, held: true };
            patch.all();
            held &= patch.held;
        }
        held
    }
}

/// A panel times all rows of the batch.
struct Patch<'a, S, L> {
    lanes: L,
    panel: &'a Panel,
    inputs: &'a [f32],
    width: usize,
    batch: usize,
    out: &'a mut [S],
    chunk: usize,
    held: bool,
}

impl<S: Sink, L: Lanes> Patch<'_, S, L> {
    #[inline(always)]
    fn all(&mut self) {
        let height = self.panel.rows();
        let wide = self.batch - self.batch % WIDE.1;
        for n in (0..wide).step_by(WIDE.1) {
            let pairs = height - height % WIDE.0;
            for w in (0..pairs).step_by(WIDE.0) {
                self.tile::<{ WIDE.0 }, { WIDE.1 }>(w, n);
            }
            for w in pairs..height {
                self.tile::<1, { WIDE.1 }>(w, n);
            }
        }
        for n in wide..self.batch {
            let fours = height - height % TALL;
            for w in (0..fours).step_by(TALL) {
                self.tile::<TALL, 1>(w, n);
            }
            for w in fours..height {
                self.tile::<1, 1>(w, n);
            }
        }
    }

    #[inline(always)]
    fn tile<const W: usize, const N: usize>(&mut self, w: usize, n: usize) {
        let weights: [&[f32]; W] = std::array::from_fn(|i| self.panel.row(w + i));
        let inputs: [&[f32]; N] =
            std::array::from_fn(|j| &self.inputs[(n + j) * self.width..][..self.width]);
        for start in (0..self.width).step_by(self.chunk) {
            let end = self.width.min(start + self.chunk);
            let sums = tile(
                self.lanes,
                weights.map(|row| &row[start..end]),
                inputs.map(|row| &row[start..end]),
            );
            for (j, sums) in sums.iter().enumerate() {
                for (i, sum) in sums.iter().enumerate() {
                    self.held &= self.out[(w + i) * self.batch + n + j].put(*sum);
                }
            }
        }
    }
}
