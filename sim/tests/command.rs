//! The command, as a person or a script meets it.

use std::process::{Command, Output};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    command.arg("run").args(arguments).output().expect("the simulator starts")
}

#[test]
fn one_document_on_stdout_and_nothing_else() {
    let output = run(&["--seeds", "0..12", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["scenario"], "story");
    assert_eq!(document["seeds"], serde_json::json!([0, 12]));
    assert_eq!(document["clean"], 12);
    assert!(document["tokens"].as_u64() > Some(12));
    assert_eq!(document["broken"], serde_json::json!([]));
}

#[test]
fn the_log_is_a_json_object_a_line() {
    let folder = std::env::temp_dir().join(format!("hexswarm-sim-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("log.jsonl");
    let output = run(&["storm", "--seed", "5", "--log", &path.to_string_lossy()]);
    let log = std::fs::read_to_string(&path).expect("a log");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut last = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).expect("a JSON object");
        let at = event["t_us"].as_u64().expect("a time");
        assert!(at >= last, "time goes back in {line}");
        assert!(event["what"].is_string() && event["node"].is_u64(), "{line}");
        last = at;
    }
    assert!(log.contains("\"dead\"") && log.contains("\"answer\""), "nothing happened");
}

/// Whatever else a computer does, and on however many threads.
#[test]
fn the_log_of_a_seed_is_the_same_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = |scenario, threads, name: &str| {
        let path = folder.path().join(name);
        let output =
            run(&[scenario, "--seed", "5", "--threads", threads, "--log", &path.to_string_lossy()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(&path).expect("a log")
    };
    for scenario in ["storm", "nevada-leaves"] {
        let one = log(scenario, "1", "one");
        assert!(one.len() > 100_000, "{scenario}: {} bytes", one.len());
        assert!(one == log(scenario, "2", "two"), "{scenario}");
    }
}

#[test]
fn wrong_usage_says_what_is_right() {
    for (arguments, hint) in [
        (&["--seeds", "7"][..], "0..1000"),
        (&["--seeds", "9..9"], "0..1000"),
        (&["--seeds", "0..3", "--log", "x"], "cannot be used with"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_an_error() {
    let output = run(&["--seed", "1", "--log", "no/such/folder/log.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("folder"), "{output:?}");
}
