//! Bytes as tests write them: hexadecimal in groups, `07*32` for a group said 32 times.

/// The bytes that `text` spells.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().flat_map(group).collect()
}

fn group(word: &str) -> Vec<u8> {
    let (digits, times) = match word.split_once('*') {
        Some((digits, times)) => (digits, times.parse().expect("a count after *")),
        None => (word, 1),
    };
    assert!(digits.len().is_multiple_of(2), "half a byte in {word:?}");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect::<Vec<_>>().repeat(times)
}

/// `bytes` as one word.
pub(crate) fn word(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
