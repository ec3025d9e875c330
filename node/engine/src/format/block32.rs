//! Blocks of 32: an f16 scale `d`, for Q4_1 an f16 minimum `m`, then the codes `q`.
//!
//! | format | value | layout |
//! | --- | --- | --- |
//! | Q4_0 | `d * (q - 8)` | `d`, 16 bytes: low nibbles are numbers 0 to 15, high ones 16 to 31 |
//! | Q4_1 | `d * q + m` | `d`, `m`, the same 16 bytes |
//! | Q5_0 | `d * (q - 16)` | `d`, 4 bytes with the fifth bits (bit `i` of number `i`), the same 16 bytes |
//! | Q8_0 | `d * q` | `d`, 32 signed bytes |

use half::f16;

/// Numbers in a block.
pub(super) const LEN: usize = 32;
pub(super) const Q4_0_BYTES: usize = 18;
pub(super) const Q4_1_BYTES: usize = 20;
pub(super) const Q5_0_BYTES: usize = 22;
pub(super) const Q8_0_BYTES: usize = 34;

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

pub(super) fn read_q4_0(block: &[u8; Q4_0_BYTES], out: &mut [f32; LEN]) {
    let d = half(block, 0);
    for (index, byte) in block[2..].iter().enumerate() {
        out[index] = (i32::from(byte & 15) - 8) as f32 * d;
        out[index + 16] = (i32::from(byte >> 4) - 8) as f32 * d;
    }
}

pub(super) fn read_q4_1(block: &[u8; Q4_1_BYTES], out: &mut [f32; LEN]) {
    let (d, m) = (half(block, 0), half(block, 2));
    for (index, byte) in block[4..].iter().enumerate() {
        out[index] = f32::from(byte & 15) * d + m;
        out[index + 16] = f32::from(byte >> 4) * d + m;
    }
}

pub(super) fn read_q5_0(block: &[u8; Q5_0_BYTES], out: &mut [f32; LEN]) {
    let d = half(block, 0);
    let fifth = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    let code = |nibble: u8, index: usize| u32::from(nibble) | (fifth >> index & 1) << 4;
    for (index, byte) in block[6..].iter().enumerate() {
        out[index] = (code(byte & 15, index) as i32 - 16) as f32 * d;
        out[index + 16] = (code(byte >> 4, index + 16) as i32 - 16) as f32 * d;
    }
}

pub(super) fn read_q8_0(block: &[u8; Q8_0_BYTES], out: &mut [f32; LEN]) {
    let d = half(block, 0);
    for (value, &byte) in out.iter_mut().zip(&block[2..]) {
        *value = f32::from(byte as i8) * d;
    }
}

fn push_half(out: &mut Vec<u8>, value: f32) {
    out.extend(f16::from_f32(value).to_le_bytes());
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}

/// The number farthest from zero, with its sign: it gets the code that has no opposite.
pub(super) fn farthest(values: &[f32]) -> f32 {
    values.iter().copied().fold(0.0, |far, value| if value.abs() > far.abs() { value } else { far })
}

fn push_nibbles(out: &mut Vec<u8>, codes: [u8; LEN]) {
    out.extend((0..16).map(|index| codes[index] & 15 | codes[index + 16] << 4));
}

pub(super) fn write_q4_0(values: &[f32; LEN], out: &mut Vec<u8>) {
    let d = farthest(values) / -8.0;
    push_half(out, d);
    push_nibbles(out, values.map(|value| (value * inverse(d) + 8.5).clamp(0.0, 15.0) as u8));
}

pub(super) fn write_q4_1(values: &[f32; LEN], out: &mut Vec<u8>) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let d = (high - low) / 15.0;
    push_half(out, d);
    push_half(out, low);
    push_nibbles(out, values.map(|v| ((v - low) * inverse(d) + 0.5).clamp(0.0, 15.0) as u8));
}

pub(super) fn write_q5_0(values: &[f32; LEN], out: &mut Vec<u8>) {
    let d = farthest(values) / -16.0;
    push_half(out, d);
    let codes = values.map(|value| (value * inverse(d) + 16.5).clamp(0.0, 31.0) as u8);
    let fifth = (0..LEN).fold(0, |bits, index| bits | u32::from(codes[index] >> 4) << index);
    out.extend(fifth.to_le_bytes());
    push_nibbles(out, codes);
}

pub(super) fn write_q8_0(values: &[f32; LEN], out: &mut Vec<u8>) {
    let d = farthest(values).abs() / 127.0;
    push_half(out, d);
    out.extend(values.map(|value| (value * inverse(d)).round().clamp(-127.0, 127.0) as i8 as u8));
}

#[cfg(test)]
mod tests {
    use crate::Format;

    /// 0.5 as an f16.
    const HALF: [u8; 2] = [0x00, 0x38];
    /// -1.0 as an f16.
    const MINUS_ONE: [u8; 2] = [0x00, 0xbc];

    fn values(format: Format, parts: &[&[u8]]) -> Vec<f32> {
        let mut out = vec![0.0; 32];
        format.dequantize(&parts.concat(), &mut out);
        out
    }

    #[test]
    fn q4_0_counts_from_minus_eight() {
        let mut codes = [0x88; 16];
        codes[0] = 0x0f;
        codes[15] = 0x3a;
        let out = values(Format::Q4_0, &[&HALF, &codes]);
        assert_eq!((out[0], out[16]), (3.5, -4.0));
        assert_eq!((out[15], out[31]), (1.0, -2.5));
        assert_eq!(out[1], 0.0);
    }

    #[test]
    fn q4_1_counts_from_its_minimum() {
        let mut codes = [0x10; 16];
        codes[3] = 0xf2;
        let out = values(Format::Q4_1, &[&HALF, &MINUS_ONE, &codes]);
        assert_eq!((out[3], out[19]), (0.0, 6.5));
        assert_eq!((out[0], out[16]), (-1.0, -0.5));
    }

    #[test]
    fn q5_0_takes_its_fifth_bits_apart() {
        let mut codes = [0; 16];
        codes[1] = 0xf1;
        // Number 1 and number 17 have their fifth bit set, no other has.
        let fifth = (1_u32 << 1 | 1 << 17).to_le_bytes();
        let out = values(Format::Q5_0, &[&HALF, &fifth, &codes]);
        assert_eq!((out[1], out[17]), (0.5, 7.5));
        assert_eq!((out[0], out[31]), (-8.0, -8.0));
    }

    #[test]
    fn q8_0_has_signed_bytes() {
        let mut codes = [0; 32];
        (codes[0], codes[31]) = (0x80, 0x7f);
        let out = values(Format::Q8_0, &[&MINUS_ONE, &codes]);
        assert_eq!((out[0], out[31], out[5]), (128.0, -127.0, 0.0));
    }
}
