//! Every operation of every backend against a plain f64 reference: odd shapes, tails, one row and
//! many. Tolerances are in units of f32's precision times the size of what was added.

use std::sync::Arc;

use swarm_engine::{
    Backend, CacheShape, Collective, CollectiveError, Cpu, Format, HeadRows, Ragged, RopeStyle,
    Tensor,
};
use swarm_proto::Item;

/// Runs each test on every backend there is.
macro_rules! conform {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            reference::$name(&mut Cpu::new(1).unwrap());
            reference::$name(&mut Cpu::new(3).unwrap());
        }
    )*};
}

conform! {
    embedding_reads_rows_of_every_format
    picking_copies_rows
    norms_are_the_references
    products_are_the_references
    partial_sums_are_the_references_and_add_up_over_shares
    sums_beyond_the_limit_are_told
    gates_are_the_references
    attention_is_the_references
}

/// Numbers from -1 to 1 that follow no pattern a kernel could hide behind.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn tensor(values: &[f32], format: Format, rows: usize) -> Tensor {
    let mut bytes = Vec::new();
    format.quantize(values, &mut bytes);
    Tensor::new(bytes.into(), format, rows, values.len() / rows).unwrap()
}

/// What a tensor stands for, in f64.
fn read(tensor: &Tensor) -> Vec<Vec<f64>> {
    let mut row = vec![0.0; tensor.cols()];
    let mut wide = |index| {
        tensor.read_row(index, &mut row);
        row.iter().map(|number| f64::from(*number)).collect()
    };
    (0..tensor.rows()).map(&mut wide).collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs();
        assert!(off <= tolerance, "number {index} is {found}, not {expected}");
    }
}

fn rows_of<B: Backend>(backend: &mut B, values: &[f32], width: usize) -> B::Rows {
    let mut rows = backend.rows(width);
    backend.upload(values, &mut rows).unwrap();
    rows
}

/// A group that looks at the sums, and adds what another member is said to have.
struct Other {
    theirs: Vec<i64>,
    ours: Vec<i64>,
}

impl Collective for Other {
    fn all_reduce(&mut self, sums: &mut [i64]) -> Result<(), CollectiveError> {
        self.ours = sums.to_vec();
        sums.iter_mut().zip(&self.theirs).for_each(|(sum, their)| *sum += their);
        Ok(())
    }

    fn members(&self) -> usize {
        2
    }
}

mod reference {
    use super::*;

    pub(super) fn embedding_reads_rows_of_every_format(backend: &mut impl Backend) {
        for format in Format::ALL {
            let table = tensor(&numbers(7 * 256, 1), format, 7);
            let matrix = backend.matrix(&table, 0..7, 0..256).unwrap();
            let mut out = backend.rows(256);
            backend.embed(&matrix, &[6, 0, 6], &mut out).unwrap();
            let all = read(&table);
            let expected = [&all[6][..], &all[0], &all[6]].concat();
            assert_near(backend.download(&mut out).unwrap(), &expected, 0.0);
        }
    }

    pub(super) fn picking_copies_rows(backend: &mut impl Backend) {
        let input = rows_of(backend, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2);
        let mut out = backend.rows(2);
        backend.pick(&input, &[2, 0], &mut out).unwrap();
        assert_eq!(backend.download(&mut out).unwrap(), [5.0, 6.0, 1.0, 2.0]);
    }

    pub(super) fn norms_are_the_references(backend: &mut impl Backend) {
        for (width, count) in [(1, 1), (15, 2), (100, 1), (576, 70)] {
            let (input, weight) = (numbers(width * count, 2), numbers(width, 3));
            let (rows, scale) = (rows_of(backend, &input, width), rows_of(backend, &weight, width));
            let mut out = backend.rows(width);
            backend.rms_norm(&rows, &scale, 1e-5, &mut out).unwrap();
            let expected: Vec<f64> =
                input.chunks(width).flat_map(|row| norm(row, &weight)).collect();
            assert_near(backend.download(&mut out).unwrap(), &expected, 1e-6);
        }
    }

    fn norm(row: &[f32], weight: &[f32]) -> Vec<f64> {
        let wide = |number: &f32| f64::from(*number);
        let mean = row.iter().map(|x| wide(x) * wide(x)).sum::<f64>() / row.len() as f64;
        let scale = 1.0 / (mean + 1e-5).sqrt();
        row.iter().zip(weight).map(|(x, w)| wide(x) * scale * wide(w)).collect()
    }

    /// Rows times the transposed matrix, over some of its rows and columns.
    fn product(
        input: &[f32],
        matrix: &Tensor,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
    ) -> Vec<f64> {
        let weights = read(matrix);
        let one = |input: &[f32], weights: &[f64]| -> f64 {
            let weights = &weights[columns.clone()];
            input.iter().zip(weights).map(|(x, w)| f64::from(*x) * w).sum()
        };
        input
            .chunks(columns.len())
            .flat_map(|input| weights[rows.clone()].iter().map(move |row| one(input, row)))
            .collect()
    }

    pub(super) fn products_are_the_references(backend: &mut impl Backend) {
        for format in Format::ALL {
            for (height, width, count) in [(1, 256, 1), (3, 512, 2), (37, 256, 5), (130, 768, 16)] {
                let table = tensor(&numbers(height * width, 4), format, height);
                check_products(backend, &table, count);
            }
        }
        for (height, width, count) in [(2, 1, 1), (5, 17, 3), (50, 100, 4), (9, 5000, 7)] {
            check_products(
                backend,
                &tensor(&numbers(height * width, 5), Format::F32, height),
                count,
            );
        }
    }

    fn check_products(backend: &mut impl Backend, table: &Tensor, count: usize) {
        let (height, width) = (table.rows(), table.cols());
        let input = numbers(width * count, 6);
        let rows = rows_of(backend, &input, width);
        let part = height / 3..height;
        let all = backend.matrix(table, 0..height, 0..width).unwrap();
        let some = backend.matrix(table, part.clone(), 0..width).unwrap();
        let (mut first, mut second) = (backend.rows(height), backend.rows(part.len()));
        backend.products(&rows, &mut [(&all, &mut first), (&some, &mut second)]).unwrap();
        let tolerance = 1e-6 * (width as f64).sqrt();
        let expected = product(&input, table, 0..height, 0..width);
        assert_near(backend.download(&mut first).unwrap(), &expected, tolerance);
        let expected = product(&input, table, part, 0..width);
        assert_near(backend.download(&mut second).unwrap(), &expected, tolerance);
    }

    pub(super) fn partial_sums_are_the_references_and_add_up_over_shares(
        backend: &mut impl Backend,
    ) {
        for format in Format::ALL {
            for (height, chunk, count) in [(1, 64, 1), (7, 100, 2), (30, 256, 5), (66, 48, 16)] {
                let table = tensor(&numbers(height * 768, 7), format, height);
                check_partial_sums(backend, &table, chunk, count);
            }
        }
    }

    fn check_partial_sums<B: Backend>(backend: &mut B, table: &Tensor, chunk: usize, count: usize) {
        let (height, width, cut) = (table.rows(), table.cols(), 2 * chunk);
        let input = numbers(width * count, 8);
        let start = numbers(height * count, 9);
        let mut share = |columns: std::ops::Range<usize>, theirs: &[i64]| {
            let matrix = backend.matrix(table, 0..height, columns.clone()).unwrap();
            let ours: Vec<f32> =
                input.chunks(width).flat_map(|row| row[columns.clone()].to_vec()).collect();
            let rows = rows_of(backend, &ours, columns.len());
            let mut sums = backend.sums(height);
            assert!(backend.partial_sums(&rows, &matrix, chunk, &mut sums).unwrap());
            let mut group = Other { theirs: theirs.to_vec(), ours: Vec::new() };
            backend.all_reduce(&mut sums, &mut group).unwrap();
            let mut residual = rows_of(backend, &start, height);
            backend.add(&sums, &mut residual).unwrap();
            (group.ours, backend.download(&mut residual).unwrap().to_vec())
        };
        let (whole, alone) = share(0..width, &[]);
        let (left, _) = share(0..cut, &[]);
        let (_, together) = share(cut..width, &left);
        assert_eq!(alone, together, "shares are exact");
        let unit = 1.0 / (1u64 << 32) as f64;
        let totals: Vec<f32> = whole.iter().map(|sum| (*sum as f64 * unit) as f32).collect();
        let expected = product(&input, table, 0..height, 0..width);
        assert_near(&totals, &expected, 3e-5);
        let added = expected.iter().zip(&start).map(|(sum, start)| sum + f64::from(*start));
        assert_near(&alone, &added.collect::<Vec<_>>(), 3e-5);
    }

    pub(super) fn sums_beyond_the_limit_are_told(backend: &mut impl Backend) {
        let table = tensor(&[1.0; 6], Format::F32, 2);
        let matrix = backend.matrix(&table, 0..2, 0..3).unwrap();
        let mut sums = backend.sums(2);
        for (worst, held) in [
            (4_000_000.0, true),
            (-4_194_303.0, true),
            (4_200_000.0, false),
            (f32::NEG_INFINITY, false),
            (f32::NAN, false),
        ] {
            let rows = rows_of(backend, &[0.0, 1.0, 2.0, 0.0, worst, 0.0], 3);
            assert_eq!(
                backend.partial_sums(&rows, &matrix, 1, &mut sums).unwrap(),
                held,
                "{worst}"
            );
        }
    }

    pub(super) fn gates_are_the_references(backend: &mut impl Backend) {
        for (width, count) in [(1, 1), (37, 3), (1536, 30)] {
            let gate: Vec<f32> = numbers(width * count, 10).iter().map(|x| x * 20.0).collect();
            let up = numbers(width * count, 11);
            let mut gates = rows_of(backend, &gate, width);
            let ups = rows_of(backend, &up, width);
            backend.swiglu(&mut gates, &ups).unwrap();
            let silu = |x: f64| x / (1.0 + (-x).exp());
            let expected: Vec<f64> =
                gate.iter().zip(&up).map(|(g, u)| silu(f64::from(*g)) * f64::from(*u)).collect();
            assert_near(backend.download(&mut gates).unwrap(), &expected, 1e-5);
        }
    }

    pub(super) fn attention_is_the_references(backend: &mut impl Backend) {
        for style in [RopeStyle::Interleaved, RopeStyle::Halves] {
            for (kv_heads, queries, head_dim, pairs) in
                [(1, 1, 2, 1), (3, 3, 64, 32), (2, 4, 22, 8), (1, 5, 80, 40)]
            {
                let shape = CacheShape { layers: 2, blocks: 40, kv_heads, queries, head_dim };
                let sessions = Sessions { shape, pairs, style, lens: vec![45, 1, 16, 130] };
                sessions.check(backend);
            }
        }
    }

    /// Sessions of some lengths, fed as a prompt and then a ragged batch, on the second layer.
    struct Sessions {
        shape: CacheShape,
        pairs: usize,
        style: RopeStyle,
        lens: Vec<usize>,
    }

    impl Sessions {
        fn row(&self, session: usize, position: usize, what: u64, heads: usize) -> Vec<f32> {
            let seed = what + 3 * (session * 1000 + position) as u64;
            numbers(heads * self.shape.head_dim, 100 + seed)
        }

        fn query(&self, session: usize, position: usize) -> Vec<f32> {
            self.row(session, position, 0, self.shape.kv_heads * self.shape.queries)
        }

        fn key(&self, session: usize, position: usize) -> Vec<f32> {
            self.row(session, position, 1, self.shape.kv_heads)
        }

        fn value(&self, session: usize, position: usize) -> Vec<f32> {
            self.row(session, position, 2, self.shape.kv_heads)
        }

        fn angle(&self, position: usize, pair: usize) -> f64 {
            position as f64 * 0.3f64.powi(pair as i32)
        }

        fn check<B: Backend>(&self, backend: &mut B) {
            let mut cache = backend.cache(self.shape).unwrap();
            let halfway: Vec<_> = self.lens.iter().map(|len| (0, len / 2)).collect();
            let rest: Vec<_> = self.lens.iter().map(|len| (len / 2, *len)).collect();
            for spans in [halfway, rest] {
                let (found, rows) = self.step(backend, &mut cache, &spans);
                let expected =
                    rows.iter().flat_map(|&(session, position)| self.attend(session, position));
                assert_near(&found, &expected.collect::<Vec<_>>(), 5e-6);
            }
        }

        /// One ragged batch: what attention gives, and each row's session and position.
        fn step<B: Backend>(
            &self,
            backend: &mut B,
            cache: &mut B::Cache,
            spans: &[(usize, usize)],
        ) -> (Vec<f32>, Vec<(usize, usize)>) {
            let item = |session: usize| Item {
                position: 0,
                tokens: Vec::new(),
                // Sessions' blocks interleave, last first.
                blocks: Arc::from_iter((0..10).map(|block| 39 - (block * 4 + session as u32))),
                sample: None,
            };
            let items: Vec<_> = (0..spans.len()).map(item).collect();
            let positions = |(session, span): (usize, &(usize, usize))| {
                (span.0..span.1).map(move |position| (session, position))
            };
            let rows: Vec<_> = spans.iter().enumerate().flat_map(positions).collect();
            let turn = |position, pair| {
                let (sin, cos) = self.angle(position, pair).sin_cos();
                (cos as f32, sin as f32)
            };
            let turns =
                rows.iter().flat_map(|row| (0..self.pairs).map(move |pair| turn(row.1, pair)));
            let (turns, pairs, style) = (turns.collect(), self.pairs, self.style);
            let ragged = Ragged { items: &items, rows: rows.clone(), turns, pairs, style };
            let width = self.shape.kv_heads * self.shape.head_dim;
            let all = |part: &dyn Fn(usize, usize) -> Vec<f32>| -> Vec<f32> {
                rows.iter().flat_map(|&(session, position)| part(session, position)).collect()
            };
            let mut query =
                rows_of(backend, &all(&|s, p| self.query(s, p)), width * self.shape.queries);
            let key = rows_of(backend, &all(&|s, p| self.key(s, p)), width);
            let value = rows_of(backend, &all(&|s, p| self.value(s, p)), width);
            let heads = HeadRows { query: &mut query, key: &key, value: &value };
            backend.rotate_and_store(&ragged, heads, cache, 1).unwrap();
            let mut out = backend.rows(width * self.shape.queries);
            backend.attention(&ragged, &query, cache, 1, &mut out).unwrap();
            (backend.download(&mut out).unwrap().to_vec(), rows)
        }

        /// A head, turned by its position.
        fn turned(&self, row: &[f32], head: usize, position: usize) -> Vec<f64> {
            let width = self.shape.head_dim;
            let mut head: Vec<f64> =
                row[head * width..][..width].iter().map(|x| f64::from(*x)).collect();
            for pair in 0..self.pairs {
                let (a, b) = match self.style {
                    RopeStyle::Interleaved => (2 * pair, 2 * pair + 1),
                    RopeStyle::Halves => (pair, pair + self.pairs),
                };
                let (sin, cos) = self.angle(position, pair).sin_cos();
                (head[a], head[b]) = (head[a] * cos - head[b] * sin, head[a] * sin + head[b] * cos);
            }
            head
        }

        fn attend(&self, session: usize, position: usize) -> Vec<f64> {
            let width = self.shape.head_dim;
            let mut out = Vec::new();
            for head in 0..self.shape.kv_heads * self.shape.queries {
                let shared = head / self.shape.queries;
                let query = self.turned(&self.query(session, position), head, position);
                let score = |key: usize| {
                    let turned = self.turned(&self.key(session, key), shared, key);
                    let dot: f64 = turned.iter().zip(&query).map(|(k, q)| k * q).sum();
                    (dot / (width as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = (0..=position).map(score).collect();
                let total: f64 = weights.iter().sum();
                let mut mixed = vec![0.0; width];
                for (key, weight) in weights.iter().enumerate() {
                    let value = self.value(session, key);
                    for (sum, number) in mixed.iter_mut().zip(&value[shared * width..]) {
                        *sum += weight / total * f64::from(*number);
                    }
                }
                out.extend(mixed);
            }
            out
        }
    }
}
