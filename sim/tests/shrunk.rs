//! Failing seeds explain themselves: of bugs that are planted, the script that is left still fails in
//! the same way, is smaller than it was, and fails alike when its file is played by the command.

use std::{
    mem::discriminant,
    process::{Command, Output},
};

use hexswarm_sim::{Broken, Draft, Sabotage, Scenario, Script, Shrunk, Wishes, shrink};
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
fn explained(what_runs: &[&str], scenario: &Scenario, bug: &str, sabotage: Sabotage) -> (u64, u64) {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path().to_string_lossy().into_owned();
    let seeds = ["--seeds", "0..400", "--sabotage", bug, "--failures", &folder, "--json"];
    let (broken, told) = failure(&[&["run"], what_runs, &seeds].concat());
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

/// The leader dies; as soon as another is elected it is cut off, and all others start anew. Around it
/// are things that have nothing to do with that.
const LIE: &str = r#"{"play":"storm","ready_s":30}
{"after":{"s":0.1},"do":{"ask":{"node":0,"tokens":[7,7,7],"answer_tokens":5}}}
{"after":{"s":0.1},"do":{"ask":{"node":1,"tokens":[8,8,8],"answer_tokens":5}}}
{"after":{"s":0.1},"do":{"ask":{"node":2,"tokens":[9,9,9],"answer_tokens":5}}}
{"after":{"s":0.5},"do":{"fail_batches":{"node":2,"device":0,"batches":1}}}
{"after":{"s":2.0},"do":{"kill":{"node":0}}}
{"after":{"s":0.06},"do":{"ask":{"node":2,"tokens":[9,9],"answer_tokens":9}}}
{"after":{"s":0.0},"do":"leave"}
{"after":{"s":0.06},"do":{"partition":{"side":[1],"told":true}}}
{"after":{"s":0.0},"do":{"kill":{"node":0}}}
{"after":{"s":0.0},"do":{"kill":{"node":2}}}
{"after":{"s":0.0},"do":{"kill":{"node":3}}}
{"after":{"s":0.0},"do":{"kill":{"node":4}}}
{"after":{"s":0.0},"do":"restart_dead"}
{"after":{"s":1.0},"do":{"lose_gossip":{"part":0.2}}}
{"after":{"s":8.0},"do":"calm"}
"#;

/// No storm by lot shows it soon, so a script is given.
#[test]
fn disks_that_lie() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("lie.jsonl");
    std::fs::write(&path, LIE).expect("a file");
    let scenario = Scenario::Storm.scripted(Script::parse(LIE).expect("a script"));
    let what_runs = ["storm", "--script", &path.to_string_lossy()];
    explained(&what_runs, &scenario, "lying-disk", Sabotage::LyingDisk);
}

#[test]
fn forged_certificates() {
    let bug = Sabotage::ForgeCertificate;
    let (left, _) = explained(&["storm"], &Scenario::Storm, "forge-certificate", bug);
    assert!(left <= 1, "{left} things for what happens in any swarm");
}

#[test]
fn forgotten_kv_blocks() {
    let bug = Sabotage::ForgetBlocks;
    let (left, of) = explained(&["story"], &Scenario::Story, "forget-blocks", bug);
    assert!(left <= 3 && of >= 11, "{left} of {of} things for what a single request shows");
}

#[test]
fn old_plans_said_again() {
    explained(&["storm"], &Scenario::Storm, "replay-live", Sabotage::ReplayLive);
}

const POOL: &str = "[[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\nname = \"left\"\n\
                    [[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\nname = \"right\"\n";

/// Of the faults of a scenario only those are left that are needed.
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
    // What is looked for here is no fault of anybody's: that someone is lost.
    let found = Draft::named(&scenario).expect("a draft").scenario().expect("a scenario");
    let wishes = Wishes { record: true, ..Wishes::default() };
    let loses = |script: &Script| found.play(script, 0, wishes).log.contains("Lost(");
    let whole = found.script(0);
    let Shrunk { script, .. } = shrink(whole.clone(), 100, loses);
    assert_eq!((script.things.len(), whole.things.len()), (1, 4), "{script}");

    let (written, log) = (file("one.jsonl", &script.to_string()), file("log.jsonl", ""));
    let output = run(&["run", &scenario, "--script", &written, "--log", &log]);
    assert!(output.status.success(), "{output:?}");
    let log = std::fs::read_to_string(log).expect("an event log");
    assert!(log == found.play(&script, 0, wishes).log && log.contains("Lost("));
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
