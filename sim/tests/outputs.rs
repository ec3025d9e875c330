//! Files that commands write: none over what is read, or over each other.

use std::{fs, process::Command};

use tempfile::TempDir;

/// What a command ends with, and says.
fn told(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    let output = command.args(arguments).output().expect("the simulator starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn nothing_is_written_over_what_is_read_or_over_another_output() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (mine, other, link) = (file("mine.toml"), file("other"), file("./mine.toml"));
    fs::write(&mine, "play = \"story\"\n").expect("a file");
    for arguments in [
        &["run", &mine, "--log", &link][..],
        &["run", &mine, "--html", &mine],
        &["sweep", &mine, "--csv", &mine],
        &["compare", "hexgen30", &mine, "--csv", &mine],
    ] {
        let (code, told) = told(arguments);
        assert_ne!(code, Some(0), "{arguments:?}");
        assert!(told.contains("is read for this"), "{arguments:?}: {told}");
    }
    assert_eq!(fs::read_to_string(&mine).expect("a file"), "play = \"story\"\n");
    let (code, told) = self::told(&["run", "hexgen30", "--log", &other, "--csv", &other]);
    assert!(code != Some(0) && told.contains("is named twice"), "{told}");
    assert!(!fs::exists(&other).expect("a folder"));
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_run() {
    let folder = TempDir::new().expect("a folder");
    let lost = folder.path().join("no/such").to_string_lossy().into_owned();
    for flag in ["--log", "--html"] {
        let (code, told) = told(&["run", "story", flag, &lost]);
        assert!(code != Some(0) && told.contains("is its folder there"), "{told}");
    }
    let (code, told) = self::told(&["run", "story", "--seeds", "0..1000000000000000000"]);
    assert!(code == Some(2) && told.contains("more than 100000"), "{told}");
    let (code, told) = self::told(&["run", "--seed", "18446744073709551615"]);
    assert!(code == Some(2) && told.contains("18446744073709551615"), "{told}");
}
