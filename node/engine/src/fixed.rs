//! Sums that do not depend on order.
//!
//! Floating-point addition depends on order, so a product that is shared out by columns would
//! depend on how it was shared. Instead each fixed chunk of columns is summed in one order, the
//! chunk's sum becomes a 64-bit integer in units of 2^-32, and integers are added: threads, devices
//! and hosts may add in any order, and a single node does the same.

/// A chunk's sum must stay below this. The rest of the 64 bits is room for [`CHUNKS_MAX`] of them.
pub(crate) const CHUNK_LIMIT: f32 = (1 << 22) as f32;
/// Chunks that can be added without overflow: 2^22 * 2^32 * 511 is below 2^63.
pub(crate) const CHUNKS_MAX: usize = 511;

/// Adding 1.5 * 2^52 leaves the nearest integer in the low bits of the sum.
const WHOLE: f64 = 6_755_399_441_055_744.0;
/// Adding 1.5 * 2^20 leaves the nearest multiple of 2^-32 there.
const FRACTION: f64 = 1_572_864.0;

/// Whether `sum` can be a chunk's sum: finite, and not too large.
#[inline(always)]
pub(crate) fn fits(sum: f32) -> bool {
    sum.abs() < CHUNK_LIMIT
}

/// The nearest multiple of 2^-32, ties to even; anything if `sum` does not fit.
///
/// Written as additions and bit moves, which vector units have, rather than as a conversion of a
/// double to an integer, which AVX2 lacks.
#[inline(always)]
pub(crate) fn from_f32(sum: f32) -> i64 {
    let sum = f64::from(sum);
    let shifted = sum + WHOLE;
    let whole = (shifted.to_bits() as i64).wrapping_sub(WHOLE.to_bits() as i64);
    let rest = (sum - (shifted - WHOLE)) + FRACTION;
    let fraction = (rest.to_bits() as i64).wrapping_sub(FRACTION.to_bits() as i64);
    whole.wrapping_shl(32).wrapping_add(fraction)
}

/// What a total stands for.
#[inline(always)]
pub(crate) fn to_f32(total: i64) -> f32 {
    const UNIT: f64 = 1.0 / (1u64 << 32) as f64;
    (total as f64 * UNIT) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_rounded_to_the_nearest_unit(sum in -4_194_303.9f32..4_194_303.9, shift in 0..60) {
            let sum = sum * 0.5f32.powi(shift);
            let unit = (1u64 << 32) as f64;
            prop_assert_eq!(from_f32(sum), (f64::from(sum) * unit).round_ties_even() as i64);
        }
    }

    #[test]
    fn what_an_integer_cannot_hold_does_not_fit() {
        assert!(fits(0.0) && fits(-4_194_303.5));
        for sum in [4_194_304.0, -5e6, f32::INFINITY, f32::NAN] {
            assert!(!fits(sum), "{sum}");
        }
        assert!(i64::MAX / from_f32(CHUNK_LIMIT.next_down()) >= CHUNKS_MAX as i64);
        assert_eq!(to_f32(from_f32(-3.25) + from_f32(1.0)), -2.25);
    }
}
