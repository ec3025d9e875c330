//! Attention of one query head at one position over its KV blocks.
//!
//! Keys are scored a block at a time, sixteen side by side; the greatest score is found, then each
//! weight and their sum, then the weighted values are added in the order of their positions. All of
//! it follows from the position alone, never from how a prompt was cut.

use super::isa::{Kernel, LANES, Lanes, total};
use crate::{
    kv::{Cache, TOKENS},
    math::exp_f32,
};

/// One query head at one position.
pub(super) struct Attention<'a> {
    pub(super) query: &'a [f32],
    pub(super) cache: &'a Cache,
    pub(super) layer: usize,
    /// The KV head.
    pub(super) head: usize,
    /// The session's blocks.
    pub(super) blocks: &'a [u32],
    /// Keys that are seen: those up to and at the position.
    pub(super) keys: usize,
    pub(super) out: &'a mut [f32],
    /// A thread's scratch.
    pub(super) scores: &'a mut Vec<[f32; TOKENS]>,
}

// The lanes of a sum over scores are the tokens of a block.
const _: () = assert!(LANES == TOKENS);

impl Kernel for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, _: L) {
        let greatest = self.score();
        let sum = self.weigh(greatest);
        self.mix();
        for number in self.out.iter_mut() {
            *number /= sum;
        }
    }
}

impl Attention<'_> {
    fn steps(&self) -> usize {
        self.keys.div_ceil(TOKENS)
    }

    /// Computes all scores; gives the greatest.
    #[inline(always)]
    fn score(&mut self) -> f32 {
        let scale = 1.0 / (self.query.len() as f32).sqrt();
        let mut greatest = [f32::NEG_INFINITY; TOKENS];
        self.scores.clear();
        for step in 0..self.steps() {
            let (keys, _) = self.cache.block(self.layer, self.blocks[step], self.head);
            let mut scores = [0.0f32; TOKENS];
            for (number, column) in self.query.iter().zip(keys.as_chunks::<TOKENS>().0) {
                for token in 0..TOKENS {
                    scores[token] += number * column[token];
                }
            }
            // What lies in the block beyond the position belongs to nobody: it is never looked at.
            let seen = self.keys - step * TOKENS;
            for token in 0..TOKENS {
                let score = scores[token] * scale;
                scores[token] = if token < seen { score } else { f32::NEG_INFINITY };
                if scores[token] > greatest[token] {
                    greatest[token] = scores[token];
                }
            }
            self.scores.push(scores);
        }
        greatest.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
    }

    /// Turns scores into weights; gives their sum.
    #[inline(always)]
    fn weigh(&mut self, greatest: f32) -> f32 {
        let mut lanes = [0.0; TOKENS];
        for scores in self.scores.iter_mut() {
            for token in 0..TOKENS {
                scores[token] = exp_f32(scores[token] - greatest);
                lanes[token] += scores[token];
            }
        }
        total(&lanes)
    }

    /// Adds the values by their weights.
    #[inline(always)]
    fn mix(&mut self) {
        let width = self.query.len();
        self.out.fill(0.0);
        for (step, weights) in self.scores.iter().enumerate() {
            let (_, values) = self.cache.block(self.layer, self.blocks[step], self.head);
            let seen = TOKENS.min(self.keys - step * TOKENS);
            let rows = values.chunks_exact(width).zip(weights).take(seen);
            let (runs, tail) = self.out.as_chunks_mut::<LANES>();
            for (run, out) in runs.iter_mut().enumerate() {
                let mut sums = *out;
                for (row, weight) in rows.clone() {
                    let row = &row.as_chunks::<LANES>().0[run];
                    for lane in 0..LANES {
                        sums[lane] += weight * row[lane];
                    }
                }
                *out = sums;
            }
            for (row, weight) in rows {
                let row = row.as_chunks::<LANES>().1;
                for (sum, number) in tail.iter_mut().zip(row) {
                    *sum += weight * number;
                }
            }
        }
    }
}
