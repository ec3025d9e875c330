//! A file of weights, mapped into memory: the one unsafe call of the file half.
#![expect(unsafe_code, reason = "mapping a file promises that nobody shortens or rewrites it")]

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

/// Maps `path`. Pages are read when they are first looked at, and shared by all processes here.
pub(crate) fn map(path: &Path) -> io::Result<Bytes> {
    // Looked at before it is opened: opening a pipe would wait for its other end.
    let kind = std::fs::metadata(path)?;
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if kind.len() == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
    }
    let file = File::open(path)?;
    // SAFETY: a weight file is written under another name and then moved to where it is opened, so
    // nothing of ours changes it while it is mapped. Should somebody else rewrite it, numbers
    // change under us, and should they shorten it the process is stopped by the system: all that
    // is read from the mapping is plain bytes, whose every value is allowed.
    let mapping = unsafe { Mmap::map(&file)? };
    Ok(Bytes::from_owner(mapping))
}
