//! How fast this machine is: memory bandwidth and arithmetic rate, measured in a fraction of a
//! second. What a planner believes of a device starts here.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use swarm_proto::Hash;

/// A device's measured rates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Bytes read from memory a second, by all threads together.
    pub bandwidth_bytes_per_s: f64,
    /// Floating-point operations a second, by all threads together: a multiplication and an
    /// addition count as two.
    pub flops_per_s: f64,
}

/// Names the arithmetic: whoever computes by these rules computes the same bits.
const ARITHMETIC: &str =
    "float32, 16 lanes, chunk sums in 2^-32 fixed point, KV float32, version 1";

/// The class of devices whose results are equal bit for bit.
pub fn drift_class() -> Hash {
    Hash::of(ARITHMETIC.as_bytes())
}

/// Bytes that each thread reads: far more than any cache keeps.
const READ_BYTES: usize = 64 << 20;
/// How long each rate is measured; the best of several passes counts, as others use the machine.
const MEASURE_FOR: Duration = Duration::from_millis(60);
/// Independent accumulators: enough to keep the arithmetic units busy.
const LANES: usize = 64;

/// Measures the processor with so many threads.
pub fn measure_cpu(threads: usize) -> Profile {
    let threads = threads.max(1);
    let bandwidth_bytes_per_s = together(threads, read_rate);
    let flops_per_s = together(threads, arithmetic_rate);
    Profile { bandwidth_bytes_per_s, flops_per_s }
}

/// The sum of what each thread reaches while all run.
fn together(threads: usize, rate: fn() -> f64) -> f64 {
    thread::scope(|scope| {
        let runs: Vec<_> = (0..threads).map(|_| scope.spawn(rate)).collect();
        runs.into_iter().map(|run| run.join().expect("measuring does not panic")).sum()
    })
}

fn read_rate() -> f64 {
    let words = vec![1_u64; READ_BYTES / 8];
    best_rate(READ_BYTES as f64, || {
        let mut sums = [0_u64; 8];
        for chunk in words.chunks_exact(8) {
            for (sum, word) in sums.iter_mut().zip(chunk) {
                *sum = sum.wrapping_add(*word);
            }
        }
        black_box(sums);
    })
}

fn arithmetic_rate() -> f64 {
    const ROUNDS: usize = 100_000;
    best_rate((2 * LANES * ROUNDS) as f64, || {
        let (mut sums, by) = (black_box([1.0_f32; LANES]), black_box(0.999_f32));
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = *sum * by + 0.001;
            }
        }
        black_box(sums);
    })
}

/// The best rate over passes of `work` units each.
fn best_rate(work: f64, mut pass: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = 0.0_f64;
    while begin.elapsed() < MEASURE_FOR || best == 0.0 {
        let start = Instant::now();
        pass();
        best = best.max(work / start.elapsed().as_secs_f64().max(1e-9));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_some_speed() {
        let profile = measure_cpu(1);
        assert!(profile.bandwidth_bytes_per_s > 1e6, "{profile:?}");
        assert!(profile.flops_per_s > 1e6, "{profile:?}");
    }
}
