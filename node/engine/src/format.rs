//! The formats in which a weight file holds numbers, and what each of them stands for in f32.
//!
//! A format cuts a row into blocks of equal length; a block carries its own scales. The formula of
//! a format stands at the top of its module. Fast kernels read the same bytes; they are held
//! against [`Format::dequantize`].

mod block32;
mod k;
mod plain;

use std::fmt;

/// How a tensor's numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// 4-bit codes around zero, a scale for 32.
    Q4_0,
    /// 4-bit codes above a minimum, a scale and a minimum for 32.
    Q4_1,
    /// 5-bit codes around zero, a scale for 32.
    Q5_0,
    /// 8-bit codes, a scale for 32.
    Q8_0,
    /// 4-bit codes; 6-bit scales and minima for 32, scaled for 256.
    Q4K,
    /// 5-bit codes; 6-bit scales and minima for 32, scaled for 256.
    Q5K,
    /// 6-bit codes around zero; 8-bit scales for 16, scaled for 256.
    Q6K,
}

/// Every format, its name in GGUF and its number there.
const TABLE: [(Format, &str, u32); 10] = [
    (Format::F32, "F32", 0),
    (Format::F16, "F16", 1),
    (Format::BF16, "BF16", 30),
    (Format::Q4_0, "Q4_0", 2),
    (Format::Q4_1, "Q4_1", 3),
    (Format::Q5_0, "Q5_0", 6),
    (Format::Q8_0, "Q8_0", 8),
    (Format::Q4K, "Q4_K", 12),
    (Format::Q5K, "Q5_K", 13),
    (Format::Q6K, "Q6_K", 14),
];

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 10] = {
        let mut all = [Self::F32; 10];
        let mut index = 0;
        while index < all.len() {
            all[index] = TABLE[index].0;
            index += 1;
        }
        all
    };

    /// The name that GGUF tools give it, such as `Q4_K`.
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    /// Its number in a GGUF file.
    pub fn ggml(self) -> u32 {
        self.entry().2
    }

    /// The format of that number in a GGUF file.
    pub fn from_ggml(number: u32) -> Option<Self> {
        TABLE.iter().find(|entry| entry.2 == number).map(|entry| entry.0)
    }

    fn entry(self) -> &'static (Self, &'static str, u32) {
        &TABLE[self as usize]
    }

    /// Numbers in a block.
    pub fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q8_0 => block32::LEN,
            Self::Q4K | Self::Q5K | Self::Q6K => k::LEN,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => block32::Q4_0_BYTES,
            Self::Q4_1 => block32::Q4_1_BYTES,
            Self::Q5_0 => block32::Q5_0_BYTES,
            Self::Q8_0 => block32::Q8_0_BYTES,
            Self::Q4K => k::Q4K_BYTES,
            Self::Q5K => k::Q5K_BYTES,
            Self::Q6K => k::Q6K_BYTES,
        }
    }

    /// Bytes of a row of `cols` numbers; `None` if blocks do not fill it, or it is beyond counting.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// What `blocks` stand for.
    ///
    /// # Panics
    /// If `blocks` are not whole blocks, or `out` is not as long as what they hold.
    pub fn dequantize(self, blocks: &[u8], out: &mut [f32]) {
        assert_eq!(Some(blocks.len()), self.row_bytes(out.len()), "{self} blocks for the output");
        match self {
            Self::F32 => plain::read_f32(blocks, out),
            Self::F16 => plain::read_f16(blocks, out),
            Self::BF16 => plain::read_bf16(blocks, out),
            Self::Q4_0 => block32::read(blocks, out, block32::read_q4_0),
            Self::Q4_1 => block32::read(blocks, out, block32::read_q4_1),
            Self::Q5_0 => block32::read(blocks, out, block32::read_q5_0),
            Self::Q8_0 => block32::read(blocks, out, block32::read_q8_0),
            Self::Q4K => k::read(blocks, out, k::read_q4k),
            Self::Q5K => k::read(blocks, out, k::read_q5k),
            Self::Q6K => k::read(blocks, out, k::read_q6k),
        }
    }

    /// Writes `values` in this format, after `out`. Simple rather than best: it serves made-up
    /// models and tests.
    ///
    /// # Panics
    /// If blocks do not fill `values`.
    pub fn quantize(self, values: &[f32], out: &mut Vec<u8>) {
        assert!(self.row_bytes(values.len()).is_some(), "{self} blocks do not fill the values");
        match self {
            Self::F32 => plain::write_f32(values, out),
            Self::F16 => plain::write_f16(values, out),
            Self::BF16 => plain::write_bf16(values, out),
            Self::Q4_0 => block32::write(values, out, block32::write_q4_0),
            Self::Q4_1 => block32::write(values, out, block32::write_q4_1),
            Self::Q5_0 => block32::write(values, out, block32::write_q5_0),
            Self::Q8_0 => block32::write(values, out, block32::write_q8_0),
            Self::Q4K => k::write(values, out, k::write_q4k),
            Self::Q5K => k::write(values, out, k::write_q5k),
            Self::Q6K => k::write(values, out, k::write_q6k),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (format, name, number)) in TABLE.into_iter().enumerate() {
            assert_eq!(format as usize, index);
            assert_eq!(Format::from_name(name), Some(format));
            assert_eq!(Format::from_ggml(number), Some(format));
        }
    }

    #[test]
    fn a_row_is_whole_blocks() {
        assert_eq!(Format::Q4_1.row_bytes(576), Some(360));
        assert_eq!(Format::Q4K.row_bytes(576), None);
        assert_eq!(Format::F32.row_bytes(usize::MAX), None);
    }
}
