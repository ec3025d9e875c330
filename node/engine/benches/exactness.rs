//! What exact sums cost: a token's time with sums over chunks, as the engine computes unless it is told
//! not to, beside the same engine with one sum for all columns (`--inexact`), in turns.
//!
//! Time is the process's own, so that others on the machine disturb little. With one thread and a
//! machine of its own it is what a clock on the wall shows.
//!
//! `cargo bench -p swarm-engine --bench exactness [-- THREADS]`

#[path = "../tests/support/mod.rs"]
mod support;

use std::{env, sync::Arc};

use rustix::time::{ClockId, clock_gettime};
use swarm_engine::{Alone, Cpu, Engine, Output, Stage, Weights};
use swarm_proto::{BLOCK_TOKENS, Batch, Draw, Item, Sampling};

/// The longest context measured, and some.
const BLOCKS: u32 = 40;

/// Rows at a place in a text, and how often they are timed: so many times at once, so many rounds.
struct Case {
    name: &'static str,
    position: u32,
    rows: u32,
    times: usize,
    rounds: usize,
}

const CASES: [Case; 3] = [
    Case { name: "decode at 16", position: 16, rows: 1, times: 5, rounds: 31 },
    Case { name: "decode at 512", position: 512, rows: 1, times: 5, rounds: 31 },
    Case { name: "prefill of 128", position: 0, rows: 128, times: 1, rounds: 15 },
];

impl Case {
    fn batch(&self) -> Batch {
        let end = self.position + self.rows;
        let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
        let item = Item {
            position: self.position,
            tokens: (self.position..end).map(|at| 500 + at * 997 % 40_000).collect(),
            blocks: (0..end.div_ceil(BLOCK_TOKENS)).collect(),
            sample: Some(Arc::new(Draw { sampling, step: 0, recent: Vec::new() })),
        };
        Batch { items: vec![item] }
    }
}

fn stage(cpu: Cpu, weights: &Weights) -> Stage<Cpu> {
    Stage::open(cpu, weights, weights.whole(BLOCKS), u64::MAX).expect("the model opens")
}

/// The process's time so far, in milliseconds.
fn now_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Milliseconds of a batch.
fn time_ms(engine: &mut impl Engine, batch: &Batch, times: usize) -> f64 {
    let start = now_ms();
    for _ in 0..times {
        let output = engine.forward(batch, None, &mut Alone).expect("the batch is fine");
        assert!(matches!(output, Output::Samples(_)));
    }
    (now_ms() - start) / times as f64
}

/// The values a tenth, half and nine tenths of the way up.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 5, 9].map(|tenth| values[(values.len() - 1) * tenth / 10])
}

fn main() {
    let threads = env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1);
    let weights = Weights::open(&support::default_model()).expect("the default model");
    let cpu = || Cpu::new(threads).expect("threads");
    let mut exact = stage(cpu(), &weights);
    let mut inexact = stage(cpu().inexact(), &weights);
    println!("threads: {threads}; milliseconds a token, median; ratio [a tenth, nine tenths]");
    for case in CASES {
        let (batch, rows) = (case.batch(), f64::from(case.rows));
        let (mut exact_ms, mut inexact_ms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..case.rounds {
            // Who goes first changes, for the second finds the caches as the first left them.
            let (one, other);
            if round % 2 == 0 {
                one = time_ms(&mut exact, &batch, case.times);
                other = time_ms(&mut inexact, &batch, case.times);
            } else {
                other = time_ms(&mut inexact, &batch, case.times);
                one = time_ms(&mut exact, &batch, case.times);
            }
            exact_ms.push(one / rows);
            inexact_ms.push(other / rows);
            ratios.push(one / other);
        }
        let [low, ratio, high] = spread(ratios);
        println!(
            "{:<15} exact {:.3}  inexact {:.3}  ratio {ratio:.3} [{low:.3}, {high:.3}]",
            case.name,
            spread(exact_ms)[1],
            spread(inexact_ms)[1],
        );
    }
}
