//! One body of each kernel, compiled once for every instruction set.
//!
//! A kernel is plain safe Rust over fixed-size arrays, marked `#[inline(always)]` so that it is
//! compiled again inside [`avx2`] with wider registers. Vector code changes which lanes are worked
//! on at once, never what a lane computes: fused multiply-add stays off, so the bits are the same.

#![expect(unsafe_code, reason = "calling code compiled for an instruction set found at run time")]

/// Work that can be compiled for several instruction sets.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;
    /// Computes it. Implementations are `#[inline(always)]`, and so is all they call in a loop.
    fn run(self) -> Self::Output;
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
            Level::Plain => kernel.run(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: only `best` makes this level, after it saw that the machine has AVX2.
            Level::Avx2 => unsafe { avx2(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
