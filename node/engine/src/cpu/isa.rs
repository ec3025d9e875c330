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
    __m256, _mm_and_si128, _mm_loadl_epi64, _mm_loadu_si128, _mm_set1_epi8, _mm_srli_epi16,
    _mm_storeu_si128, _mm256_add_ps, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_loadu_ps,
    _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
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

/// Sixteen sums side by side, as an instruction set holds them.
pub(crate) trait Lanes: Copy {
    /// The sums.
    type Sums: Copy;
    /// All zero.
    fn zero(self) -> Self::Sums;
    /// `sums + a * b`, rounded after the multiplication and after the addition.
    fn add_products(self, sums: Self::Sums, a: &[f32; LANES], b: &[f32; LANES]) -> Self::Sums;
    /// The sums as numbers.
    fn numbers(self, sums: Self::Sums) -> [f32; LANES];
    /// The low nibbles, and the high ones.
    fn nibbles(self, bytes: &[u8; LANES]) -> [[i8; LANES]; 2];
    /// `(code + bias) * scale + offset`, rounded after each of them.
    fn affine(self, codes: &[i8; LANES], form: [f32; 3], out: &mut [f32; LANES]);
}

/// What every machine has.
#[derive(Clone, Copy)]
struct Plain;

impl Lanes for Plain {
    type Sums = [f32; LANES];

    #[inline(always)]
    fn zero(self) -> Self::Sums {
        [0.0; LANES]
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &[f32; LANES], b: &[f32; LANES]) -> Self::Sums {
        std::array::from_fn(|lane| sums[lane] + a[lane] * b[lane])
    }

    #[inline(always)]
    fn numbers(self, sums: Self::Sums) -> [f32; LANES] {
        sums
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; LANES]) -> [[i8; LANES]; 2] {
        [bytes.map(|byte| (byte & 15) as i8), bytes.map(|byte| (byte >> 4) as i8)]
    }

    #[inline(always)]
    fn affine(self, codes: &[i8; LANES], [bias, scale, offset]: [f32; 3], out: &mut [f32; LANES]) {
        *out = codes.map(|code| (f32::from(code) + bias) * scale + offset);
    }
}

/// Proof that this machine has AVX2: only code that saw so makes one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    type Sums = [__m256; 2];

    #[inline(always)]
    fn zero(self) -> Self::Sums {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    fn add_products(self, sums: Self::Sums, a: &[f32; LANES], b: &[f32; LANES]) -> Self::Sums {
        // SAFETY: `self` proves AVX2, and sixteen numbers are two loads of eight.
        unsafe {
            let low = _mm256_mul_ps(_mm256_loadu_ps(a.as_ptr()), _mm256_loadu_ps(b.as_ptr()));
            let (a, b) = (a.as_ptr().add(8), b.as_ptr().add(8));
            let high = _mm256_mul_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b));
            [_mm256_add_ps(sums[0], low), _mm256_add_ps(sums[1], high)]
        }
    }

    #[inline(always)]
    fn numbers(self, sums: Self::Sums) -> [f32; LANES] {
        let mut numbers = [0.0; LANES];
        // SAFETY: `self` proves AVX2, and sixteen numbers are two stores of eight.
        unsafe {
            _mm256_storeu_ps(numbers.as_mut_ptr(), sums[0]);
            _mm256_storeu_ps(numbers.as_mut_ptr().add(8), sums[1]);
        }
        numbers
    }

    #[inline(always)]
    fn nibbles(self, bytes: &[u8; LANES]) -> [[i8; LANES]; 2] {
        let mut codes = [[0; LANES]; 2];
        // SAFETY: `self` proves AVX2, and sixteen bytes are one load or store.
        unsafe {
            let low = _mm_set1_epi8(15);
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            _mm_storeu_si128(codes[0].as_mut_ptr().cast(), _mm_and_si128(bytes, low));
            let high = _mm_and_si128(_mm_srli_epi16::<4>(bytes), low);
            _mm_storeu_si128(codes[1].as_mut_ptr().cast(), high);
        }
        codes
    }

    #[inline(always)]
    fn affine(self, codes: &[i8; LANES], [bias, scale, offset]: [f32; 3], out: &mut [f32; LANES]) {
        for half in [0, 8] {
            // SAFETY: `self` proves AVX2, and eight codes from 0 or 8 are within sixteen.
            unsafe {
                let codes = _mm_loadl_epi64(codes.as_ptr().add(half).cast());
                let codes = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
                let codes = _mm256_add_ps(codes, _mm256_set1_ps(bias));
                let scaled = _mm256_mul_ps(codes, _mm256_set1_ps(scale));
                let numbers = _mm256_add_ps(scaled, _mm256_set1_ps(offset));
                _mm256_storeu_ps(out.as_mut_ptr().add(half), numbers);
            }
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
        if std::arch::is_x86_feature_detected!("avx2") {
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
            // SAFETY: only `best` makes this level, after it saw that the machine has AVX2.
            Level::Avx2 => unsafe { avx2(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}
