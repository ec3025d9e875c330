//! Weights that are read quickly: formats of 32 numbers a block, which fill most published files.
//!
//! The same numbers as [`Format::dequantize`] gives, bit for bit; formats that are not here go
//! through it.

use super::isa::{LANES, Lanes};
use crate::Format;

/// Numbers in a block of every format here.
pub(super) const BLOCK: usize = 2 * LANES;

/// Minus zero is what changes no number when it is added.
const NOTHING: f32 = -0.0;

/// A format whose blocks take `BYTES`.
pub(super) trait Packed<const BYTES: usize> {
    /// A block's numbers.
    fn read<L: Lanes>(lanes: L, block: &[u8; BYTES]) -> [L::Sixteen; 2];
}

pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q8_0;

impl Packed<18> for Q4_0 {
    #[inline(always)]
    fn read<L: Lanes>(lanes: L, block: &[u8; 18]) -> [L::Sixteen; 2] {
        let [scale, _] = lanes.halves(block);
        lanes.nibbles(sixteen(&block[2..]), [-8.0, scale, NOTHING])
    }
}

impl Packed<20> for Q4_1 {
    #[inline(always)]
    fn read<L: Lanes>(lanes: L, block: &[u8; 20]) -> [L::Sixteen; 2] {
        let [scale, minimum] = lanes.halves(block);
        lanes.nibbles(sixteen(&block[4..]), [0.0, scale, minimum])
    }
}

impl Packed<34> for Q8_0 {
    #[inline(always)]
    fn read<L: Lanes>(lanes: L, block: &[u8; 34]) -> [L::Sixteen; 2] {
        let [scale, _] = lanes.halves(block);
        let form = [0.0, scale, NOTHING];
        let codes = bytemuck::cast_slice::<u8, i8>(&block[2..]).as_chunks().0;
        [lanes.codes(&codes[0], form), lanes.codes(&codes[1], form)]
    }
}

#[inline(always)]
fn sixteen(bytes: &[u8]) -> &[u8; LANES] {
    &bytes.as_chunks().0[0]
}

/// Reads whole blocks.
#[inline(always)]
pub(super) fn unpack<L: Lanes>(lanes: L, format: Format, blocks: &[u8], out: &mut [f32]) {
    match format {
        Format::Q4_0 => unpack_as::<L, Q4_0, 18>(lanes, blocks, out),
        Format::Q4_1 => unpack_as::<L, Q4_1, 20>(lanes, blocks, out),
        Format::Q8_0 => unpack_as::<L, Q8_0, 34>(lanes, blocks, out),
        _ => format.dequantize(blocks, out),
    }
}

#[inline(always)]
fn unpack_as<L: Lanes, P: Packed<BYTES>, const BYTES: usize>(
    lanes: L,
    blocks: &[u8],
    out: &mut [f32],
) {
    let halves = out.as_chunks_mut().0.as_chunks_mut::<2>().0;
    for (block, [first, second]) in blocks.as_chunks().0.iter().zip(halves) {
        let numbers = P::read(lanes, block);
        lanes.store(numbers[0], first);
        lanes.store(numbers[1], second);
    }
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
