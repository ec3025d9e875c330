//! GGUF files: one file with the shape, the tokenizer and the tensors of a model.
//!
//! Reads versions 2 and 3. Everything that the file claims is checked against the bytes that are
//! there before memory is taken for it, and no page of a tensor is touched.

mod config;
mod cursor;
mod metadata;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::{Format, Tensor};
use cursor::Cursor;

pub(crate) use config::config;
pub(crate) use metadata::{Metadata, required};

/// `GGUF` as a little-endian number.
const MAGIC: u32 = 0x4655_4747;
/// What tensors are aligned to if the file does not say.
const ALIGNMENT_DEFAULT: usize = 32;
/// The coarsest alignment accepted: larger than any page.
const ALIGNMENT_MAX: usize = 1 << 24;
/// Tensors accepted in a file: 60 times those of a 120-layer decoder.
const TENSORS_MAX: u64 = 1 << 16;
/// Metadata entries accepted in a file; real files have 20 to 60.
const ENTRIES_MAX: u64 = 1 << 14;
/// The longest name of a tensor; GGUF's own bound is 64.
const NAME_BYTES_MAX: usize = 256;
/// The most dimensions of a tensor, GGUF's own bound.
const DIMENSIONS_MAX: u32 = 4;

/// Why a file was refused.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is not what it claims to be.
    Corrupt(String),
    /// It has something that is not known here.
    Unknown {
        /// What it has.
        what: String,
        /// What would be known.
        known: String,
    },
}

/// A file, taken apart.
pub(crate) struct Gguf {
    pub(crate) metadata: Metadata,
    pub(crate) tensors: BTreeMap<String, Tensor>,
    /// All that comes before the tensors.
    pub(crate) header: Bytes,
}

/// A tensor's entry in the header.
struct Entry {
    name: String,
    format: Format,
    rows: usize,
    cols: usize,
    offset: u64,
}

impl Gguf {
    /// Reads the header of a file whose bytes are `file`.
    pub(crate) fn parse(file: &Bytes) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(file);
        let (tensors, entries) = read_counts(&mut cursor)?;
        let metadata = Metadata::read(&mut cursor, entries)?;
        let alignment = alignment(&metadata)?;
        let entries: Vec<Entry> =
            (0..tensors).map(|_| read_entry(&mut cursor)).collect::<Result<_, _>>()?;
        let start = cursor
            .position()
            .checked_next_multiple_of(alignment)
            .filter(|start| *start <= file.len() || entries.is_empty())
            .ok_or_else(|| Fault::Corrupt("it ends before its tensors begin".into()))?;
        let header = file.slice(..cursor.position());
        let tensors = place(file, start, alignment, entries)?;
        Ok(Self { metadata, tensors, header })
    }
}

fn read_counts(cursor: &mut Cursor<'_>) -> Result<(u64, u64), Fault> {
    let magic = cursor.u32("the magic number")?;
    if magic != MAGIC {
        let what = format!("it starts with {magic:#010x}, expected `GGUF` ({MAGIC:#010x})");
        return Err(Fault::Corrupt(what));
    }
    let version = cursor.u32("the version")?;
    if !matches!(version, 2 | 3) {
        let swapped = if matches!(version.swap_bytes(), 2 | 3) { " (big-endian)" } else { "" };
        let what = format!("GGUF version {version}{swapped}");
        return Err(Fault::Unknown { what, known: "2, 3".into() });
    }
    let tensors = cursor.count("tensors", TENSORS_MAX)?;
    let entries = cursor.count("metadata entries", ENTRIES_MAX)?;
    Ok((tensors, entries))
}

fn alignment(metadata: &Metadata) -> Result<usize, Fault> {
    let alignment = metadata.number("general.alignment")?.unwrap_or(ALIGNMENT_DEFAULT);
    if alignment.is_power_of_two() && alignment <= ALIGNMENT_MAX {
        return Ok(alignment);
    }
    let what =
        format!("general.alignment is {alignment}, not a power of two up to {ALIGNMENT_MAX}");
    Err(Fault::Corrupt(what))
}

fn read_entry(cursor: &mut Cursor<'_>) -> Result<Entry, Fault> {
    let name = cursor.text("a tensor's name", NAME_BYTES_MAX)?.to_owned();
    let of_tensor = |what: String| Fault::Corrupt(format!("tensor `{name}` {what}"));
    let dimensions = cursor.u32("a tensor's dimensions")?;
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Err(of_tensor(format!("has {dimensions} dimensions, expected 1 to 4")));
    }
    let mut shape = [1_usize; DIMENSIONS_MAX as usize];
    for length in &mut shape[..dimensions as usize] {
        *length = usize::try_from(cursor.u64("a dimension")?)
            .map_err(|_| of_tensor("is longer than memory".into()))?;
    }
    // Dimensions run from the innermost; what is beyond a matrix is seen as more rows.
    let rows = shape[1..].iter().try_fold(1_usize, |rows, &length| rows.checked_mul(length));
    let rows = rows.ok_or_else(|| of_tensor(format!("has the impossible shape {shape:?}")))?;
    let number = cursor.u32("a tensor's format")?;
    let format = Format::from_ggml(number).ok_or_else(|| Fault::Unknown {
        what: format!("tensor `{name}` in format {}", ggml_name(number)),
        known: Format::ALL.map(Format::name).join(", "),
    })?;
    let offset = cursor.u64("a tensor's offset")?;
    Ok(Entry { name, format, rows, cols: shape[0], offset })
}

/// Names of the formats that GGUF has and this crate has not, so that a refusal can say them.
fn ggml_name(number: u32) -> String {
    let name = match number {
        7 => "Q5_1",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {number}"),
    };
    name.into()
}

fn place(
    file: &Bytes,
    start: usize,
    alignment: usize,
    entries: Vec<Entry>,
) -> Result<BTreeMap<String, Tensor>, Fault> {
    let mut tensors = BTreeMap::new();
    let mut taken: Vec<(Range<usize>, String)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let range = range(file, start, alignment, &entry)?;
        let Entry { name, format, rows, cols, .. } = entry;
        let tensor = Tensor::new(file.slice(range.clone()), format, rows, cols)
            .ok_or_else(|| Fault::Corrupt(format!("tensor `{name}` is empty")))?;
        taken.push((range, name.clone()));
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(Fault::Corrupt(format!("tensor `{name}` is there twice")));
        }
    }
    taken.sort_unstable_by_key(|(range, _)| range.start);
    match taken.windows(2).find(|pair| pair[0].0.end > pair[1].0.start) {
        Some(pair) => {
            let (one, other) = (&pair[0].1, &pair[1].1);
            Err(Fault::Corrupt(format!("tensors `{one}` and `{other}` overlap")))
        }
        None => Ok(tensors),
    }
}

/// Where a tensor lies in the file.
fn range(
    file: &Bytes,
    start: usize,
    alignment: usize,
    entry: &Entry,
) -> Result<Range<usize>, Fault> {
    let Entry { name, format, rows, cols, offset } = entry;
    let of_tensor = |what: String| Fault::Corrupt(format!("tensor `{name}` {what}"));
    let row_bytes = format.row_bytes(*cols).ok_or_else(|| {
        of_tensor(format!("has rows of {cols}, which {format} blocks do not fill"))
    })?;
    if !offset.is_multiple_of(alignment as u64) {
        return Err(of_tensor(format!("is at {offset}, not a multiple of {alignment}")));
    }
    let first = usize::try_from(*offset).ok().and_then(|offset| offset.checked_add(start));
    let end = row_bytes.checked_mul(*rows).and_then(|bytes| first?.checked_add(bytes));
    match (first, end) {
        (Some(first), Some(end)) if end <= file.len() => Ok(first..end),
        _ => Err(of_tensor(format!(
            "({rows} x {cols} {format} at {offset}) ends beyond the file's {} bytes",
            file.len()
        ))),
    }
}
