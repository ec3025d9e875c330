//! Files that are written.

use std::{
    fs::{self, File},
    path::{Path, PathBuf, absolute},
};

use color_eyre::eyre::{WrapErr as _, bail};

/// Looks whether each is a file of its own, and none is one that is read.
pub(super) fn apart<'a>(
    read: impl IntoIterator<Item = &'a Path>,
    written: impl IntoIterator<Item = &'a Option<PathBuf>>,
) -> color_eyre::Result<()> {
    let read: Vec<PathBuf> = read.into_iter().map(whole).collect();
    let mut taken = Vec::new();
    for path in written.into_iter().flatten() {
        let told = path.display();
        if read.contains(&whole(path)) {
            bail!("{told} is read for this, and would be written over: write to another file");
        }
        if taken.contains(&whole(path)) {
            bail!("{told} is named twice: each output needs a file of its own");
        }
        taken.push(whole(path));
    }
    Ok(())
}

/// Looks whether a file can be written, before anything is run for it.
pub(super) fn create(path: Option<&Path>) -> color_eyre::Result<()> {
    path.map_or(Ok(()), |path| {
        File::create(path).map(drop).wrap_err_with(|| {
            format!("{} cannot be written: is its folder there, and yours?", path.display())
        })
    })
}

/// Writes a file that was tried before.
pub(super) fn write(path: &Path, text: impl AsRef<[u8]>) -> color_eyre::Result<()> {
    fs::write(path, text).wrap_err_with(|| {
        format!("{} was not written: is its folder there, and room?", path.display())
    })
}

/// The one name of a file, there or not.
fn whole(path: &Path) -> PathBuf {
    let there = path.canonicalize().or_else(|_| absolute(path));
    there.unwrap_or_else(|_| path.to_owned())
}
