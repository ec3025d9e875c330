//! The processor with plain float32 sums: what the engine would be if nobody shared out columns.

use std::{cell::RefCell, ops::Range};

use swarm_engine::{
    Backend, CacheShape, Collective, CollectiveError, Cpu, EngineError, HeadRows, Ragged, Tensor,
};

type Matrix = <Cpu as Backend>::Matrix;
type Rows = <Cpu as Backend>::Rows;
type Cache = <Cpu as Backend>::Cache;
type Done = Result<(), EngineError>;

/// A [`Cpu`] but for its sums.
pub(crate) struct Floats {
    cpu: Cpu,
    /// A residual stream while it is added to.
    scratch: Vec<f32>,
}

/// Sums in float32. In a cell, for the processor shows the numbers only of rows it may change.
pub(crate) struct Sums(RefCell<Rows>);

impl Floats {
    pub(crate) fn new(cpu: Cpu) -> Self {
        Self { cpu, scratch: Vec::new() }
    }
}

impl Backend for Floats {
    type Matrix = Matrix;
    type Rows = Rows;
    type Sums = Sums;
    type Cache = Cache;

    fn sums(&mut self, width: usize) -> Sums {
        Sums(RefCell::new(self.cpu.rows(width)))
    }

    fn partial_sums(
        &mut self,
        input: &Rows,
        matrix: &Matrix,
        _chunk: usize,
        out: &mut Sums,
    ) -> Result<bool, EngineError> {
        self.cpu.products(input, &mut [(matrix, out.0.get_mut())])?;
        Ok(true)
    }

    fn all_reduce(
        &mut self,
        _sums: &mut Sums,
        _group: &mut dyn Collective,
    ) -> Result<(), CollectiveError> {
        Ok(())
    }

    fn add(&mut self, sums: &Sums, residual: &mut Rows) -> Done {
        let mut sums = sums.0.borrow_mut();
        let (old, more) = (self.cpu.download(residual)?, self.cpu.download(&mut sums)?);
        self.scratch.clear();
        self.scratch.extend(old.iter().zip(more).map(|(old, more)| old + more));
        self.cpu.upload(&self.scratch, residual)
    }

    fn matrix(
        &mut self,
        tensor: &Tensor,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Result<Matrix, EngineError> {
        self.cpu.matrix(tensor, rows, columns)
    }

    fn rows(&mut self, width: usize) -> Rows {
        self.cpu.rows(width)
    }

    fn cache(&mut self, shape: CacheShape) -> Result<Cache, EngineError> {
        self.cpu.cache(shape)
    }

    fn upload(&mut self, values: &[f32], out: &mut Rows) -> Done {
        self.cpu.upload(values, out)
    }

    fn download<'a>(&mut self, rows: &'a mut Rows) -> Result<&'a [f32], EngineError> {
        self.cpu.download(rows)
    }

    fn embed(&mut self, table: &Matrix, tokens: &[u32], out: &mut Rows) -> Done {
        self.cpu.embed(table, tokens, out)
    }

    fn pick(&mut self, input: &Rows, picks: &[usize], out: &mut Rows) -> Done {
        self.cpu.pick(input, picks, out)
    }

    fn rms_norm(&mut self, input: &Rows, weight: &Rows, epsilon: f32, out: &mut Rows) -> Done {
        self.cpu.rms_norm(input, weight, epsilon, out)
    }

    fn products(&mut self, input: &Rows, pairs: &mut [(&Matrix, &mut Rows)]) -> Done {
        self.cpu.products(input, pairs)
    }

    fn swiglu(&mut self, gate: &mut Rows, up: &Rows) -> Done {
        self.cpu.swiglu(gate, up)
    }

    fn rotate_and_store(
        &mut self,
        ragged: &Ragged<'_>,
        heads: HeadRows<'_, Self>,
        cache: &mut Cache,
        layer: usize,
    ) -> Done {
        let HeadRows { query, key, value } = heads;
        self.cpu.rotate_and_store(ragged, HeadRows { query, key, value }, cache, layer)
    }

    fn attention(
        &mut self,
        ragged: &Ragged<'_>,
        query: &Rows,
        cache: &Cache,
        layer: usize,
        out: &mut Rows,
    ) -> Done {
        self.cpu.attention(ragged, query, cache, layer, out)
    }
}
