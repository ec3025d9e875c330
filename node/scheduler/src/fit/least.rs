//! Least absolute relative errors, by least squares that are weighted again and again.
//!
//! Systems of five unknowns are solved here: a library's solver takes other instructions on other
//! machines, and a plan must be the same everywhere.

use std::collections::BTreeMap;

use super::Point;

/// How often errors are weighed anew.
const ROUNDS: usize = 40;
/// Relative errors below this count as this, so that no point is everything.
const SMALL: f64 = 0.03;
/// How much a factor is held near what is usual, as if so much of a device model had said so.
const HELD: f64 = 0.02;

/// Factors, none below 0, with which `offset + row * factors` comes near what was measured; and how
/// far off it is on average.
pub(super) fn fit<const N: usize>(
    points: &[&Point],
    row: impl Fn(&Point) -> [f64; N],
    offset: impl Fn(&Point) -> f64,
    usual: [f64; N],
) -> ([f64; N], f64) {
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    for point in points {
        *counts.entry(&point.device.name).or_default() += 1.0;
    }
    // Relative to what was measured, so that a fast device counts as much as a slow one.
    let lines: Vec<([f64; N], f64, f64)> = points
        .iter()
        .map(|point| {
            let row = row(point).map(|x| x / point.ms);
            (row, 1.0 - offset(point) / point.ms, 1.0 / counts[point.device.name.as_str()])
        })
        .collect();
    let miss = |factors: &[f64; N], (row, wanted, _): &([f64; N], f64, f64)| {
        (row.iter().zip(factors).map(|(x, factor)| x * factor).sum::<f64>() - wanted).abs()
    };
    let mut factors = usual;
    for _ in 0..ROUNDS {
        let weighed: Vec<_> = lines
            .iter()
            .map(|line| (line.0, line.1, line.2 / miss(&factors, line).max(SMALL)))
            .collect();
        factors = solved(&weighed, usual);
    }
    let total: f64 = lines.iter().map(|line| line.2).sum();
    let loss = lines.iter().map(|line| line.2 * miss(&factors, line)).sum::<f64>();
    (factors, loss / total.max(1.0))
}

/// Weighted least squares; a factor that would be below 0 is 0.
fn solved<const N: usize>(lines: &[([f64; N], f64, f64)], usual: [f64; N]) -> [f64; N] {
    let mut free = [true; N];
    loop {
        let mut square = [[0.0; N]; N];
        let mut right = [0.0; N];
        for (row, wanted, weight) in lines {
            for i in (0..N).filter(|i| free[*i]) {
                right[i] += weight * row[i] * wanted;
                for j in (0..N).filter(|j| free[*j]) {
                    square[i][j] += weight * row[i] * row[j];
                }
            }
        }
        for i in 0..N {
            let held = HELD / SMALL / (usual[i] * usual[i]);
            square[i][i] += if free[i] { held } else { 1.0 };
            right[i] += if free[i] { held * usual[i] } else { 0.0 };
        }
        let found = eliminate(square, right);
        let Some(below) = (0..N).find(|i| free[*i] && found[*i] < 0.0) else { return found };
        free[below] = false;
    }
}

/// A symmetric system with a positive diagonal needs no pivots.
fn eliminate<const N: usize>(mut square: [[f64; N]; N], mut right: [f64; N]) -> [f64; N] {
    for step in 0..N {
        for below in step + 1..N {
            let times = square[below][step] / square[step][step];
            let above = square[step];
            for (x, above) in square[below].iter_mut().zip(above).skip(step) {
                *x -= times * above;
            }
            right[below] -= times * right[step];
        }
    }
    for step in (0..N).rev() {
        let known: f64 = (step + 1..N).map(|column| square[step][column] * right[column]).sum();
        right[step] = (right[step] - known) / square[step][step];
    }
    right
}
