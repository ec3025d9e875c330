//! Processor cores as a backend.
//!
//! Weights stay quantised in the mapped file; activations, KV cache and all arithmetic are f32,
//! except for the sums that cross columns, which are integers (see `fixed`). This is what
//! `--compute f32` names, and the reference for everything faster.

mod attention;
mod crew;
mod dot;
mod isa;
mod matrix;
mod packed;
mod product;
mod rows;

use std::{cell::RefCell, ops::Range};

use attention::Attention;
use crew::Crew;
pub use crew::step_back;
use isa::Isa;
use matrix::{Matrix, Panel};
use product::{Product, Sink};
use rows::{Add, RmsNorm, SwiGlu, rotate};

use crate::{
    Collective, CollectiveError, EngineError, Tensor,
    backend::{Backend, CacheShape, HeadRows, Ragged},
    kv::{Cache, Place, TOKENS},
};

/// Below this many multiplications waking the other threads costs more than they save.
const WORTH_SHARING: usize = 1 << 15;

/// Processor cores.
#[derive(Debug)]
pub struct Cpu {
    isa: Isa,
    crew: Crew,
    exact: bool,
}

/// Rows of equal width, one after another.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    width: usize,
    numbers: Vec<T>,
    /// The same numbers output-major, as products leave them.
    turned: Vec<T>,
}

/// A thread's scratch. It keeps its size, so a step allocates nothing here.
#[derive(Default)]
struct Scratch {
    panel: Panel,
    scores: Vec<[f32; TOKENS]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Cpu {
    /// As many cores as `threads` keep busy.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        Ok(Self { isa: Isa::best(), crew: Crew::new(threads)?, exact: true })
    }

    /// The same cores, which add up all columns that they hold at once. That is quicker, and the low
    /// bits of a sum then depend on how columns were shared out.
    #[must_use]
    pub fn inexact(self) -> Self {
        Self { exact: false, ..self }
    }

    /// Cuts whole rows of `out` into a few runs a thread, if there is enough to do.
    fn runs<'a>(&self, out: &'a mut [f32], width: usize) -> impl Iterator<Item = &'a mut [f32]> {
        let rows = out.len() / width;
        let share = if out.len() < WORTH_SHARING { rows } else { self.crew.share(rows, 1) };
        out.chunks_mut(share.max(1) * width)
    }
}

impl<T: Copy + Default> Rows<T> {
    fn new(width: usize) -> Self {
        Self { width, numbers: Vec::new(), turned: Vec::new() }
    }

    fn len(&self) -> usize {
        self.numbers.len() / self.width
    }

    fn resize(&mut self, rows: usize) -> &mut [T] {
        self.numbers.resize(rows * self.width, T::default());
        &mut self.numbers
    }

    fn row(&self, row: usize) -> &[T] {
        &self.numbers[row * self.width..][..self.width]
    }

    /// Room for the products of `rows` rows, output-major. What is there is overwritten.
    fn turn(&mut self, rows: usize) -> &mut [T] {
        self.resize(rows);
        self.turned.resize(rows * self.width, T::default());
        &mut self.turned
    }

    /// Brings products from output-major to row-major.
    fn turn_back(&mut self) {
        let rows = self.len();
        if rows == 1 {
            std::mem::swap(&mut self.numbers, &mut self.turned);
            return;
        }
        for (row, numbers) in self.numbers.chunks_exact_mut(self.width).enumerate() {
            for (number, column) in numbers.iter_mut().zip(self.turned.chunks_exact(rows)) {
                *number = column[row];
            }
        }
    }
}

/// Tasks for some of a matrix's outputs each, over `turned`.
struct Part<'a, S> {
    matrix: &'a Matrix,
    outputs: Range<usize>,
    out: &'a mut [S],
}

impl Cpu {
    fn parts<'a, S>(
        &self,
        matrix: &'a Matrix,
        batch: usize,
        turned: &'a mut [S],
    ) -> impl Iterator<Item = Part<'a, S>> {
        let share = self.crew.share(matrix.rows(), 4);
        turned.chunks_mut(share * batch).enumerate().map(move |(index, out)| {
            let first = index * share;
            Part { matrix, outputs: first..first + out.len() / batch, out }
        })
    }

    fn multiply<S: Sink>(&self, inputs: &[f32], chunk: usize, parts: Vec<Part<'_, S>>) -> bool {
        self.crew.all(parts, |Part { matrix, outputs, out }| {
            SCRATCH.with_borrow_mut(|Scratch { panel, .. }| {
                self.isa.run(Product { matrix, outputs, inputs, chunk, out, panel })
            })
        })
    }
}

impl Backend for Cpu {
    type Matrix = Matrix;
    type Rows = Rows<f32>;
    type Sums = Rows<i64>;
    type Cache = Cache;

    fn within<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> T {
        match self.crew.pool() {
            None => work(self),
            Some(pool) => pool.install(|| work(self)),
        }
    }

    fn matrix(
        &mut self,
        tensor: &Tensor,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Matrix, EngineError> {
        Matrix::new(tensor, rows, columns)
    }

    fn rows(&mut self, width: usize) -> Rows<f32> {
        Rows::new(width)
    }

    fn sums(&mut self, width: usize) -> Rows<i64> {
        Rows::new(width)
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Cache, EngineError> {
        let (needed_bytes, allowed_bytes) = (shape.bytes(), isize::MAX as u64);
        Cache::new(shape).ok_or(EngineError::Memory { needed_bytes, allowed_bytes })
    }

    fn upload(&mut self, values: &[f32], out: &mut Rows<f32>) -> Result<(), EngineError> {
        out.numbers.clear();
        out.numbers.extend_from_slice(values);
        Ok(())
    }

    fn download<'a>(&mut self, rows: &'a mut Rows<f32>) -> Result<&'a [f32], EngineError> {
        Ok(&rows.numbers)
    }

    fn embed(
        &mut self,
        table: &Matrix,
        tokens: &[u32],
        out: &mut Rows<f32>,
    ) -> Result<(), EngineError> {
        let numbers = out.resize(tokens.len());
        for (token, out) in tokens.iter().zip(numbers.chunks_exact_mut(table.columns())) {
            table.read(*token as usize, out);
        }
        Ok(())
    }

    fn pick(
        &mut self,
        input: &Rows<f32>,
        picks: &[usize],
        out: &mut Rows<f32>,
    ) -> Result<(), EngineError> {
        out.numbers.clear();
        picks.iter().for_each(|&row| out.numbers.extend_from_slice(input.row(row)));
        Ok(())
    }

    fn rms_norm(
        &mut self,
        input: &Rows<f32>,
        weight: &Rows<f32>,
        epsilon: f32,
        out: &mut Rows<f32>,
    ) -> Result<(), EngineError> {
        let width = input.width;
        let weight = &weight.numbers;
        let runs = self.runs(out.resize(input.len()), width);
        let mut rest = &input.numbers[..];
        let tasks = runs.map(|out| (rest.split_off(..out.len()).unwrap_or_default(), out));
        self.crew.each(tasks.collect(), |(input, out)| {
            self.isa.run(RmsNorm { input, weight, epsilon, out });
        });
        Ok(())
    }

    fn products(
        &mut self,
        input: &Rows<f32>,
        pairs: &mut [(&Matrix, &mut Rows<f32>)],
    ) -> Result<(), EngineError> {
        let batch = input.len();
        let parts =
            pairs.iter_mut().flat_map(|(matrix, out)| self.parts(matrix, batch, out.turn(batch)));
        self.multiply(&input.numbers, input.width, parts.collect());
        pairs.iter_mut().for_each(|(_, out)| out.turn_back());
        Ok(())
    }

    fn partial_sums(
        &mut self,
        input: &Rows<f32>,
        matrix: &Matrix,
        chunk: usize,
        out: &mut Rows<i64>,
    ) -> Result<bool, EngineError> {
        let batch = input.len();
        let chunk = if self.exact { chunk } else { matrix.columns() };
        let parts = self.parts(matrix, batch, out.turn(batch)).collect();
        let held = self.multiply(&input.numbers, chunk, parts);
        out.turn_back();
        Ok(held)
    }

    fn all_reduce(
        &mut self,
        sums: &mut Rows<i64>,
        group: &mut dyn Collective,
    ) -> Result<(), CollectiveError> {
        group.all_reduce(&mut sums.numbers)
    }

    fn add(&mut self, sums: &Rows<i64>, residual: &mut Rows<f32>) -> Result<(), EngineError> {
        self.isa.run(Add { sums: &sums.numbers, residual: &mut residual.numbers });
        Ok(())
    }

    fn swiglu(&mut self, gate: &mut Rows<f32>, up: &Rows<f32>) -> Result<(), EngineError> {
        let width = gate.width;
        let mut rest = &up.numbers[..];
        let tasks = self
            .runs(&mut gate.numbers, width)
            .map(|gate| (rest.split_off(..gate.len()).unwrap_or_default(), gate));
        self.crew.each(tasks.collect(), |(up, gate)| self.isa.run(SwiGlu { gate, up }));
        Ok(())
    }

    fn rotate_and_store(
        &mut self,
        ragged: &Ragged<'_>,
        heads: HeadRows<'_, Self>,
        cache: &mut Cache,
        layer: usize,
    ) -> Result<(), EngineError> {
        let width = cache.shape().head_dim;
        let mut turned = vec![0.0; width];
        for (row, &(item, position)) in ragged.rows.iter().enumerate() {
            let turns = &ragged.turns[row * ragged.pairs..][..ragged.pairs];
            let query = &mut heads.query.numbers[row * heads.query.width..][..heads.query.width];
            query.chunks_exact_mut(width).for_each(|head| rotate(head, turns, ragged.style));
            let block = ragged.items[item].blocks[position / TOKENS];
            let keys = heads.key.row(row).chunks_exact(width);
            let values = heads.value.row(row).chunks_exact(width);
            for (head, (key, value)) in keys.zip(values).enumerate() {
                turned.copy_from_slice(key);
                rotate(&mut turned, turns, ragged.style);
                let place = Place { block, head, token: position % TOKENS };
                cache.store(layer, place, &turned, value);
            }
        }
        Ok(())
    }

    fn attention(
        &mut self,
        ragged: &Ragged<'_>,
        query: &Rows<f32>,
        cache: &Cache,
        layer: usize,
        out: &mut Rows<f32>,
    ) -> Result<(), EngineError> {
        let shape = cache.shape();
        let heads = shape.kv_heads * shape.queries;
        let numbers = out.resize(ragged.rows.len());
        let work = |(index, out): (usize, &mut [f32])| {
            let (row, head) = (index / heads, index % heads);
            let (item, position) = ragged.rows[row];
            SCRATCH.with_borrow_mut(|Scratch { scores, .. }| {
                self.isa.run(Attention {
                    query: &query.row(row)[head * shape.head_dim..][..shape.head_dim],
                    cache,
                    layer,
                    head: head / shape.queries,
                    blocks: &ragged.items[item].blocks,
                    keys: position + 1,
                    out,
                    scores,
                });
            });
        };
        let keys: usize = ragged.rows.iter().map(|(_, position)| position + 1).sum();
        let tasks = numbers.chunks_exact_mut(shape.head_dim).enumerate();
        if keys * query.width < WORTH_SHARING {
            tasks.for_each(work);
        } else {
            self.crew.each(tasks.collect(), work);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use swarm_proto::{Batch, Item};

    use super::*;
    use crate::{Alone, Format, Shape, Stage, Weights, synth};

    fn logits(isa: Isa, weights: &Weights) -> Vec<Vec<f32>> {
        let cpu = Cpu { isa, crew: Crew::new(1).unwrap(), exact: true };
        let mut stage = Stage::open(cpu, weights, weights.whole(4), u64::MAX).unwrap();
        let item = |position: usize| Item {
            position: position as u32,
            tokens: vec![10 + position as u32 * 7],
            blocks: Arc::new([3, 0, 2, 1]),
            sample: None,
        };
        let batch = Batch { items: (0..40).map(item).collect() };
        stage.logits(&batch, None, &mut Alone).unwrap()
    }

    #[test]
    fn every_instruction_set_computes_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        for format in Format::ALL {
            for hidden in [64, 102, 256] {
                let path = folder.path().join("made.gguf");
                synth(&Shape { hidden, ..Shape::tiny() }, format, 3, &path).unwrap();
                let weights = Weights::open(&path).unwrap();
                assert!(logits(Isa::plain(), &weights) == logits(Isa::best(), &weights));
            }
        }
    }
}
