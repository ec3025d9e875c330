//! From blocks of weights to f32, for the formats that a decode step must read quickly.
//!
//! The same numbers as [`Format::dequantize`] gives, bit for bit; formats that are not here go
//! through it.

use super::isa::{LANES, Lanes};
use crate::Format;

/// Numbers in a block of every format here.
const BLOCK: usize = 2 * LANES;

/// Reads whole blocks.
#[inline(always)]
pub(super) fn unpack<L: Lanes>(lanes: L, format: Format, blocks: &[u8], out: &mut [f32]) {
    let out_blocks = out.as_chunks_mut::<BLOCK>().0;
    match format {
        Format::Q4_0 => {
            for (block, out) in blocks.as_chunks::<18>().0.iter().zip(out_blocks) {
                nibbles(lanes, block, 2, [-8.0, half(block, 0), -0.0], out);
            }
        }
        Format::Q4_1 => {
            for (block, out) in blocks.as_chunks::<20>().0.iter().zip(out_blocks) {
                nibbles(lanes, block, 4, [0.0, half(block, 0), half(block, 2)], out);
            }
        }
        Format::Q8_0 => {
            for (block, out) in blocks.as_chunks::<34>().0.iter().zip(out_blocks) {
                let codes = bytemuck::cast_slice::<u8, i8>(&block[2..]).as_chunks().0;
                // Minus zero is what changes no number when it is added.
                let form = [0.0, half(block, 0), -0.0];
                for (codes, out) in codes.iter().zip(out.as_chunks_mut().0) {
                    lanes.affine(codes, form, out);
                }
            }
        }
        _ => format.dequantize(blocks, out),
    }
}

/// Sixteen bytes from `start`: low nibbles first, then high ones.
#[inline(always)]
fn nibbles<L: Lanes, const BYTES: usize>(
    lanes: L,
    block: &[u8; BYTES],
    start: usize,
    form: [f32; 3],
    out: &mut [f32; BLOCK],
) {
    for bytes in block[start..].as_chunks::<LANES>().0 {
        let codes = lanes.nibbles(bytes);
        for (codes, out) in codes.iter().zip(out.as_chunks_mut().0) {
            lanes.affine(codes, form, out);
        }
    }
}

/// What two bytes stand for as an f16. The library's function looks for an instruction first and
/// is a call, which costs a kernel its registers.
#[inline(always)]
fn half(bytes: &[u8], at: usize) -> f32 {
    // 2^112: the difference of the exponents' zeros. Exact, for subnormal numbers too.
    const REBASE: f32 = f32::from_bits(0x7780_0000);
    let bits = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let rest = u32::from(bits & 0x7fff);
    let finite = (f32::from_bits(rest << 13) * REBASE).to_bits();
    let rest = if rest < 0x7c00 { finite } else { rest << 13 | 0x7f80_0000 };
    f32::from_bits(u32::from(bits >> 15) << 31 | rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::{Isa, Kernel};

    struct Unpack<'a>(Format, &'a [u8], &'a mut [f32]);

    impl Kernel for Unpack<'_> {
        type Output = ();

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) {
            unpack(lanes, self.0, self.1, self.2);
        }
    }

    #[test]
    fn every_half_is_the_librarys() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) =
                (half(&bits.to_le_bytes(), 0), half::f16::from_bits(bits).to_f32());
            let alike = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
            assert!(alike, "{bits:#x}: {ours} {theirs}");
        }
    }

    #[test]
    fn every_format_is_read_as_it_is_defined() {
        for format in Format::ALL {
            let len = 3 * format.block_len().max(BLOCK);
            let bytes = format.row_bytes(len).unwrap() as u32;
            // Any bytes are blocks, but for scales that are no numbers: exponents are kept low.
            let blocks: Vec<u8> = (0..bytes).map(|i| (i * 151 + i * i * 7) as u8 & 0xbf).collect();
            let mut expected = vec![0.0; len];
            format.dequantize(&blocks, &mut expected);
            for isa in [Isa::plain(), Isa::best()] {
                let mut found = vec![1.0; len];
                isa.run(Unpack(format, &blocks, &mut found));
                let alike = |pair: (&f32, &f32)| pair.0.to_bits() == pair.1.to_bits();
                assert!(found.iter().zip(&expected).all(alike), "{format} {isa:?}");
            }
        }
    }
}
