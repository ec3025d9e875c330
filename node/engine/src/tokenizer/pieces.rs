//! What each token adds to a text: bytes, which need not be whole characters.

use std::sync::Arc;

/// The bytes of every token, one after another.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<usize>,
    /// Whether encoding puts a space in front of a text, which decoding takes away again.
    pub(super) front_space: bool,
}

impl Pieces {
    pub(super) fn new(pieces: impl IntoIterator<Item = Vec<u8>>, front_space: bool) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for piece in pieces {
            bytes.extend(piece);
            ends.push(bytes.len());
        }
        Self { bytes, ends, front_space }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start..end]
    }

    pub(super) fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).copied().collect();
        let bytes = match bytes.strip_prefix(b" ") {
            Some(rest) if self.front_space => rest,
            _ => &bytes,
        };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Decodes token by token: gives text as soon as its characters are whole.
pub struct Detokenizer {
    pieces: Arc<Pieces>,
    /// The start of a character whose end has not come yet: three bytes at most.
    begun: Vec<u8>,
}

impl Detokenizer {
    pub(super) fn new(pieces: Arc<Pieces>) -> Self {
        Self { pieces, begun: Vec::new() }
    }

    /// The characters that `id` completes, if any. Bytes that cannot become a character are
    /// U+FFFD.
    pub fn push(&mut self, id: u32) -> Option<String> {
        self.begun.extend_from_slice(self.pieces.bytes(id));
        let begun = self.begun.utf8_chunks().last().map_or(0, |last| unfinished(last.invalid()));
        let rest = self.begun.split_off(self.begun.len() - begun);
        let whole = std::mem::replace(&mut self.begun, rest);
        (!whole.is_empty()).then(|| String::from_utf8_lossy(&whole).into_owned())
    }

    /// What is left when no more tokens come: U+FFFD for a character that was begun.
    pub fn finish(self) -> Option<String> {
        (!self.begun.is_empty()).then(|| String::from_utf8_lossy(&self.begun).into_owned())
    }
}

/// How many of the last bytes, which are no character, could still become one.
fn unfinished(invalid: &[u8]) -> usize {
    let unfinished = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
    if unfinished { invalid.len() } else { 0 }
}

/// The byte that each character of a byte-level token stands for; a token with any other
/// character is text as it is.
pub(super) fn byte_level(token: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = token.chars().map(byte_of).collect();
    bytes.unwrap_or_else(|| token.as_bytes().to_vec())
}

/// Byte-level vocabularies write a byte that has a visible Latin-1 character as that, and the
/// others, in order, as the characters from U+0100 on.
fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => visible(byte).then_some(byte),
        Err(_) => {
            let index = code.checked_sub(0x100)? as usize;
            (0..=255).filter(|&byte| !visible(byte)).nth(index)
        }
    }
}

fn visible(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The character that stands for a byte in byte-level vocabularies.
pub(crate) fn byte_level_char(byte: u8) -> char {
    if visible(byte) {
        return char::from(byte);
    }
    let index = (0..byte).filter(|&earlier| !visible(earlier)).count();
    char::from_u32(0x100 + index as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The bytes of a SentencePiece token: a byte such as `<0x0A>`, or text with `▁` for spaces.
pub(super) fn sentence_piece(token: &str) -> Vec<u8> {
    let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hex.filter(|hex| hex.len() == 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        Some(byte) => vec![byte],
        None => token.replace('\u{2581}', " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_character() {
        for byte in 0..=255 {
            assert_eq!(byte_level(&byte_level_char(byte).to_string()), [byte]);
        }
        assert_eq!(byte_level("Ġthe"), b" the");
        assert_eq!(byte_level("Ċ"), b"\n");
        assert_eq!(byte_level("▁x"), "▁x".as_bytes());
    }

    #[test]
    fn sentence_pieces_are_text_or_bytes() {
        assert_eq!(sentence_piece("▁a▁"), b" a ");
        assert_eq!(sentence_piece("<0xE9>"), [0xe9]);
        assert_eq!(sentence_piece("<0xE>"), b"<0xE>");
    }

    #[test]
    fn a_stream_gives_whole_characters_only() {
        let parts = ["é".as_bytes()[..1].to_vec(), "é".as_bytes()[1..].to_vec(), vec![b'a', 0xf0]];
        let pieces = Arc::new(Pieces::new(parts, false));
        let mut stream = Detokenizer::new(Arc::clone(&pieces));
        assert_eq!(stream.push(0), None);
        assert_eq!(stream.push(1).as_deref(), Some("é"));
        assert_eq!(stream.push(2).as_deref(), Some("a"));
        assert_eq!(stream.push(99), None);
        // The character begun above is broken off.
        assert_eq!(stream.push(2).as_deref(), Some("\u{fffd}a"));
        assert_eq!(stream.finish().as_deref(), Some("\u{fffd}"));
        assert_eq!(pieces.decode(&[2, 2]), "a\u{fffd}a\u{fffd}");
    }
}
