//! The Llama family: RMSNorm, rotary positions, grouped-query attention, SwiGLU.
//!
//! Queries, keys, values, gate and up are shared out by outputs, each of which one member computes
//! whole. The two ways back to the residual stream, attention's output and the FFN's down, are
//! shared out by columns: their sums are integers over fixed chunks (a KV-head group, a grain of
//! FFN columns), so that it is all the same who adds which chunk, and when.

use crate::{
    Collective, EngineError, Part, Shard, Weights,
    backend::{Backend, CacheShape, HeadRows, Ragged},
    fixed::CHUNKS_MAX,
};

/// Rows whose logits are computed at once: it bounds a buffer as wide as the vocabulary.
pub(crate) const LOGIT_ROWS_MAX: usize = swarm_proto::LOGIT_ROWS_MAX;

/// A shard of a stage of a Llama decoder.
pub(crate) struct Llama<B: Backend> {
    first_layer: usize,
    epsilon: f32,
    head_chunk: usize,
    ffn_chunk: usize,
    embedding: Option<B::Matrix>,
    layers: Vec<Layer<B>>,
    head: Option<Head<B>>,
    cache: B::Cache,
    buffers: Buffers<B>,
}

struct Layer<B: Backend> {
    attention_norm: B::Rows,
    query: B::Matrix,
    key: B::Matrix,
    value: B::Matrix,
    output: B::Matrix,
    ffn_norm: B::Rows,
    gate: B::Matrix,
    up: B::Matrix,
    down: B::Matrix,
}

struct Head<B: Backend> {
    norm: B::Rows,
    matrix: B::Matrix,
}

/// What a step needs, kept from step to step.
struct Buffers<B: Backend> {
    residual: B::Rows,
    normed: B::Rows,
    query: B::Rows,
    key: B::Rows,
    value: B::Rows,
    mixed: B::Rows,
    gate: B::Rows,
    up: B::Rows,
    sums: B::Sums,
    picked: B::Rows,
    logits: B::Rows,
}

/// Where the rows of a stage come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// From tokens.
    Tokens(&'a [u32]),
    /// From the stage before.
    Residual(&'a [f32]),
}

impl<B: Backend> Llama<B> {
    /// Takes the shard, which fits the model.
    pub(crate) fn open(
        backend: &mut B,
        weights: &Weights,
        shard: &Shard,
        cache: CacheShape,
    ) -> Result<Self, EngineError> {
        let config = weights.config();
        let (vocab, hidden) = (config.vocab, config.hidden);
        let (head_chunk, ffn_chunk) = (cache.queries * cache.head_dim, weights.ffn_grain());
        if config.kv_heads.max(config.ffn.div_ceil(ffn_chunk)) > CHUNKS_MAX {
            let words = format!("more than {CHUNKS_MAX} chunks cannot be added exactly");
            return Err(EngineError::Shard(words));
        }
        let open = |layer| Layer::open(backend, weights, shard, cache, layer);
        let layers = shard.layers.range().map(open).collect::<Result<_, _>>()?;
        let embedding =
            shard.embeds.then(|| backend.matrix(weights.embedding(), 0..vocab, 0..hidden));
        let embedding = embedding.transpose()?;
        let head = shard.heads.then(|| Head::open(backend, weights)).transpose()?;
        Ok(Self {
            first_layer: shard.layers.first() as usize,
            epsilon: config.norm_epsilon,
            head_chunk,
            ffn_chunk,
            embedding,
            layers,
            head,
            cache: backend.cache(cache)?,
            buffers: Buffers::new(
                backend,
                [hidden, vocab, shard.ffn_columns.len() as usize],
                cache,
            ),
        })
    }

    /// Takes rows through the stage's layers. They stay in the residual stream.
    pub(crate) fn forward(
        &mut self,
        backend: &mut B,
        ragged: &Ragged<'_>,
        source: Source<'_>,
        group: &mut dyn Collective,
    ) -> Result<(), EngineError> {
        let residual = &mut self.buffers.residual;
        match (source, &self.embedding) {
            (Source::Tokens(tokens), Some(table)) => backend.embed(table, tokens, residual)?,
            (Source::Residual(rows), _) => backend.upload(rows, residual)?,
            (Source::Tokens(_), None) => {
                return Err(EngineError::Batch("no rows for a stage that has no embedding".into()));
            }
        }
        for layer in 0..self.layers.len() {
            self.attention(backend, ragged, layer)?;
            self.reduce(backend, group)?;
            self.ffn(backend, layer)?;
            self.reduce(backend, group)?;
        }
        Ok(())
    }

    /// The residual stream after the last layer.
    pub(crate) fn residual(&mut self, backend: &mut B) -> Result<&[f32], EngineError> {
        backend.download(&mut self.buffers.residual)
    }

    /// Gives `each` the place in `picks` and the logits of every row picked.
    pub(crate) fn logits(
        &mut self,
        backend: &mut B,
        picks: &[usize],
        mut each: impl FnMut(usize, &[f32]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let Some(head) = &self.head else {
            return Err(EngineError::Batch("no logits from a stage that has no head".into()));
        };
        let Buffers { residual, picked, normed, logits, .. } = &mut self.buffers;
        for (part, picks) in picks.chunks(LOGIT_ROWS_MAX).enumerate() {
            backend.pick(residual, picks, picked)?;
            backend.rms_norm(picked, &head.norm, self.epsilon, normed)?;
            backend.products(normed, &mut [(&head.matrix, &mut *logits)])?;
            let numbers = backend.download(logits)?;
            let rows = numbers.chunks_exact(numbers.len() / picks.len());
            for (index, row) in rows.enumerate() {
                each(part * LOGIT_ROWS_MAX + index, row)?;
            }
        }
        Ok(())
    }

    /// Leaves attention's output in the sums.
    fn attention(
        &mut self,
        backend: &mut B,
        ragged: &Ragged<'_>,
        index: usize,
    ) -> Result<(), EngineError> {
        let layer = &self.layers[index];
        let Buffers { residual, normed, query, key, value, mixed, sums, .. } = &mut self.buffers;
        backend.rms_norm(residual, &layer.attention_norm, self.epsilon, normed)?;
        let mut pairs =
            [(&layer.query, &mut *query), (&layer.key, &mut *key), (&layer.value, &mut *value)];
        backend.products(normed, &mut pairs)?;
        let heads = HeadRows { query: &mut *query, key, value };
        backend.rotate_and_store(ragged, heads, &mut self.cache, index)?;
        backend.attention(ragged, query, &self.cache, index, mixed)?;
        let held = backend.partial_sums(mixed, &layer.output, self.head_chunk, sums)?;
        self.held(held, index)
    }

    /// Leaves the FFN's output in the sums.
    fn ffn(&mut self, backend: &mut B, index: usize) -> Result<(), EngineError> {
        let layer = &self.layers[index];
        let Buffers { residual, normed, gate, up, sums, .. } = &mut self.buffers;
        backend.rms_norm(residual, &layer.ffn_norm, self.epsilon, normed)?;
        backend.products(normed, &mut [(&layer.gate, &mut *gate), (&layer.up, &mut *up)])?;
        backend.swiglu(gate, up)?;
        let held = backend.partial_sums(gate, &layer.down, self.ffn_chunk, sums)?;
        self.held(held, index)
    }

    /// Adds the sums of all members to the residual stream.
    fn reduce(&mut self, backend: &mut B, group: &mut dyn Collective) -> Result<(), EngineError> {
        let Buffers { residual, sums, .. } = &mut self.buffers;
        backend.all_reduce(sums, group)?;
        backend.add(sums, residual)
    }

    fn held(&self, held: bool, index: usize) -> Result<(), EngineError> {
        let layer = self.first_layer + index;
        if held { Ok(()) } else { Err(EngineError::Overflow { layer }) }
    }
}

impl<B: Backend> Layer<B> {
    fn open(
        backend: &mut B,
        weights: &Weights,
        shard: &Shard,
        cache: CacheShape,
        layer: usize,
    ) -> Result<Self, EngineError> {
        let heads = shard.kv_heads.range();
        let keys = heads.start * cache.head_dim..heads.end * cache.head_dim;
        let queries = keys.start * cache.queries..keys.end * cache.queries;
        let ffn = shard.ffn_columns.range();
        let hidden = weights.config().hidden;
        let tensor = |part| weights.layer(layer, part);
        let attention_norm = vector(backend, weights, tensor(Part::AttentionNorm))?;
        let ffn_norm = vector(backend, weights, tensor(Part::FfnNorm))?;
        let mut outputs = |part, rows| backend.matrix(tensor(part), rows, 0..hidden);
        let query = outputs(Part::Query, queries.clone())?;
        let key = outputs(Part::Key, keys.clone())?;
        let value = outputs(Part::Value, keys)?;
        let gate = outputs(Part::Gate, ffn.clone())?;
        let up = outputs(Part::Up, ffn.clone())?;
        let output = backend.matrix(tensor(Part::Output), 0..hidden, queries)?;
        let down = backend.matrix(tensor(Part::Down), 0..hidden, ffn)?;
        Ok(Self { attention_norm, query, key, value, output, ffn_norm, gate, up, down })
    }
}

impl<B: Backend> Head<B> {
    fn open(backend: &mut B, weights: &Weights) -> Result<Self, EngineError> {
        let norm = vector(backend, weights, weights.final_norm())?;
        let (vocab, hidden) = (weights.config().vocab, weights.config().hidden);
        Ok(Self { norm, matrix: backend.matrix(weights.head(), 0..vocab, 0..hidden)? })
    }
}

fn vector<B: Backend>(
    backend: &mut B,
    weights: &Weights,
    tensor: &crate::Tensor,
) -> Result<B::Rows, EngineError> {
    let mut values = vec![0.0; weights.config().hidden];
    tensor.read_row(0, &mut values);
    let mut rows = backend.rows(values.len());
    backend.upload(&values, &mut rows)?;
    Ok(rows)
}

impl<B: Backend> Buffers<B> {
    fn new(backend: &mut B, [hidden, vocab, ffn]: [usize; 3], cache: CacheShape) -> Self {
        let keys = cache.kv_heads * cache.head_dim;
        let queries = keys * cache.queries;
        Self {
            residual: backend.rows(hidden),
            normed: backend.rows(hidden),
            query: backend.rows(queries),
            key: backend.rows(keys),
            value: backend.rows(keys),
            mixed: backend.rows(queries),
            gate: backend.rows(ffn),
            up: backend.rows(ffn),
            sums: backend.sums(hidden),
            picked: backend.rows(hidden),
            logits: backend.rows(vocab),
        }
    }
}
