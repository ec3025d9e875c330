//! `hexswarm-sim replay`, as a person or a script meets it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{contents, joined, pair};

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hexswarm-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn log(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.join("node.log");
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn replay(log: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    command.arg("replay").arg(log).args(arguments).output().expect("the simulator starts")
}

fn document(log: &Path, arguments: &[&str]) -> Value {
    let output = replay(log, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn people_and_programs_are_told_the_same() {
    let folder = Folder::new("replay-told");
    let log = folder.log(&pair::recorded());
    let output = replay(&log, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for part in ["all effects are the same", "12D3KooW", " leads", "is live", "TTFT ms", "length"] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let document = document(&log, &[]);
    assert_eq!(document["different"], 0);
    assert_eq!(document["first_difference"], Value::Null);
    assert_eq!(document["sessions"][0]["tokens"], 12);
    assert!(said.contains(document["node"].as_str().unwrap()));
}

#[test]
fn a_difference_is_shown_and_is_a_failure() {
    let folder = Folder::new("replay-other");
    let mut whole = contents(&pair::recorded());
    // The device that was measured is not there.
    let measured = whole.iter().position(|content| content[0] == 1 && content.contains(&7));
    whole.drain(measured.unwrap()..measured.unwrap() + 2);
    let log = folder.log(&joined(&whole));
    let output = replay(&log, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("other effects than were recorded"), "{said}");
    let first = &document(&log, &[])["first_difference"];
    assert!(first["number"].as_u64() > Some(0) && first["byte"].as_u64() > Some(14), "{first}");
    assert!(said.contains(first["input"].as_str().unwrap()), "{said}");
}

#[test]
fn a_part_of_the_time_is_told() {
    let folder = Folder::new("replay-part");
    let log = folder.log(&pair::recorded());
    let all = document(&log, &[]);
    let middle = all["until_s"].as_f64().unwrap() / 2.0;
    let part = document(&log, &["--until", &middle.to_string()]);
    assert!(part["until_s"].as_f64().unwrap() <= middle);
    assert!(part["compared"].as_u64() < all["compared"].as_u64());
    let rest = document(&log, &["--from", &middle.to_string()]);
    assert!(rest["from_s"].as_f64().unwrap() >= middle);
    // All is played, and compared, whatever is told.
    assert_eq!(rest["compared"], all["compared"]);
    let effects = replay(&log, &["--effects"]);
    let effects = String::from_utf8(effects.stdout).unwrap();
    assert!(effects.contains("Asked") && effects.contains("    -> Compute"), "{effects}");
}

#[test]
fn the_event_log_reads_like_a_simulations() {
    let folder = Folder::new("replay-events");
    let (log, events) = (folder.log(&pair::recorded()), folder.0.join("events.jsonl"));
    let output = replay(&log, &["--log", &events.to_string_lossy()]);
    assert!(output.status.success(), "{output:?}");
    let (text, mut last) = (std::fs::read_to_string(&events).unwrap(), 0);
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("a JSON object");
        let at = event["t_us"].as_u64().expect("a time");
        assert!(at >= last && event["what"].is_string() && event["node"] == 0, "{line}");
        last = at;
    }
    for what in ["received", "computed", "notice", "answer", "peer"] {
        assert!(text.contains(&format!("\"what\":\"{what}\"")), "no {what}");
    }
    let nowhere = replay(&log, &["--log", "no/such/folder/events.jsonl"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("folder"), "{nowhere:?}");
}

#[test]
fn a_log_that_was_cut_says_so_and_is_no_failure() {
    let folder = Folder::new("replay-cut");
    let whole = pair::recorded();
    let log = folder.log(&whole[..whole.len() - 30]);
    let output = replay(&log, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("the log was cut"));
    assert_eq!(document(&log, &[])["cut"], true);
}

#[test]
fn what_cannot_be_played_is_said_in_one_line() {
    let folder = Folder::new("replay-wrong");
    let mut damaged = pair::recorded();
    damaged[1000] ^= 1;
    for (bytes, part) in [(&b"# pool"[..], "no log of a node"), (&damaged, "is damaged")] {
        let log = folder.log(bytes);
        let output = replay(&log, &[]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("node.log: at byte ") && said.contains(part), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    for arguments in [&["--until", "-1"][..], &["--from", "noon"], &["--effects", "--json"]] {
        let output = replay(Path::new("node.log"), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
