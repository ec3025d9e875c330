//! A place in a file's header, and what can be read there.
//!
//! Every read names what it reads, so that an error says where the file broke.

use bytes::Bytes;

use super::Fault;

/// Reads forward through bytes that nobody vouches for.
pub(super) struct Cursor<'a> {
    bytes: &'a Bytes,
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(super) fn fault(&self, what: &str) -> Fault {
        Fault::Corrupt(format!("at byte {}: {what}", self.position))
    }

    pub(super) fn take(&mut self, what: &str, bytes: usize) -> Result<&'a [u8], Fault> {
        let end = self.position.checked_add(bytes).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let left = self.left();
            return Err(self.fault(&format!("{what} takes {bytes} bytes, {left} are left")));
        };
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// How many of something follow.
    pub(super) fn count(&mut self, what: &str, max: u64) -> Result<u64, Fault> {
        let count = self.u64(what)?;
        if count <= max {
            return Ok(count);
        }
        Err(self.fault(&format!("{count} {what}, at most {max} are accepted")))
    }

    /// A string with its length before it.
    pub(super) fn text(&mut self, what: &str, max: usize) -> Result<&'a str, Fault> {
        let bytes = self.skip_text(what, max)?;
        std::str::from_utf8(bytes).map_err(|_| self.fault(&format!("{what} is not UTF-8")))
    }

    /// A string's bytes, whatever they are.
    pub(super) fn skip_text(&mut self, what: &str, max: usize) -> Result<&'a [u8], Fault> {
        let length = self.u64(what)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= max);
        let Some(length) = length else {
            return Err(self.fault(&format!("{what} is longer than {max} bytes")));
        };
        self.take(what, length)
    }

    /// All that was read from `first` on.
    pub(super) fn since(&self, first: usize) -> Bytes {
        self.bytes.slice(first..self.position)
    }
}
