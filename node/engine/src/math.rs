//! Elementary functions in plain IEEE arithmetic.
//!
//! The standard library hands `exp`, `ln`, `sin` and `cos` to the platform, so their last bits
//! differ between machines, and with them every bit that follows. These use only additions,
//! multiplications, divisions and bit moves, each rounded once by IEEE 754, so that every machine
//! and instruction set gets the same bits. None of them branches on its argument in the middle, so
//! that loops over them become vector code.

/// Below this `exp_f32` is zero: a smaller result would not be a normal number.
const EXP_F32_MIN: f32 = -87.0;
/// Above this `exp_f32` is infinite.
const EXP_F32_MAX: f32 = 88.0;

/// `e^x` in single precision, within 2 units in the last place for `-87 <= x <= 88`; zero below,
/// infinite above, NaN for NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`; then seven terms of the series, which leave out less
/// than 6e-9 of the result.
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves an integer in the low bits of the sum: rounding without a call.
    const ROUND: f32 = 12_582_912.0;
    // Times any n here it is exact; the rest of ln 2 follows.
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;

    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        series = series * r + term;
    }
    let mantissa = (series * r) * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    let value = mantissa * f32::from_bits(exponent.wrapping_shl(23));
    let value = if x < EXP_F32_MIN { 0.0 } else { value };
    if x > EXP_F32_MAX { f32::INFINITY } else { value }
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp_f32(-x))
}

/// The natural logarithm of 2 in two parts: any multiple of the first up to 2^20 is exact.
const LN2: [f64; 2] =
    [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];

/// `1 / k!` for `k` from 0.
const INVERSE_FACTORIALS: [f64; 15] = {
    let mut all = [1.0; 15];
    let (mut k, mut factorial) = (1, 1.0);
    while k < all.len() {
        factorial *= k as f64;
        all[k] = 1.0 / factorial;
        k += 1;
    }
    all
};

/// `e^x` in double precision, within 4 units in the last place for `-700 <= x <= 700`; zero below,
/// infinite above.
pub(crate) fn exp_f64(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    if x > 700.0 {
        return f64::INFINITY;
    }
    let n = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = x - n * LN2[0] - n * LN2[1];
    let sum = INVERSE_FACTORIALS.iter().rev().fold(0.0, |sum, term| sum * r + term);
    sum * f64::from_bits(((n as i64 + 1023) as u64) << 52)
}

/// The natural logarithm, within 4 units in the last place of the larger of the result and 1e-3,
/// for positive normal numbers.
pub(crate) fn ln_f64(x: f64) -> f64 {
    // x = 2^e m with m between sqrt(1/2) and sqrt(2); ln m = 2 artanh((m - 1) / (m + 1)).
    let half_up = x.to_bits().wrapping_add(0x0009_5f61_9980_c433);
    let exponent = (half_up >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(x.to_bits().wrapping_sub((exponent as u64) << 52));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for odd in (1..=25).rev().step_by(2) {
        sum = sum * square + 1.0 / f64::from(odd);
    }
    let e = exponent as f64;
    e * LN2[0] + (2.0 * s * sum + e * LN2[1])
}

/// A quarter turn in three parts: multiples of the first two up to 2^20 are exact.
const QUARTER_TURN: [f64; 3] = [
    f64::from_bits(0x3ff9_21fb_5440_0000),
    f64::from_bits(0x3dd0_b461_1a60_0000),
    f64::from_bits(0x3ba3_198a_2e03_7073),
];

/// Sine and cosine, within 1e-15 for `|x| < 1e6`.
pub(crate) fn sin_cos_f64(x: f64) -> (f64, f64) {
    let n = (x * std::f64::consts::FRAC_2_PI).round_ties_even();
    let r = ((x - n * QUARTER_TURN[0]) - n * QUARTER_TURN[1]) - n * QUARTER_TURN[2];
    let square = r * r;
    let (mut sin, mut cos) = (1.0, 1.0);
    for k in (1..=9).rev() {
        let k = f64::from(2 * k);
        sin = 1.0 - sin * square / (k * (k + 1.0));
        cos = 1.0 - cos * square / (k * (k - 1.0));
    }
    sin *= r;
    match (n as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut x = -87.0f32;
        while x <= 88.0 {
            let (ours, exact) = (exp_f32(x), f64::from(x).exp());
            let unit = f64::from((exact as f32).next_up() - exact as f32);
            assert!((f64::from(ours) - exact).abs() <= 2.0 * unit, "exp({x}) = {ours}");
            x += 0.000_97;
        }
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!(exp_f32(-1e30), 0.0);
        assert_eq!(exp_f32(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_f32(1e30), f32::INFINITY);
        assert!(exp_f32(f32::NAN).is_nan());
    }

    #[test]
    fn silu_is_bounded_where_the_exponential_is_not() {
        assert_eq!(silu(0.0), 0.0);
        assert_eq!(silu(100.0), 100.0);
        assert_eq!(silu(-1e20), 0.0);
        assert!((silu(1.0) - 0.731_058_6).abs() < 1e-6);
    }

    #[test]
    fn the_double_precision_functions_agree_with_the_platform() {
        for step in -40_000..40_000 {
            let x = f64::from(step) * 0.017_3;
            let near = |ours: f64, theirs: f64, tolerance: f64| {
                assert!((ours - theirs).abs() <= tolerance, "at {x}: {ours} {theirs}");
            };
            near(exp_f64(x), x.exp(), 1e-15 * x.exp());
            if x > 0.0 {
                near(ln_f64(x), x.ln(), 1e-15 * x.ln().abs().max(1e-3));
            }
            let turn = x * 900.0;
            let (sin, cos) = sin_cos_f64(turn);
            near(sin, turn.sin(), 1e-15);
            near(cos, turn.cos(), 1e-15);
        }
        assert_eq!(exp_f64(-1e9), 0.0);
        assert_eq!(ln_f64(1.0), 0.0);
    }

    #[test]
    fn the_bits_are_the_ones_every_machine_must_get() {
        assert_eq!(exp_f32(1.0).to_bits(), 0x402d_f854);
        assert_eq!(exp_f32(-3.3).to_bits(), 0x3d17_12ce);
        assert_eq!(sin_cos_f64(1.0).0.to_bits(), 0x3fea_ed54_8f09_0cee);
        assert_eq!(exp_f64(1.0).to_bits(), 0x4005_bf0a_8b14_576a);
        assert_eq!(ln_f64(100_000.0).to_bits(), 0x4027_069e_2aa2_aa5b);
    }
}
