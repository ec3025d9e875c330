//! Weight formats.

use super::lookup::{Unknown, find};

/// How weights are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// Its name.
    pub name: &'static str,
    /// Bits of a weight, scales included.
    pub bits: f64,
}

/// Block formats of GGUF carry a scale (and an offset) a block of 32; K formats one more a block of
/// 256; `q4_k_m` keeps some matrices in `q6_k`.
const FORMATS: [Format; 18] = [
    Format { name: "fp32", bits: 32.0 },
    Format { name: "fp16", bits: 16.0 },
    Format { name: "bf16", bits: 16.0 },
    Format { name: "fp8", bits: 8.0 },
    Format { name: "int8", bits: 8.0 },
    Format { name: "q8_0", bits: 8.5 },
    Format { name: "q6_k", bits: 6.5625 },
    Format { name: "q5_k_m", bits: 5.68 },
    Format { name: "q5_k", bits: 5.5 },
    Format { name: "q5_0", bits: 5.5 },
    Format { name: "q4_k_m", bits: 4.85 },
    Format { name: "q4_k", bits: 4.5 },
    Format { name: "q4_1", bits: 5.0 },
    Format { name: "q4_0", bits: 4.5 },
    Format { name: "int4", bits: 4.25 },
    Format { name: "awq", bits: 4.25 },
    Format { name: "mxfp4", bits: 4.25 },
    Format { name: "nvfp4", bits: 4.5 },
];

/// All formats.
pub fn formats() -> &'static [Format] {
    &FORMATS
}

/// The format of a name.
pub fn format(name: &str) -> Result<Format, Unknown> {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    if let Some(exact) = FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name)) {
        return Ok(*exact);
    }
    Ok(FORMATS[find("weight format", name, &names)?])
}
