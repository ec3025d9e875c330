//! How fast the engine is on this machine: measured in a fraction of a second, by the kernels that
//! compute a model. What a planner believes of a device starts here.

use std::time::{Duration, Instant};

use swarm_proto::Hash;

use crate::{Backend, Cpu, EngineError, Format, Tensor};

/// A device's measured rates, all its threads together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// Bytes of weights that a second takes when each is used once, as for a single token.
    pub bandwidth_bytes_per_s: f64,
    /// Floating-point operations a second when each weight is used for many rows, as for a prompt:
    /// a multiplication and an addition count as two.
    pub flops_per_s: f64,
}

/// Names the arithmetic: whoever computes by these rules computes the same bits.
const EXACT: &str = "float32, 16 lanes, chunk sums in 2^-32 fixed point, KV float32, version 1";
/// The same with a member's columns as one chunk.
const INEXACT: &str = "float32, 16 lanes, share sums in 2^-32 fixed point, KV float32, version 1";

/// The class of devices whose results are equal bit for bit; of inexact ones, under one plan.
pub fn drift_class(exact: bool) -> Hash {
    Hash::of(if exact { EXACT } else { INEXACT }.as_bytes())
}

/// The format of the default model's layers.
const FORMAT: Format = Format::Q4_1;
/// Columns of the matrices that are measured.
const COLUMNS: usize = 1024;
/// Bytes of weights used once each, one piece after another: more than most caches keep.
const READ_BYTES: usize = 64 << 20;
/// The pieces: each is done so soon that others on the machine seldom come in between.
const PIECES: usize = 16;
/// Outputs of the matrix that is used for many rows, and the rows.
const OUTPUTS: usize = 256;
const BATCH: usize = 64;
/// How long each rate is measured.
const MEASURE_FOR: Duration = Duration::from_millis(100);

/// Measures the processor with so many threads.
pub fn measure_cpu(threads: usize) -> Result<Profile, EngineError> {
    let mut cpu = Cpu::new(threads)?;
    let row_bytes = COLUMNS / FORMAT.block_len() * FORMAT.block_bytes();
    let rows = READ_BYTES / PIECES / row_bytes;
    let reads = products_per_s(&mut cpu, rows, PIECES, 1)?;
    let batches = products_per_s(&mut cpu, OUTPUTS, 1, BATCH)?;
    Ok(Profile {
        bandwidth_bytes_per_s: reads * (rows * row_bytes) as f64,
        flops_per_s: batches * (2 * OUTPUTS * COLUMNS * BATCH) as f64,
    })
}

/// How many of so many matrices of `rows` are multiplied with `batch` rows a second, one after the
/// other: as often as the quicker quarter of them, for others use the machine.
fn products_per_s(
    cpu: &mut Cpu,
    rows: usize,
    pieces: usize,
    batch: usize,
) -> Result<f64, EngineError> {
    let height = rows * pieces;
    // Any bytes are weights; these stand for small normal numbers.
    let bytes = vec![0x11; height * COLUMNS / FORMAT.block_len() * FORMAT.block_bytes()];
    let tensor = Tensor::new(bytes.into(), FORMAT, height, COLUMNS)
        .ok_or_else(|| EngineError::Device("nothing to measure with".into()))?;
    let starts = (0..pieces).map(|piece| piece * rows);
    let matrices = starts.map(|start| cpu.matrix(&tensor, start..start + rows, 0..COLUMNS));
    let matrices = matrices.collect::<Result<Vec<_>, _>>()?;
    let (mut input, mut out) = (cpu.rows(COLUMNS), cpu.rows(rows));
    cpu.upload(&vec![1.0; batch * COLUMNS], &mut input)?;
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed() < MEASURE_FOR || times.is_empty() {
        for matrix in &matrices {
            let start = Instant::now();
            cpu.products(&input, &mut [(matrix, &mut out)])?;
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    Ok(1.0 / times[times.len() / 4].as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_some_speed() {
        let profile = measure_cpu(1).unwrap();
        assert!(profile.bandwidth_bytes_per_s > 1e6, "{profile:?}");
        assert!(profile.flops_per_s > 1e6, "{profile:?}");
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(matches!(measure_cpu(0), Err(EngineError::Device(_))));
    }
}
