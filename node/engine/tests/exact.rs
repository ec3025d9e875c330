//! A row's result depends on nothing but its inputs: not on how the model was shared out, how the
//! prompt was cut, who else was in the batch, or how many threads computed it. All with `==`.

mod layout;
mod support;

use std::sync::{Arc, LazyLock};

use layout::{Pipeline, Share, Stages, alone, item, whole};
use proptest::prelude::*;
use support::default_model;
use swarm_engine::{
    Alone, BATCH_ROWS_MAX, Cpu, DeviceSpec, Engine, EngineError, Format, Output, Shape, Shard,
    Stage, Weights, open, synth,
};
use swarm_proto::{Batch, Draw, Sampling, Span};

const BLOCKS: u32 = 64;

/// The logits after `tokens`, given to the model in chunks of `chunk`.
fn logits(pipeline: &mut Pipeline, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let mut last = Vec::new();
    for (index, rows) in tokens.chunks(chunk).enumerate() {
        let batch = Batch { items: vec![item(0, index * chunk, rows)] };
        last = pipeline.logits(&batch).remove(0);
    }
    last
}

/// The default model, and a text for it.
static REAL: LazyLock<(Weights, Vec<u32>)> = LazyLock::new(|| {
    let weights = Weights::open(&default_model()).unwrap();
    (weights, (0..37).map(|index| 500 + index * 997 % 40_000).collect())
});

/// Its logits from one stage with one member, the whole text at once.
static EXPECTED: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let (weights, text) = &*REAL;
    logits(&mut Pipeline::open(weights, &alone(weights), BLOCKS, 2), text, text.len())
});

fn assert_real(stages: &Stages, threads: usize, chunk: usize) {
    let (weights, text) = &*REAL;
    let mut pipeline = Pipeline::open(weights, stages, BLOCKS, threads);
    assert!(logits(&mut pipeline, text, chunk) == *EXPECTED, "{stages:?} {threads} {chunk}");
}

#[test]
fn stages_do_not_change_a_bit() {
    let whole = whole(&REAL.0);
    assert_real(&vec![(11, vec![whole]), (30, vec![whole])], 1, 64);
    assert_real(&vec![(1, vec![whole]), (17, vec![whole]), (30, vec![whole])], 1, 64);
}

#[test]
fn unequal_shares_do_not_change_a_bit() {
    let two = vec![[0, 2, 0, 1024], [2, 3, 1024, 1536]];
    let three = vec![[1, 2, 64, 1152], [0, 1, 0, 64], [2, 3, 1152, 1536]];
    assert_real(&vec![(30, two.clone())], 1, 64);
    assert_real(&vec![(30, three.clone())], 1, 64);
    let mixture = vec![(7, two), (20, vec![whole(&REAL.0)]), (30, three)];
    assert_real(&mixture, 1, 16);
}

#[test]
fn chunks_of_a_prompt_do_not_change_a_bit() {
    for chunk in [1, 7, 16] {
        assert_real(&alone(&REAL.0), 2, chunk);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for threads in [1, 3] {
        assert_real(&alone(&REAL.0), threads, 64);
    }
}

#[test]
fn inexact_devices_give_up_equality_over_shares_and_nothing_else() {
    let (weights, text) = &*REAL;
    let inexact = |stages: &Stages, threads, chunk| {
        let cpu = || Cpu::new(threads).unwrap().inexact();
        logits(&mut Pipeline::open_on(weights, stages, BLOCKS, cpu), text, chunk)
    };
    let one = inexact(&alone(weights), 2, 64);
    assert!(one == inexact(&alone(weights), 1, 7), "neither threads nor chunks count");
    let pair = inexact(&vec![(30, vec![[0, 2, 0, 1024], [2, 3, 1024, 1536]])], 1, 64);
    assert!(one != pair && one != *EXPECTED, "the switch does nothing");
    let furthest = |other: &[f32]| {
        let apart = one.iter().zip(other).map(|(a, b)| (a - b).abs());
        apart.fold(0.0, f32::max)
    };
    assert!(furthest(&pair) < 2e-3 && furthest(&EXPECTED) < 2e-3, "by rounding alone");
    assert_ne!(swarm_engine::drift_class(true), swarm_engine::drift_class(false));
}

#[test]
fn company_in_the_batch_does_not_change_a_bit() {
    let (weights, text) = &*REAL;
    let mut pipeline = Pipeline::open(weights, &alone(weights), BLOCKS, 2);
    let other: Vec<u32> = text.iter().rev().copied().collect();
    pipeline.logits(&Batch { items: vec![item(1, 0, &other[..20]), item(0, 0, &text[..30])] });
    let items =
        vec![item(2, 0, &other[..3]), item(0, 30, &text[30..]), item(1, 20, &other[20..21])];
    assert!(pipeline.logits(&Batch { items })[1] == *EXPECTED);
}

/// A made-up model that no two of whose dimensions are alike, and few of which fill a vector.
fn odd() -> Shape {
    Shape {
        layers: 3,
        hidden: 100,
        heads: 6,
        kv_heads: 3,
        head_dim: 22,
        ffn: 200,
        vocab: 301,
        context_max: 640,
        theta: 10_000.0,
        tied: false,
    }
}

/// One whose rows every format's blocks fill, though heads do not fill blocks of 256.
fn blocky() -> Shape {
    Shape { hidden: 256, heads: 8, kv_heads: 4, head_dim: 32, ffn: 512, layers: 2, ..odd() }
}

fn made(shape: &Shape, format: Format) -> Weights {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.gguf");
    synth(shape, format, 7, &path).unwrap();
    // The mapping outlives the folder.
    Weights::open(&path).unwrap()
}

fn text(len: u32) -> Vec<u32> {
    (0..len).map(|index| 10 + index * 37 % 280).collect()
}

/// Every text position's logits, all in one batch: each token is an item of its own.
fn at_once(pipeline: &mut Pipeline, text: &[u32]) -> Vec<Vec<f32>> {
    let items: Vec<_> = text.iter().enumerate().map(|(at, token)| item(0, at, &[*token])).collect();
    let batches = items.chunks(BATCH_ROWS_MAX);
    batches.flat_map(|items| pipeline.logits(&Batch { items: items.to_vec() })).collect()
}

#[test]
fn every_format_and_shape_is_exact_under_shares_and_chunks() {
    for format in Format::ALL {
        for shape in [odd(), blocky(), Shape::tiny()] {
            let weights = made(&shape, format);
            let (heads, ffn) = (shape.kv_heads as u32, shape.ffn as u32);
            let grain = weights.ffn_grain() as u32;
            let text = text(50);
            let mut one = Pipeline::open(&weights, &alone(&weights), BLOCKS, 1);
            let expected = at_once(&mut one, &text);
            assert!(expected.iter().flatten().all(|logit| logit.is_finite()));
            let split = vec![[1, heads, 0, grain], [0, 1, grain, ffn]];
            let layers = shape.layers as u32;
            let stages = vec![(1, split), (layers, vec![whole(&weights)])];
            let mut shared = Pipeline::open(&weights, &stages, BLOCKS, 2);
            assert!(at_once(&mut shared, &text) == expected, "{format} {shape:?}");
            for chunk in [1, 7, 50] {
                let last = logits(&mut one, &text, chunk);
                assert!(last == expected[49], "{format} {shape:?} by {chunk}");
            }
        }
    }
}

#[test]
fn decode_equals_prefill_at_every_position_of_a_long_text() {
    let weights = made(&odd(), Format::F16);
    let text = text(250);
    let mut pipeline = Pipeline::open(&weights, &alone(&weights), BLOCKS, 1);
    let mut stepped = Pipeline::open(&weights, &alone(&weights), BLOCKS, 2);
    let expected = at_once(&mut pipeline, &text);
    for (at, expected) in expected.iter().enumerate() {
        let batch = Batch { items: vec![item(0, at, &text[at..=at])] };
        assert!(stepped.logits(&batch)[0] == *expected, "position {at}");
    }
}

/// Cuts `0..all` into `parts` non-empty runs at multiples of `grain`, by `dice`.
fn cut(all: u32, grain: u32, parts: usize, dice: &[u32]) -> Vec<[u32; 2]> {
    let units = all.div_ceil(grain);
    let mut edges: Vec<u32> = (1..units).collect();
    // A shuffle, then the first few in order.
    for (index, die) in (1..edges.len()).rev().zip(dice) {
        edges.swap(index, *die as usize % (index + 1));
    }
    edges.truncate(parts - 1);
    edges.sort_unstable();
    let starts = std::iter::once(0).chain(edges.iter().map(|edge| edge * grain));
    let ends = edges.iter().map(|edge| edge * grain).chain(std::iter::once(all));
    starts.zip(ends).map(|(start, end)| [start, end]).collect()
}

/// Any stages of any members.
fn splits(weights: &Weights, counts: &[usize], dice: &[u32]) -> Stages {
    let config = weights.config();
    let layers = cut(config.layers as u32, 1, counts.len(), dice);
    let grain = weights.ffn_grain() as u32;
    let stage = |(index, ([_, end], count)): (usize, ([u32; 2], &usize))| {
        let dice = &dice[index * 4..];
        let heads = cut(config.kv_heads as u32, 1, *count, dice);
        let columns = cut(config.ffn as u32, grain, *count, &dice[2..]);
        let share = |(heads, columns): ([u32; 2], [u32; 2])| -> Share {
            [heads[0], heads[1], columns[0], columns[1]]
        };
        (end, heads.into_iter().zip(columns).map(share).collect())
    };
    layers.into_iter().zip(counts).enumerate().map(stage).collect()
}

static MADE: LazyLock<(Weights, Vec<Vec<f32>>)> = LazyLock::new(|| {
    let weights = made(&odd(), Format::F32);
    let mut one = Pipeline::open(&weights, &alone(&weights), BLOCKS, 1);
    let expected = at_once(&mut one, &text(60));
    (weights, expected)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_split_chunking_or_company_changes_a_bit(
        counts in prop::collection::vec(1usize..=3, 1..=3),
        dice in prop::collection::vec(any::<u32>(), 20),
        len in 1usize..60,
        chunk in 1usize..60,
        company in 0usize..20,
        threads in 1usize..=3,
    ) {
        let (weights, expected) = &*MADE;
        let text = text(60);
        let stages = splits(weights, &counts, &dice);
        let mut pipeline = Pipeline::open(weights, &stages, BLOCKS, threads);
        for (index, rows) in text[..len].chunks(chunk).enumerate() {
            let mut items = vec![item(0, index * chunk, rows)];
            if company > 0 {
                items.insert(index % 2, item(1, 0, &text[60 - company..]));
            }
            let place = if company > 0 && index % 2 == 0 { 1 } else { 0 };
            let at = index * chunk + rows.len() - 1;
            let logits = pipeline.logits(&Batch { items });
            // Inserting at 0 moves the session to 1.
            prop_assert!(logits[place] == expected[at], "{:?} at {}", stages, at);
        }
    }
}

#[test]
fn a_batch_that_cannot_be_is_refused_and_harms_nothing() {
    let weights = made(&odd(), Format::F16);
    let mut stage =
        Stage::open(Cpu::new(2).unwrap(), &weights, weights.whole(4), u64::MAX).unwrap();
    let good = item(0, 0, &[1, 2, 3]);
    let expected = stage.logits(&Batch { items: vec![good.clone()] }, None, &mut Alone).unwrap();
    let with = |change: &dyn Fn(&mut swarm_proto::Item)| {
        let mut bad = good.clone();
        change(&mut bad);
        vec![good.clone(), bad]
    };
    let batches = [
        (vec![], "0 rows"),
        (with(&|item| item.tokens.clear()), "no rows"),
        (with(&|item| item.tokens[1] = 301), "token 301"),
        (with(&|item| item.position = 14), "1 KV blocks for 17"),
        (with(&|item| item.position = u32::MAX), "the context has 640"),
        (with(&|item| item.blocks = Arc::new([4])), "KV block 4"),
        (with(&|item| item.tokens = vec![1; 513]), "516 rows"),
    ];
    for (items, words) in batches {
        let refused = stage.forward(&Batch { items }, None, &mut Alone).unwrap_err();
        assert!(matches!(refused, EngineError::Batch(_)), "{refused:?}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let batch = Batch { items: vec![good] };
    let input = bytes::Bytes::from(vec![0; 1200]);
    assert!(stage.forward(&batch, Some(&input), &mut Alone).is_err());
    assert_eq!(stage.logits(&batch, None, &mut Alone).unwrap(), expected);
}

#[test]
fn a_shard_that_does_not_fit_is_refused_before_anything_is_taken() {
    let weights = Arc::new(made(&odd(), Format::F16));
    let cpu = DeviceSpec::Cpu { threads: 1, exact: true };
    let with = |change: &dyn Fn(&mut Shard)| {
        let mut shard = weights.whole(4);
        change(&mut shard);
        shard
    };
    let shards = [
        (with(&|shard| shard.layers = Span::new(0, 4).unwrap()), "layers end at 4"),
        (with(&|shard| shard.kv_heads = Span::new(2, 4).unwrap()), "KV heads end at 4"),
        (with(&|shard| shard.ffn_columns = Span::new(0, 201).unwrap()), "columns end at 201"),
        (with(&|shard| shard.ffn_columns = Span::new(32, 64).unwrap()), "cut at 32"),
        (with(&|shard| shard.layers = Span::new(1, 3).unwrap()), "layer 1 does not start"),
        (with(&|shard| shard.layers = Span::new(0, 2).unwrap()), "last stage has the head"),
        (with(&|shard| shard.leads = false), "last stage has the head"),
        (with(&|shard| shard.kv_blocks = 0), "no KV blocks"),
    ];
    for (shard, words) in shards {
        let refused = open(&cpu, Arc::clone(&weights), shard, u64::MAX).err().unwrap();
        assert!(matches!(refused, EngineError::Shard(_)), "{refused:?}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let huge = open(&cpu, Arc::clone(&weights), weights.whole(u32::MAX), 1 << 40).err().unwrap();
    assert!(matches!(huge, EngineError::Memory { .. }), "{huge:?}");
    let engine = open(&cpu, Arc::clone(&weights), weights.whole(4), u64::MAX).unwrap();
    // Four blocks of 16 tokens, three layers and heads, keys and values 22 wide, in f32.
    assert_eq!(engine.memory().kv_bytes, 4 * 16 * 3 * 3 * 2 * 22 * 4);
    let exactly = engine.memory().total_bytes();
    assert!(open(&cpu, Arc::clone(&weights), weights.whole(4), exactly).is_ok());
    assert!(open(&cpu, Arc::clone(&weights), weights.whole(4), exactly - 1).is_err());
    for device in [DeviceSpec::Cuda { index: 0 }, DeviceSpec::Cpu { threads: 0, exact: true }] {
        let refused =
            open(&device, Arc::clone(&weights), weights.whole(4), u64::MAX).err().unwrap();
        assert!(matches!(refused, EngineError::Device(_)), "{refused:?}");
    }
}

#[test]
fn numbers_beyond_the_range_of_exact_sums_are_an_error() {
    let weights = made(&odd(), Format::F16);
    let last = Shard { embeds: false, layers: Span::new(1, 3).unwrap(), ..weights.whole(4) };
    let mut stage = Stage::open(Cpu::new(1).unwrap(), &weights, last, u64::MAX).unwrap();
    let mut item = item(0, 0, &[1, 2]);
    item.sample =
        Some(Arc::new(Draw { sampling: Sampling::default(), step: 0, recent: Vec::new() }));
    let batch = Batch { items: vec![item] };
    let mut forward = |number: f32| {
        let rows: Vec<u8> = (0..200).flat_map(|_| number.to_le_bytes()).collect();
        stage.forward(&batch, Some(&rows.into()), &mut Alone)
    };
    for bad in [f32::NAN, f32::INFINITY] {
        let refused = forward(bad).unwrap_err();
        assert!(matches!(refused, EngineError::Overflow { layer: 1 }), "{refused:?}");
    }
    let Output::Samples(samples) = forward(0.5).unwrap() else { panic!("no samples") };
    assert!(samples[0].is_some());
}
