//! Numbers written one by one, little-endian: F32, F16, BF16.

use half::{bf16, f16};

pub(super) fn read_f32(blocks: &[u8], out: &mut [f32]) {
    for (value, bytes) in out.iter_mut().zip(blocks.as_chunks().0) {
        *value = f32::from_le_bytes(*bytes);
    }
}

pub(super) fn read_f16(blocks: &[u8], out: &mut [f32]) {
    for (value, bytes) in out.iter_mut().zip(blocks.as_chunks().0) {
        *value = f16::from_le_bytes(*bytes).to_f32();
    }
}

pub(super) fn read_bf16(blocks: &[u8], out: &mut [f32]) {
    for (value, bytes) in out.iter_mut().zip(blocks.as_chunks().0) {
        *value = bf16::from_le_bytes(*bytes).to_f32();
    }
}

pub(super) fn write_f32(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(super) fn write_f16(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()));
}

pub(super) fn write_bf16(values: &[f32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use crate::Format;

    #[test]
    fn halves_are_what_ieee_says() {
        let mut out = [0.0; 3];
        Format::F16.dequantize(&[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00], &mut out);
        assert_eq!(out, [1.0, -2.0, 5.960_464_5e-8]);
        Format::BF16.dequantize(&[0x80, 0x3f, 0x49, 0x40, 0x00, 0xc1], &mut out);
        assert_eq!(out, [1.0, 3.140_625, -8.0]);
    }
}
