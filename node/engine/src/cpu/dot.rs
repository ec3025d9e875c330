//! Dot products in one fixed order.
//!
//! Sixteen lanes run over the columns in steps of sixteen, a multiplication and then an addition
//! each; the last, partial step touches only its own lanes; then the lanes are added as a tree.
//! However many products are computed side by side, each one follows this order, so its bits do
//! not depend on its company.

use super::{
    isa::{LANES, Lanes, total},
    packed::{BLOCK, Packed},
};

/// The products of each of `inputs` with each of `weights`. All are equally long.
#[inline(always)]
pub(super) fn tile<L: Lanes, const W: usize, const N: usize>(
    lanes: L,
    weights: [&[f32]; W],
    inputs: [&[f32]; N],
) -> [[f32; W]; N] {
    let steps = weights[0].len() / LANES;
    // Reslicing to one known length takes the bounds checks out of the loop.
    let weight_steps = weights.map(|row| &row.as_chunks::<LANES>().0[..steps]);
    let input_steps = inputs.map(|row| &row.as_chunks::<LANES>().0[..steps]);
    let mut sums = [[lanes.zero(); W]; N];
    for step in 0..steps {
        for n in 0..N {
            let input = lanes.load(&input_steps[n][step]);
            for w in 0..W {
                let weight = lanes.load(&weight_steps[w][step]);
                sums[n][w] = lanes.add_products(sums[n][w], weight, input);
            }
        }
    }
    if weights[0].len().is_multiple_of(LANES) {
        return totals(lanes, &sums);
    }
    let mut totals = [[0.0; W]; N];
    for n in 0..N {
        for w in 0..W {
            let mut numbers = [0.0; LANES];
            lanes.store(sums[n][w], &mut numbers);
            let tails = (&weights[w][steps * LANES..], &inputs[n][steps * LANES..]);
            for (lane, (a, b)) in numbers.iter_mut().zip(tails.0.iter().zip(tails.1)) {
                *lane += a * b;
            }
            totals[n][w] = total(&numbers);
        }
    }
    totals
}

/// The sums of a row of weights that are still packed: each block is unpacked in registers.
#[inline(always)]
pub(super) fn packed<L: Lanes, P: Packed<BYTES>, const BYTES: usize>(
    lanes: L,
    weights: &[[u8; BYTES]],
    input: &[[f32; BLOCK]],
) -> L::Sixteen {
    let mut sums = lanes.zero();
    for (block, input) in weights.iter().zip(input) {
        let ([first, second], halves) = (P::read(lanes, block), input.as_chunks().0);
        sums = lanes.add_products(sums, first, lanes.load(&halves[0]));
        sums = lanes.add_products(sums, second, lanes.load(&halves[1]));
    }
    sums
}

/// Adds the lanes of each sum, four sums at a time.
#[inline(always)]
fn totals<L: Lanes, const W: usize, const N: usize>(
    lanes: L,
    sums: &[[L::Sixteen; W]; N],
) -> [[f32; W]; N] {
    let mut totals = [[0.0; W]; N];
    let sums = sums.as_flattened();
    for (four, totals) in totals.as_flattened_mut().chunks_mut(4).enumerate() {
        let at = |index: usize| sums[(4 * four + index).min(sums.len() - 1)];
        let all = lanes.totals([at(0), at(1), at(2), at(3)]);
        totals.copy_from_slice(&all[..totals.len()]);
    }
    totals
}

/// The product of two rows.
#[inline(always)]
pub(super) fn dot<L: Lanes>(lanes: L, a: &[f32], b: &[f32]) -> f32 {
    tile(lanes, [a], [b])[0][0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::{Isa, Kernel};

    fn row(len: usize, seed: u32) -> Vec<f32> {
        (0..len as u32).map(|i| ((i * 7 + seed * 13) % 101) as f32 * 0.037 - 1.7).collect()
    }

    /// The order as the module's head tells it, with nothing side by side.
    fn told(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0.0; LANES];
        for (k, (a, b)) in a.iter().zip(b).enumerate() {
            lanes[k % LANES] += a * b;
        }
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }

    struct Tile<'a>(&'a [Vec<f32>], &'a [Vec<f32>]);

    impl Kernel for Tile<'_> {
        type Output = [[f32; 2]; 3];

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> Self::Output {
            let Self(weights, inputs) = self;
            let together =
                tile(lanes, [&weights[0], &weights[1]], [&inputs[0], &inputs[1], &inputs[2]]);
            assert_eq!(dot(lanes, &weights[1], &inputs[2]), together[2][1]);
            together
        }
    }

    #[test]
    fn neither_company_nor_instruction_set_changes_a_product() {
        for len in [1, 3, 15, 16, 17, 48, 64, 191, 576] {
            let weights: Vec<_> = (0..2).map(|seed| row(len, seed)).collect();
            let inputs: Vec<_> = (2..5).map(|seed| row(len, seed)).collect();
            for isa in [Isa::plain(), Isa::best()] {
                let together = isa.run(Tile(&weights, &inputs));
                for (n, input) in inputs.iter().enumerate() {
                    for (w, weight) in weights.iter().enumerate() {
                        assert_eq!(together[n][w], told(weight, input), "{len} columns");
                    }
                }
            }
        }
    }
}
