//! Failing seeds explain themselves: of bugs that are planted, the script that is left still fails in
//! the same way, is smaller than it was, and fails alike when its file is played by the command.

use std::{
    mem::discriminant,
    path::Path,
    process::{Command, Output},
};

use hexswarm_sim::{Broken, Sabotage, Scenario, Script, Wishes};
use serde_json::Value;
use tempfile::TempDir;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    command.args(arguments).output().expect("the simulator starts")
}

/// The first failure of a run that fails, for programs and for people.
fn failure(arguments: &[&str]) -> (Value, String) {
    let output = run(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    (document["broken"][0].clone(), told)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What a run of a script breaks.
fn breaks(scenario: &Scenario, script: &Script, seed: u64, sabotage: Sabotage) -> Option<Broken> {
    let wishes = Wishes { sabotage, ..Wishes::default() };
    scenario.play(script, seed, wishes).broken.into_iter().next()
}

/// A planted bug is found, and its script made smaller; what is left is played again. How many things
/// are left, and of how many.
fn explained(name: &str, scenario: &Scenario, bug: &str, sabotage: Sabotage) -> (u64, u64) {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path().to_string_lossy().into_owned();
    let (broken, told) = failure(&[
        "run",
        name,
        "--seeds",
        "0..400",
        "--sabotage",
        bug,
        "--failures",
        &folder,
        "--json",
    ]);
    let (seed, what) = (broken["seed"].as_u64().expect("a seed"), text(&broken["what"]));
    let script = &broken["script"];
    let [left, of] = ["things", "of"].map(|key| script[key].as_u64().expect("a number"));
    assert!(left < of, "{left} of {of} things");
    assert!(script["runs"].as_u64() <= Some(400));

    // What people are told: what broke, both commands, and the script itself.
    let file = text(&script["file"]);
    let written = std::fs::read_to_string(file).expect("a script");
    for part in [what, text(&broken["again"]), text(&script["again"]), &written] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }

    // The same kind of failure as that of the whole script.
    let shrunk = Script::parse(&written).expect("a script");
    assert_eq!(shrunk.things.len() as u64, left);
    let whole = breaks(scenario, &scenario.script(seed), seed, sabotage).expect("it fails");
    let first = breaks(scenario, &shrunk, seed, sabotage).expect("what is left fails, too");
    assert_eq!(whole.to_string(), what);
    assert_eq!(discriminant(&whole), discriminant(&first), "{whole} and {first}");

    // The command, word for word.
    let again = shlex::split(text(&script["again"])).expect("a command");
    let mut arguments: Vec<&str> = again[1..].iter().map(String::as_str).collect();
    arguments.extend(["--json", "--no-shrink"]);
    let (replayed, _) = failure(&arguments);
    assert_eq!(text(&replayed["what"]), first.to_string());
    assert_eq!(replayed["script"], Value::Null);

    let log = std::fs::read_to_string(text(&script["log"])).expect("an event log");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && !log.is_empty());
    (left, of)
}

#[test]
fn disks_that_lie() {
    explained("storm", &Scenario::Storm, "lying-disk", Sabotage::LyingDisk);
}

#[test]
fn forged_certificates() {
    let (left, _) =
        explained("storm", &Scenario::Storm, "forge-certificate", Sabotage::ForgeCertificate);
    assert!(left <= 1, "{left} things for what happens in any swarm");
}

#[test]
fn forgotten_kv_blocks() {
    let (left, of) = explained("story", &Scenario::Story, "forget-blocks", Sabotage::ForgetBlocks);
    assert!(left <= 2 && of >= 11, "{left} of {of} things for what a single request shows");
}

#[test]
fn old_plans_said_again() {
    explained("storm", &Scenario::Storm, "replay-live", Sabotage::ReplayLive);
}

const POOL: &str = "[[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\nname = \"left\"\n\
                    [[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\nname = \"right\"\n";

/// Of the faults of a scenario only those are left that the failure needs.
#[test]
fn faults_of_a_workload() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    };
    file("pool.toml", POOL);
    let fault =
        |at_s: u32, more: &str| format!("[[fault]]\nat_s = {at_s}\nmachine = \"right\"\n{more}\n");
    let slow = |at_s| fault(at_s, "does = \"slow\"\nfactor = 2.0\nfor_s = 1");
    let faults: String =
        [slow(5), slow(10), fault(20, "does = \"die\"\nfor_s = 30"), slow(60)].concat();
    let scenario = file(
        "two.toml",
        &format!(
            "[swarm]\npool = \"pool.toml\"\nmodel = \"llama-2-70b\"\nentries = [\"left\"]\n\
             [workload]\nrequests_per_s = 0.5\n[run]\nseconds = 70\n{faults}"
        ),
    );
    let kept = folder.path().join("kept").to_string_lossy().into_owned();
    // A second plan, said to one who has restarted.
    let arguments = ["run", &scenario, "--sabotage", "replay-live", "--failures", &kept, "--json"];
    let (broken, _) = failure(&arguments);
    let script = &broken["script"];
    assert_eq!((&script["things"], &script["of"]), (&Value::from(1), &Value::from(4)), "{broken}");
    let again = shlex::split(text(&script["again"])).expect("a command");
    let again: Vec<&str> = again[1..].iter().map(String::as_str).collect();
    let output = run(&again);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(Path::new(text(&script["file"])).ends_with("two-0.script.jsonl"));
}

#[test]
fn nothing_is_written_where_nothing_fails_or_nobody_wants_it() {
    let folder = TempDir::new().expect("a folder");
    let kept = folder.path().join("kept");
    let path = kept.to_string_lossy().into_owned();
    assert!(run(&["run", "storm", "--seed", "3", "--failures", &path]).status.success());
    let story = ["run", "story", "--sabotage", "two-starts", "--failures", &path, "--no-shrink"];
    let output = run(&story);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("again: hexswarm-sim run story --seed 0 --sabotage two-starts"),
        "{told}"
    );
    assert!(!kept.exists());
}

#[test]
fn scripts_that_cannot_be_played_are_told_with_their_line() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("wrong.jsonl");
    let told = |scenario: &str, script: &str| {
        std::fs::write(&path, script).expect("a file");
        let output = run(&["run", scenario, "--script", &path.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(2), "{script}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let storm = |thing: &str| format!("{{\"play\":\"storm\"}}\n\n{thing}\n");
    for (script, hint) in [
        (String::new(), "begins with its head"),
        ("{\"play\":\"storm\",\"raedy_s\":3}".to_owned(), "line 1: unknown field `raedy_s`"),
        ("{\"play\":\"story\"}".to_owned(), "it is for a story, and this is a storm"),
        (storm(r#"{"after":{"s":1},"do":{"kil":{"node":1}}}"#), "line 3: unknown variant `kil`"),
        (storm(r#"{"after":{"s":1},"do":{"kill":{"node":7}}}"#), "node 7: there are 5"),
        (storm(r#"{"after":{"s":-1},"do":"heal"}"#), "-1 s: may be from 0"),
        (storm(r#"{"after":{"s":1e300},"do":"heal"}"#), "may be from 0"),
        (storm(r#"{"after":{"s":0},"do":{"lose_gossip":{"part":2}}}"#), "from 0 to 1"),
        (storm(r#"{"after":{"s":0},"do":{"fault":{"machine":0,"does":"die"}}}"#), "for workloads"),
        (storm(r#"{"after":{"s":0},"do":{"cut_one_way":{"node":1,"other":1}}}"#), "to itself"),
        (
            storm(r#"{"after":"answered","do":{"ask":{"node":0,"tokens":[],"answer_tokens":4}}}"#),
            "at least a token",
        ),
    ] {
        let told = told("storm", &script);
        assert!(told.contains(hint), "no `{hint}` in {told}");
    }
    let workload = r#"{"play":"workload"}"#;
    for (thing, hint) in [
        (r#"{"after":{"s":1},"do":"heal"}"#, "there is only"),
        (
            r#"{"after":{"s":1},"do":{"fault":{"machine":99,"does":"die"}}}"#,
            "machine 99: there are",
        ),
        (r#"{"after":{"s":1},"do":{"fault":{"machine":0,"does":"stall"}}}"#, "needs for_s"),
    ] {
        let told = told("hexgen30", &format!("{workload}\n{thing}"));
        assert!(told.contains(hint), "no `{hint}` in {told}");
    }
    let output = run(&["run", "storm", "--script", "no/such/file"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
