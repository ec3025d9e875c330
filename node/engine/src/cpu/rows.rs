//! What is computed number by number: norms, activations, rotations.

use super::{
    dot::dot,
    isa::{Kernel, Lanes},
};
use crate::{RopeStyle, fixed, math::silu};

/// `out = input / sqrt(mean(input^2) + epsilon) * weight`, for whole rows.
pub(super) struct RmsNorm<'a> {
    pub(super) input: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) epsilon: f32,
    pub(super) out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = self.weight.len();
        for (input, out) in self.input.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let mean = dot(lanes, input, input) / width as f32;
            let scale = 1.0 / (mean + self.epsilon).sqrt();
            for ((out, input), weight) in out.iter_mut().zip(input).zip(self.weight) {
                *out = input * scale * weight;
            }
        }
    }
}

/// `gate = silu(gate) * up`.
pub(super) struct SwiGlu<'a> {
    pub(super) gate: &'a mut [f32],
    pub(super) up: &'a [f32],
}

impl Kernel for SwiGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for (gate, up) in self.gate.iter_mut().zip(self.up) {
            *gate = silu(*gate) * up;
        }
    }
}

/// `residual += sums`.
pub(super) struct Add<'a> {
    pub(super) sums: &'a [i64],
    pub(super) residual: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for (number, sum) in self.residual.iter_mut().zip(self.sums) {
            *number += fixed::to_f32(*sum);
        }
    }
}

/// Turns the pairs of one head by a position's angles.
#[inline(always)]
pub(super) fn rotate(head: &mut [f32], turns: &[(f32, f32)], style: RopeStyle) {
    for (pair, &(cos, sin)) in turns.iter().enumerate() {
        let (first, second) = match style {
            RopeStyle::Interleaved => (2 * pair, 2 * pair + 1),
            RopeStyle::Halves => (pair, pair + turns.len()),
        };
        let (a, b) = (head[first], head[second]);
        head[first] = a * cos - b * sin;
        head[second] = a * sin + b * cos;
    }
}
