//! One body of each kernel, compiled once for every instruction set.
//!
//! A kernel is plain safe Rust over fixed-size arrays, marked `#[inline(always)]` so that it is
//! compiled again inside [`avx2`] with wider registers. Only the innermost steps are spelled out for
//! each set (see [`Lanes`]), where compilers lose their way among many sums or nibbles. Vector code
//! changes which lanes are worked on at once, never what a lane computes: fused multiply-add
//! stays off, so the bits are the same.

#![expect(unsafe_code, reason = "calling code compiled for an instruction set found at run time")]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128, __m128i, __m256, __m256i, _mm_add_ps, _mm_cvtph_ps, _mm_cvtsi32_si128, _mm_cvtss_f32,
    _mm_loadl_epi64, _mm_movehdup_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps, _mm_unpackhi_ps,
    _mm_unpacklo_ps, _mm256_add_ps, _mm256_and_si256, _mm256_castps256_ps128, _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_extractf128_ps, _mm256_loadu_ps,
    _mm256_mul_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_srli_epi32,
    _mm256_storeu_ps,
};

/// Lanes of every sum. Two registers of AVX2, four of NEON or SSE.
pub(crate) const LANES: usize = 16;

/// Work that can be compiled for several instruction sets.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;
    /// Computes it. Implementations are `#[inline(always)]`, and so is all they call in a loop.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// What an instruction set does with sixteen numbers side by side.
pub(crate) trait Lanes: Copy {
    /// Sixteen numbers, as the set holds them.
    type Sixteen: Copy;
    /// All zero.
    fn zero(self) -> Self::Sixteen;
    /// Takes numbers from memory.
    fn load(self, numbers: &[f32; LANES]) -> Self::Sixteen;
    /// Puts numbers into memory.
    fn store(self, numbers: Self::Sixteen, out: &mut [f32; LANES]);
    /// `sums + a * b`, rounded after the multiplication and after the addition.
    fn add_products(self, sums: Self::Sixteen, a: Self::Sixteen, b: Self::Sixteen)
    -> Self::Sixteen;
    /// Adds the lanes of each of four, always as the tree of [`total`].
    fn totals(self, sums: [Self::Sixteen; 4]) -> [f32; 4];
    /// What codes stand for: `(code + bias) * scale + offset`, rounded after each of them.
    fn codes(self, codes: &[i8; LANES], form: [f32; 3]) -> Self::Sixteen;
    /// The same of nibbles: the low ones, then the high ones.
    fn nibbles(self, bytes: &[u8; LANES], form: [f32; 3]) -> [Self::Sixteen; 2];
    /// What the first two bytes of a block stand for as an f16, and the next two.
    fn halves(self, block: &[u8]) -> [f32; 2];
}

/// Adds the lanes, always as the same tree.
#[inline(always)]
pub(super) fn total(lanes: &[f32; LANES]) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// What every machine has.
#[derive(Clone, Copy)]
struct Plain;

impl Lanes for Plain {
    type Sixteen = [f32; LANES];

    #[inline(always)]
    fn zero(self) -> Self::Sixteen {
        [0.0; LANES]
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Sixteen {
        *numbers
    }

    #[inline(always)]
    fn store(self, numbers: Self::Sixteen, out: &mut [f32; LANES]) {
        *out = numbers;
    }

    #[inline(always)]
    fn add_products(
        self,
        sums: Self::Sixteen,
        a: Self::Sixteen,
        b: Self::Sixteen,
    ) -> Self::Sixteen {
        std::array::from_fn(|lane| sums[lane] + a[lane] * b[lane])
    }

    #[inline(always)]
    fn totals(self, sums: [Self::Sixteen; 4]) -> [f32; 4] {
        sums.map(|lanes| total(&lanes))
    }

    #[inline(always)]
    fn codes(self, codes: &[i8; LANES], [bias, scale, offset]: [f32; 3]) -> Self::Sixteen {
        codes.map(|code| (f32::from(code) + bias) * scale + offset)
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; LANES], form: [f32; 3]) -> [Self::Sixteen; 2] {
        [bytes.map(|byte| (byte & 15) as i8), bytes.map(|byte| (byte >> 4) as i8)]
            .map(|codes| self.codes(&codes, form))
    }

    #[inline(always)]
    fn halves(self, block: &[u8]) -> [f32; 2] {
        [half([block[0], block[1]]), half([block[2], block[3]])]
    }
}

/// What two bytes stand for as an f16. The library's function looks for an instruction first and
/// is a call, which costs a kernel its registers.
#[inline(always)]
fn half(bytes: [u8; 2]) -> f32 {
    // 2^112: the difference of the exponents' zeros. Exact, for subnormal numbers too.
    const REBASE: f32 = f32::from_bits(0x7780_0000);
    let bits = u16::from_le_bytes(bytes);
    let rest = u32::from(bits & 0x7fff);
    let finite = (f32::from_bits(rest << 13) * REBASE).to_bits();
    let rest = if rest < 0x7c00 { finite } else { rest << 13 | 0x7f80_0000 };
    f32::from_bits(u32::from(bits >> 15) << 31 | rest)
}

/// Proof that this machine has AVX2 and F16C: only code that saw so makes one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    #[inline(always)]
    fn affine(self, codes: __m256i, [bias, scale, offset]: [f32; 3]) -> __m256 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let codes = _mm256_add_ps(_mm256_cvtepi32_ps(codes), _mm256_set1_ps(bias));
            let scaled = _mm256_mul_ps(codes, _mm256_set1_ps(scale));
            _mm256_add_ps(scaled, _mm256_set1_ps(offset))
        }
    }

    /// The first two levels of the tree of [`total`].
    #[inline(always)]
    fn four(self, [low, high]: [__m256; 2]) -> __m128 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let eight = _mm256_add_ps(low, high);
            _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight))
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    type Sixteen = [__m256; 2];

    #[inline(always)]
    fn zero(self) -> Self::Sixteen {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    fn load(self, numbers: &[f32; LANES]) -> Self::Sixteen {
        // SAFETY: `self` proves AVX2, and sixteen numbers are two loads of eight.
        unsafe { [_mm256_loadu_ps(numbers.as_ptr()), _mm256_loadu_ps(numbers.as_ptr().add(8))] }
    }

    #[inline(always)]
    fn store(self, numbers: Self::Sixteen, out: &mut [f32; LANES]) {
        // SAFETY: `self` proves AVX2, and sixteen numbers are two stores of eight.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), numbers[0]);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), numbers[1]);
        }
    }

    #[inline(always)]
    fn add_products(
        self,
        sums: Self::Sixteen,
        a: Self::Sixteen,
        b: Self::Sixteen,
    ) -> Self::Sixteen {
        // SAFETY: `self` proves AVX2.
        unsafe {
            [
                _mm256_add_ps(sums[0], _mm256_mul_ps(a[0], b[0])),
                _mm256_add_ps(sums[1], _mm256_mul_ps(a[1], b[1])),
            ]
        }
    }

    #[inline(always)]
    fn totals(self, sums: [Self::Sixteen; 4]) -> [f32; 4] {
        // SAFETY: `self` proves AVX2, and four numbers are one store.
        unsafe {
            let [a, b, c, d] =
                [self.four(sums[0]), self.four(sums[1]), self.four(sums[2]), self.four(sums[3])];
            // Of `a` and `b` lanes 0 + 2 and 1 + 3, then of `c` and `d`; then the two of each.
            let ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
            let cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
            let mut totals = [0.0; 4];
            let all = _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
            _mm_storeu_ps(totals.as_mut_ptr(), all);
            totals
        }
    }

    #[inline(always)]
    fn codes(self, codes: &[i8; LANES], form: [f32; 3]) -> Self::Sixteen {
        // SAFETY: `self` proves AVX2, and sixteen codes are two loads of eight.
        let (low, high) = unsafe {
            let codes: *const __m128i = codes.as_ptr().cast();
            let high = _mm_loadl_epi64(codes.byte_add(8));
            (_mm256_cvtepi8_epi32(_mm_loadl_epi64(codes)), _mm256_cvtepi8_epi32(high))
        };
        [self.affine(low, form), self.affine(high, form)]
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; LANES], form: [f32; 3]) -> [Self::Sixteen; 2] {
        // SAFETY: `self` proves AVX2, and sixteen bytes are two loads of eight.
        unsafe {
            let bytes: *const __m128i = bytes.as_ptr().cast();
            let first = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes));
            let second = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.byte_add(8)));
            let mask = _mm256_set1_epi32(15);
            let low = [_mm256_and_si256(first, mask), _mm256_and_si256(second, mask)];
            let high = [_mm256_srli_epi32::<4>(first), _mm256_srli_epi32::<4>(second)];
            [
                [self.affine(low[0], form), self.affine(low[1], form)],
                [self.affine(high[0], form), self.affine(high[1], form)],
            ]
        }
    }

    #[inline(always)]
    fn halves(self, block: &[u8]) -> [f32; 2] {
        // Four bytes in one move: two by two they are put into a register in use, and wait for it.
        let four = i32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        // SAFETY: `self` proves AVX2 and F16C.
        unsafe {
            let halves = _mm_cvtph_ps(_mm_cvtsi32_si128(four));
            [_mm_cvtss_f32(halves), _mm_cvtss_f32(_mm_movehdup_ps(halves))]
        }
    }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// What every machine of this architecture has.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    /// The quickest there is.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        let avx2 = std::arch::is_x86_feature_detected!("avx2");
        #[cfg(target_arch = "x86_64")]
        if avx2 && std::arch::is_x86_feature_detected!("f16c") {
            return Self(Level::Avx2);
        }
        Self(Level::Plain)
    }

    /// Without any extension.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self(Level::Plain)
    }

    /// Runs `kernel` as compiled for this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Plain => kernel.run(Plain),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only `best` makes this level, after it saw that the machine has these.
            Level::Avx2 => unsafe { avx2(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,f16c")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Halves([u8; 4]);

    impl Kernel for Halves {
        type Output = [f32; 2];

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> [f32; 2] {
            lanes.halves(&self.0)
        }
    }

    #[test]
    fn every_half_is_the_librarys() {
        for bits in 0..=u16::MAX {
            let theirs = half::f16::from_bits(bits).to_f32();
            for isa in [Isa::plain(), Isa::best()] {
                let [a, b] = bits.to_le_bytes();
                let (first, second) =
                    (isa.run(Halves([a, b, 0, 60])), isa.run(Halves([0, 60, a, b])));
                assert_eq!((first[1], second[0]), (1.0, 1.0));
                for ours in [first[0], second[1]] {
                    let same = ours.to_bits() == theirs.to_bits();
                    assert!(same || ours.is_nan() && theirs.is_nan(), "{bits:#x}: {ours} {theirs}");
                }
            }
        }
    }
}
