//! Super-blocks of 256.
//!
//! Q4_K and Q5_K: `d * scale * q - dmin * minimum`, where each run of 32 numbers has a 6-bit scale
//! and a 6-bit minimum, packed into 12 bytes. Layout: `d`, `dmin` (f16), the 12 bytes, for Q5_K 32
//! bytes with the fifth bits (bit `r` of byte `i` belongs to number `i` of run `r`), then 4 times
//! 32 bytes, whose low nibbles are one run and whose high nibbles the next.
//!
//! Q6_K: `d * scale * (q - 32)`, where each run of 16 numbers has a signed 8-bit scale. Layout: 128
//! bytes of low nibbles, 64 bytes of high bit pairs, 16 scales, `d` (f16). Each half of the
//! super-block has 64 and 32 of those bytes; its four quarters of 32 numbers take the low nibbles
//! of the first and the second 32 bytes, then the high ones.

use half::f16;

use super::block32::farthest;

/// Numbers in a super-block.
pub(super) const LEN: usize = 256;
pub(super) const Q4K_BYTES: usize = 144;
pub(super) const Q5K_BYTES: usize = 176;
pub(super) const Q6K_BYTES: usize = 210;

/// Runs of 32 in a super-block.
const RUNS: usize = 8;

pub(super) fn read<const BYTES: usize>(
    blocks: &[u8],
    out: &mut [f32],
    one: fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    for (block, values) in blocks.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        one(block, values);
    }
}

pub(super) fn write(values: &[f32], out: &mut Vec<u8>, one: fn(&[f32; LEN], &mut Vec<u8>)) {
    for block in values.as_chunks().0 {
        one(block, out);
    }
}

fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// Scale and minimum of a run. The last four runs keep their upper two bits with the first four.
fn scale_and_minimum(packed: &[u8], run: usize) -> (f32, f32) {
    let (scale, minimum) = if run < 4 {
        (packed[run] & 63, packed[run + 4] & 63)
    } else {
        let low = packed[run + 4];
        (low & 15 | packed[run - 4] >> 6 << 4, low >> 4 | packed[run] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

fn nibble(bytes: &[u8], run: usize, index: usize) -> u8 {
    bytes[run / 2 * 32 + index] >> (run % 2 * 4) & 15
}

pub(super) fn read_q4k(block: &[u8; Q4K_BYTES], out: &mut [f32; LEN]) {
    let (packed, codes) = (&block[4..16], &block[16..]);
    read_runs(block, packed, out, |run, index| nibble(codes, run, index));
}

pub(super) fn read_q5k(block: &[u8; Q5K_BYTES], out: &mut [f32; LEN]) {
    let (packed, fifth, codes) = (&block[4..16], &block[16..48], &block[48..]);
    let code =
        |run: usize, index: usize| nibble(codes, run, index) | (fifth[index] >> run & 1) << 4;
    read_runs(block, packed, out, code);
}

fn read_runs(head: &[u8], packed: &[u8], out: &mut [f32], code: impl Fn(usize, usize) -> u8) {
    let (d, dmin) = (half(head, 0), half(head, 2));
    for (run, values) in out.chunks_exact_mut(32).enumerate() {
        let (scale, minimum) = scale_and_minimum(packed, run);
        let (scale, minimum) = (d * scale, dmin * minimum);
        for (index, value) in values.iter_mut().enumerate() {
            *value = scale * f32::from(code(run, index)) - minimum;
        }
    }
}

pub(super) fn read_q6k(block: &[u8; Q6K_BYTES], out: &mut [f32; LEN]) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half(block, 208);
    for (position, value) in out.iter_mut().enumerate() {
        let (part, quarter, index) = (position / 128, position % 128 / 32, position % 32);
        let low = low[part * 64 + quarter % 2 * 32 + index] >> (quarter / 2 * 4) & 15;
        let high = high[part * 32 + index] >> (quarter * 2) & 3;
        let scale = f32::from(scales[position / 16] as i8);
        *value = d * scale * f32::from((low | high << 4) as i8 - 32);
    }
}

fn push_half(out: &mut Vec<u8>, value: f32) {
    out.extend(f16::from_f32(value).to_le_bytes());
}

fn divide(value: f32, by: f32) -> f32 {
    if by == 0.0 { 0.0 } else { value / by }
}

/// A super-block's scales, minima and codes, before they are packed.
struct Runs {
    d: f32,
    dmin: f32,
    scales: [u8; RUNS],
    minima: [u8; RUNS],
    codes: [u8; LEN],
}

impl Runs {
    /// Finds them for codes up to `top`.
    fn fit(values: &[f32; LEN], top: f32) -> Self {
        let (mut widths, mut depths) = ([0.0_f32; RUNS], [0.0_f32; RUNS]);
        for (run, values) in values.chunks_exact(32).enumerate() {
            let low = values.iter().copied().fold(0.0, f32::min);
            let high = values.iter().copied().fold(low, f32::max);
            (widths[run], depths[run]) = ((high - low) / top, -low);
        }
        let stored = |all: &[f32]| f16::from_f32(farthest(all) / 63.0).to_f32();
        let (d, dmin) = (stored(&widths), stored(&depths));
        let scales = widths.map(|width| divide(width, d).round().min(63.0) as u8);
        let minima = depths.map(|depth| divide(depth, dmin).round().min(63.0) as u8);
        let codes = std::array::from_fn(|position| {
            let run = position / 32;
            let above = values[position] + dmin * f32::from(minima[run]);
            divide(above, d * f32::from(scales[run])).round().clamp(0.0, top) as u8
        });
        Self { d, dmin, scales, minima, codes }
    }

    fn push_head(&self, out: &mut Vec<u8>) {
        push_half(out, self.d);
        push_half(out, self.dmin);
        let upper = |six: &[u8; RUNS], run: usize| six[run] | six[run + 4] >> 4 << 6;
        out.extend((0..4).map(|run| upper(&self.scales, run)));
        out.extend((0..4).map(|run| upper(&self.minima, run)));
        out.extend((4..8).map(|run| self.scales[run] & 15 | (self.minima[run] & 15) << 4));
    }

    fn push_nibbles(&self, out: &mut Vec<u8>) {
        for pair in self.codes.chunks_exact(64) {
            out.extend((0..32).map(|index| pair[index] & 15 | pair[index + 32] << 4));
        }
    }
}

pub(super) fn write_q4k(values: &[f32; LEN], out: &mut Vec<u8>) {
    let runs = Runs::fit(values, 15.0);
    runs.push_head(out);
    runs.push_nibbles(out);
}

pub(super) fn write_q5k(values: &[f32; LEN], out: &mut Vec<u8>) {
    let runs = Runs::fit(values, 31.0);
    runs.push_head(out);
    let fifth = |run: usize, index: usize| runs.codes[run * 32 + index] >> 4 << run;
    out.extend((0..32).map(|index| (0..RUNS).fold(0, |bits, run| bits | fifth(run, index))));
    runs.push_nibbles(out);
}

pub(super) fn write_q6k(values: &[f32; LEN], out: &mut Vec<u8>) {
    let widths: Vec<f32> = values.chunks_exact(16).map(|run| farthest(run) / -32.0).collect();
    let d = f16::from_f32(farthest(&widths).abs() / 127.0).to_f32();
    let scales: Vec<i8> =
        widths.iter().map(|&width| divide(width, d).round().clamp(-127.0, 127.0) as i8).collect();
    let code = |position: usize| {
        let scale = d * f32::from(scales[position / 16]);
        (divide(values[position], scale).round().clamp(-32.0, 31.0) + 32.0) as u8
    };
    for part in [0, 128] {
        out.extend((part..part + 64).map(|at| code(at) & 15 | (code(at + 64) & 15) << 4));
    }
    for part in [0, 128] {
        let pair = |at: usize, quarter: usize| code(at + quarter * 32) >> 4 << (quarter * 2);
        out.extend((part..part + 32).map(|at| (0..4).fold(0, |bits, q| bits | pair(at, q))));
    }
    out.extend(scales.iter().map(|&scale| scale as u8));
    push_half(out, d);
}

#[cfg(test)]
mod tests {
    use crate::Format;

    /// 1.0 and 0.5 as f16.
    const ONE: [u8; 2] = [0x00, 0x3c];
    const HALF: [u8; 2] = [0x00, 0x38];

    /// Scales 1 to 4 (low runs), 21 and 0 (high runs); minima 2 in run 0, 35 in run 5.
    fn packed() -> [u8; 12] {
        let mut packed = [1, 2 | 1 << 6, 3, 4, 2, 2 << 6, 0, 0, 0, 0, 0, 0];
        // Run 5: scale 16 + 5, minimum 32 + 3.
        packed[9] = 5 | 3 << 4;
        packed
    }

    #[test]
    fn q4_k_packs_scales_and_minima_in_six_bits() {
        let mut codes = [0_u8; 128];
        codes[0] = 0x73; // run 0, number 0: 3; run 1, number 0: 7
        codes[2 * 32 + 31] = 0x90; // run 4, number 31: 0; run 5, number 31: 9
        let mut out = [0.0; 256];
        Format::Q4K.dequantize(&[&ONE[..], &HALF, &packed(), &codes].concat(), &mut out);
        assert_eq!(out[0], 3.0 - 0.5 * 2.0);
        assert_eq!(out[32], 2.0 * 7.0);
        assert_eq!(out[5 * 32 + 31], 21.0 * 9.0 - 0.5 * 35.0);
        assert_eq!(out[5 * 32], -0.5 * 35.0);
    }

    #[test]
    fn q5_k_finds_the_fifth_bit_of_each_run() {
        let (mut fifth, mut codes) = ([0_u8; 32], [0_u8; 128]);
        fifth[0] = 0b10;
        fifth[31] = 0b10_0000;
        codes[0] = 0x73;
        codes[2 * 32 + 31] = 0x90;
        let block = [&ONE[..], &HALF, &packed(), &fifth, &codes].concat();
        let mut out = [0.0; 256];
        Format::Q5K.dequantize(&block, &mut out);
        assert_eq!(out[0], 3.0 - 0.5 * 2.0);
        assert_eq!(out[32], 2.0 * 23.0);
        assert_eq!(out[5 * 32 + 31], 21.0 * 25.0 - 0.5 * 35.0);
    }

    #[test]
    fn q6_k_joins_nibbles_and_bit_pairs() {
        let (mut low, mut high, mut scales) = ([0_u8; 128], [0_u8; 64], [1_u8; 16]);
        low[1] = 0x5a; // number 1 and, a quarter pair later, number 65
        high[1] = 0b10_01_11_10; // quarters 0 to 3, from the right
        scales[4] = -3_i8 as u8; // numbers 64 to 79
        low[64 + 32 + 31] = 0xf0; // second half: number 128 + 63 and 128 + 127
        high[32 + 31] = 0b11_00_00_00;
        scales[15] = 2;
        let mut out = [0.0; 256];
        Format::Q6K.dequantize(&[&low[..], &high, &scales, &HALF].concat(), &mut out);
        assert_eq!(out[1], 0.5 * (f32::from(0x2a_u8) - 32.0));
        assert_eq!(out[33], 0.5 * (f32::from(0x30_u8) - 32.0));
        assert_eq!(out[65], 0.5 * -3.0 * (f32::from(0x15_u8) - 32.0));
        assert_eq!(out[97], 0.5 * (f32::from(0x20_u8) - 32.0));
        assert_eq!(out[128 + 63], 0.5 * -32.0);
        assert_eq!(out[255], 0.5 * 2.0 * 31.0);
    }
}
