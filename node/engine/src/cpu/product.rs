//! Products of activations with a weight matrix.
//!
//! A panel of weight rows is turned into f32 in a cache-sized scratch and then used for every row
//! of the batch, so a prompt pays for that once a chunk and a decode step reads each weight once.
//! Results are written output-major (`out[output][row]`), so that threads own whole slices.

use std::ops::Range;

use super::{
    dot::{packed, tile},
    isa::{Kernel, Lanes},
    matrix::{Matrix, Panel},
    packed::{BLOCK, Packed, Q4_0, Q4_1, Q8_0},
};
use crate::{Format, fixed};

/// Numbers of a panel: half of a level-1 cache, so that the batch's rows fit beside it.
const PANEL_NUMBERS: usize = 4096;
/// Weight rows and batch rows that are multiplied side by side: as many sums as registers hold.
const WIDE: (usize, usize) = (2, 3);
/// Weight rows side by side for a single batch row.
const TALL: usize = 4;

/// What the sums of a product become.
pub(super) trait Sink: Copy + Default + Send {
    /// Chunks' sums as they are added, and whether all of them can be held.
    fn of(sums: [f32; 4]) -> ([Self; 4], bool);
    /// Adds a chunk.
    fn add(&mut self, chunk: Self);
}

/// A single chunk, kept as it is.
impl Sink for f32 {
    #[inline(always)]
    fn of(sums: [f32; 4]) -> ([Self; 4], bool) {
        (sums, true)
    }

    #[inline(always)]
    fn add(&mut self, chunk: Self) {
        *self = chunk;
    }
}

/// Chunks in fixed point.
impl Sink for i64 {
    #[inline(always)]
    fn of(sums: [f32; 4]) -> ([Self; 4], bool) {
        // Each on its own, then all: vector code has no short cuts.
        let held = sums.map(fixed::fits);
        (sums.map(fixed::from_f32), held[0] & held[1] & held[2] & held[3])
    }

    #[inline(always)]
    fn add(&mut self, chunk: Self) {
        *self = self.wrapping_add(chunk);
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
        if self.inputs.len() == self.matrix.columns() && self.matrix.is_whole_blocks(self.chunk) {
            match self.matrix.format() {
                Format::Q4_0 => return self.packed::<L, Q4_0, 18>(lanes),
                Format::Q4_1 => return self.packed::<L, Q4_1, 20>(lanes),
                Format::Q8_0 => return self.packed::<L, Q8_0, 34>(lanes),
                _ => {}
            }
        }
        self.unpacked(lanes)
    }
}

impl<S: Sink> Product<'_, S> {
    /// For a single row: weights are used once, so they are unpacked in registers, in the order in
    /// which they lie in memory. Sums are added up four at a time, of whichever rows and chunks.
    #[inline(always)]
    fn packed<L: Lanes, P: Packed<BYTES>, const BYTES: usize>(self, lanes: L) -> bool {
        let Self { matrix, outputs, inputs, chunk, out, .. } = self;
        let (input, chunk) = (inputs.as_chunks::<BLOCK>().0, chunk / BLOCK);
        let mut four = Four { sums: [lanes.zero(); 4], outputs: [0; 4], len: 0 };
        let mut held = true;
        out.fill(S::default());
        for (output, bytes) in matrix.packed(outputs).enumerate() {
            let blocks = bytes.as_chunks().0;
            for (blocks, input) in blocks.chunks(chunk).zip(input.chunks(chunk)) {
                four.sums[four.len] = packed::<L, P, BYTES>(lanes, blocks, input);
                four.outputs[four.len] = output;
                four.len += 1;
                if four.len == 4 {
                    held &= four.put(lanes, out);
                }
            }
        }
        held & four.put(lanes, out)
    }

    #[inline(always)]
    fn unpacked<L: Lanes>(self, lanes: L) -> bool {
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

/// Up to four sums whose lanes are still to be added, and the outputs they belong to.
struct Four<L: Lanes> {
    sums: [L::Sixteen; 4],
    outputs: [usize; 4],
    len: usize,
}

impl<L: Lanes> Four<L> {
    #[inline(always)]
    fn put<S: Sink>(&mut self, lanes: L, out: &mut [S]) -> bool {
        // What is left of last time's is not held against this time.
        self.sums[self.len..].fill(lanes.zero());
        let (chunks, held) = S::of(lanes.totals(self.sums));
        if self.len == 4 && self.outputs[0] == self.outputs[3] {
            // One after the other in memory they would wait for each other.
            let mut sum = S::default();
            for chunk in chunks {
                sum.add(chunk);
            }
            out[self.outputs[0]].add(sum);
        } else {
            for (chunk, output) in chunks.into_iter().zip(self.outputs).take(self.len) {
                out[output].add(chunk);
            }
        }
        self.len = 0;
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
        let mut totals = [[S::default(); W]; N];
        for start in (0..self.width).step_by(self.chunk) {
            let end = self.width.min(start + self.chunk);
            let sums = tile(
                self.lanes,
                weights.map(|row| &row[start..end]),
                inputs.map(|row| &row[start..end]),
            );
            let fours = totals.as_flattened_mut().chunks_mut(4);
            for (totals, sums) in fours.zip(sums.as_flattened().chunks(4)) {
                let mut four = [0.0; 4];
                four[..sums.len()].copy_from_slice(sums);
                let (chunks, held) = S::of(four);
                self.held &= held;
                for (total, chunk) in totals.iter_mut().zip(chunks) {
                    total.add(chunk);
                }
            }
        }
        for (j, totals) in totals.iter().enumerate() {
            for (i, total) in totals.iter().enumerate() {
                self.out[(w + i) * self.batch + n + j] = *total;
            }
        }
    }
}
