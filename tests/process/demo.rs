//! The demo as a process: what it prints, and that nothing of it is left however it ends.
#![cfg(target_os = "linux")] // what is left is read off /proc

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use swarm_tests::PATIENCE;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
/// The size of the default model's file: what no node may be able to hold.
const MODEL_BYTES: u64 = 98_362_432;

/// A demo whose temporary files all come into one folder, which also tells its processes apart.
struct Demo {
    child: Child,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// One demo at a time: on few cores several make nodes miss each other's beats.
static TURN: Mutex<()> = Mutex::new(());

impl Demo {
    /// With the model in the cache, so that it is not waited for.
    fn start(arguments: &[&str]) -> Self {
        model();
        let mut command = demo();
        command.args(arguments);
        Self::spawn(tempfile::tempdir().unwrap(), command)
    }

    fn spawn(folder: TempDir, mut command: Command) -> Self {
        // A test that failed says nothing of the next one.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = folder.path().join("tmp");
        fs::create_dir_all(&temporary).unwrap();
        command.env("TMPDIR", &temporary).stdin(Stdio::null());
        command.stdout(File::create(folder.path().join("out")).unwrap());
        command.stderr(File::create(folder.path().join("err")).unwrap());
        Self { child: command.spawn().unwrap(), folder, _turn: turn }
    }

    fn out(&self) -> String {
        fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    fn err(&self) -> String {
        fs::read_to_string(self.folder.path().join("err")).unwrap()
    }

    /// Waits until it has shown a text.
    fn shows(&mut self, text: &str) {
        until(text, || self.out().contains(text) || self.child.try_wait().unwrap().is_some());
        assert!(self.out().contains(text), "no {text}:\n{}\n{}", self.out(), self.err());
    }

    fn signal(&self, signal: &str) {
        kill(self.child.id(), signal);
    }

    fn ended(&mut self) -> ExitStatus {
        until("its end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }

    /// Its processes and theirs, itself left out.
    fn processes(&self) -> Vec<u32> {
        let mark = self.folder.path().as_os_str().as_encoded_bytes().to_vec();
        let ids = fs::read_dir("/proc").unwrap().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let ours = |id: &u32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            *id != self.child.id() && environment.windows(mark.len()).any(|part| part == mark)
        };
        ids.filter(ours).collect()
    }

    /// After an end in good order: no process, and no file but the two that this test made.
    fn nothing_is_left(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "{left:?} still run:\n{}", self.err());
        let files: Vec<_> = fs::read_dir(self.folder.path().join("tmp")).unwrap().collect();
        assert!(files.is_empty(), "{files:?}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A demo whose terminal matters to it, even if these tests run under `nohup`.
fn demo() -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", BINARY, "demo"]);
    command
}

/// The default model, fetched now if it never was, so that no demo here waits for it.
fn model() -> PathBuf {
    let output = Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn kill(id: u32, signal: &str) {
    let status = Command::new("kill").args([format!("-{signal}"), id.to_string()]).status();
    assert!(status.unwrap().success(), "kill -{signal} {id}");
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < 2 * PATIENCE, "never came true: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// An executable `python3` for PATH.
fn fake_python(folder: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(folder.join("bin")).unwrap();
    let file = folder.join("bin/python3");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn span(value: &Value) -> (u64, u64) {
    (value[0].as_u64().unwrap(), value[1].as_u64().unwrap())
}

/// Holds a document to the promises of the demo.
fn check(document: &Value, nodes: usize) {
    let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = "model prompt text token_ids finish_reason ttft_ms tpot_ms entry nodes plan";
    assert_eq!(keys.join(" "), wanted);
    assert_eq!(document["model"], "smollm2-135m");
    assert_eq!(document["prompt"], "Name a river.");
    assert!(!document["text"].as_str().unwrap().is_empty());
    let tokens = document["token_ids"].as_array().unwrap().len();
    match document["finish_reason"].as_str().unwrap() {
        "length" => assert_eq!(tokens, 12),
        reason => assert!(reason == "stop" && (1..12).contains(&tokens), "{document}"),
    }
    assert!(document["ttft_ms"].as_f64().unwrap() > 0.0);
    assert!(document["tpot_ms"].as_f64().unwrap() > 0.0);

    let all = document["nodes"].as_array().unwrap();
    assert_eq!(all.len(), nodes);
    let mut caps: Vec<u64> = Vec::new();
    for node in all {
        let devices = node["devices"].as_array().unwrap();
        assert!(devices.iter().all(|device| device["kind"] == "cpu"));
        caps.push(devices.iter().map(|device| device["memory_bytes"].as_u64().unwrap()).sum());
    }
    assert!(caps.iter().all(|cap| *cap < MODEL_BYTES), "one node could hold it: {caps:?}");
    assert!(caps.iter().sum::<u64>() > MODEL_BYTES);
    caps.sort_unstable();
    caps.dedup();
    assert_eq!(caps.len(), nodes, "the nodes are unlike");
    let two = all.iter().filter(|node| node["devices"].as_array().unwrap().len() == 2);
    assert_eq!(two.count(), 1);

    let plan = &document["plan"];
    assert!(plan["term"].as_u64().unwrap() > 0 && plan["epoch"].as_u64().unwrap() > 0);
    let peers: Vec<_> = all.iter().map(|node| &node["peer"]).collect();
    assert!(peers.contains(&&plan["leader"]) && peers.contains(&&document["entry"]));
    let mut next = 0;
    for stage in plan["pipelines"][0]["stages"].as_array().unwrap() {
        let (first, end) = span(&stage["layers"]);
        assert!(first == next && end > first, "{plan}");
        next = end;
        let (mut heads, mut columns) = (0, 0);
        for member in stage["members"].as_array().unwrap() {
            assert!(peers.contains(&&member["peer"]));
            assert_ne!(member["peer"], document["entry"], "the entry holds no layer");
            heads += span(&member["kv_heads"]).1 - span(&member["kv_heads"]).0;
            columns += span(&member["ffn_columns"]).1 - span(&member["ffn_columns"]).0;
        }
        assert_eq!((heads, columns), (3, 1536), "{plan}");
    }
    assert_eq!(next, 30, "{plan}");
}

#[test]
fn json_is_one_document_and_nothing_else() {
    for nodes in [3, 4, 8] {
        let number = nodes.to_string();
        let asked = ["--json", "--prompt", "Name a river.", "--max-tokens", "12"];
        let mut demo = Demo::start(&[&asked[..], &["--nodes", &number]].concat());
        assert!(demo.ended().success(), "{nodes} nodes: {}", demo.err());
        check(&serde_json::from_str(&demo.out()).unwrap(), nodes);
        demo.nothing_is_left();
    }
}

#[test]
fn people_see_every_step_in_order_and_what_to_type_next() {
    let mut demo = Demo::start(&["--max-tokens", "8", "--keep"]);
    demo.shows("serves until Ctrl-C");
    let shown = demo.out();
    let mut rest = shown.as_str();
    for step in [
        "== model",
        "30 layers",
        "== nodes",
        "door    /ip4/127.0.0.1/tcp/",
        "node 0  12D3KooW",
        " MB + cpu ",
        "node 3  12D3KooW",
        "through the door",
        "4 of 4 nodes have met",
        "== hardware",
        "GFLOP/s",
        "== links",
        "== leader",
        "leads term",
        "== plan",
        "layers 0-",
        "[####",
        "== answer, asked of node 0, which holds no layer",
        "> Explain",
        "8 tokens; first after",
        "== next",
        "chat --via http://127.0.0.1:",
        "status --via http://127.0.0.1:",
        "curl http://127.0.0.1:",
        "/v1 (any key)",
    ] {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step:?} in its place:\n{shown}"));
        rest = &rest[at + step.len()..];
    }
    let via = shown.split("chat --via ").nth(1).unwrap().lines().next().unwrap();
    let asked = ["run", "--via", via, "--max-tokens", "4", "Hello"];
    let answered = Command::new(BINARY).args(asked).output().unwrap();
    assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
    assert!(answered.stdout.len() > 1);

    demo.signal("TERM");
    assert!(demo.ended().success(), "the end of --keep is no failure: {}", demo.err());
    demo.nothing_is_left();
    TcpListener::bind(via.trim_start_matches("http://")).expect("the port is free again");
}

/// Its caps leave room for the loss of any node that holds layers, so each is killed once.
#[test]
fn a_kept_demo_goes_on_without_any_one_of_its_nodes() {
    let mut holders = 1;
    for nth in 0.. {
        // Another time it may be fewer.
        if nth >= holders {
            break;
        }
        holders = goes_on_without_holder(nth);
        assert!(holders > 1, "one node holds the whole model");
    }
}

/// Kills that one of the nodes with layers; says how many those are.
fn goes_on_without_holder(nth: usize) -> usize {
    let mut demo = Demo::start(&["--max-tokens", "4", "--keep"]);
    demo.shows("serves until Ctrl-C");
    let shown = demo.out();
    let via = shown.split("chat --via ").nth(1).unwrap().lines().next().unwrap();
    let ask = || {
        let asked = ["run", "--via", via, "--max-tokens", "24", "Name three rivers."];
        let answered = Command::new(BINARY).args(asked).output().unwrap();
        assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
        String::from_utf8(answered.stdout).unwrap()
    };
    let before = ask();
    let plan = shown.split("== plan").nth(1).unwrap().split("== answer").next().unwrap();
    let in_plan = |number: &usize| plan.contains(&format!("node {number} "));
    let holders: Vec<usize> = (0..8).filter(in_plan).collect();
    // What a demo measures decides how many hold layers: another time it may be fewer.
    let Some(holder) = holders.get(nth) else { return holders.len() };
    let node = format!("node{holder}");
    let found = |id: &u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&node)
    };
    kill(demo.processes().into_iter().find(found).expect("it runs"), "KILL");
    until("it is missed", || demo.err().contains("the others go on"));
    assert_eq!(ask(), before, "without {node}");
    demo.signal("INT");
    assert!(demo.ended().success(), "{}", demo.err());
    demo.nothing_is_left();
    TcpListener::bind(via.trim_start_matches("http://")).expect("the port is free again");
    holders.len()
}

#[test]
fn an_end_at_any_moment_leaves_nothing() {
    for (moment, signal) in [
        ("== nodes", "INT"),
        ("node 0  ", "TERM"),
        ("node 2  ", "INT"),
        ("of 3 nodes have met", "HUP"),
        ("holds no layer", "TERM"),
        ("> Explain in two sentences why the sky is blue.\n\nThe", "INT"),
    ] {
        let mut demo = Demo::start(&["--nodes", "3"]);
        demo.shows(moment);
        demo.signal(signal);
        let status = demo.ended();
        assert_eq!(status.code(), Some(1), "{signal} at {moment}: {}", demo.err());
        assert!(demo.err().contains("stopped"), "{}", demo.err());
        demo.nothing_is_left();
    }
}

#[test]
fn nohup_outlives_the_terminal_as_it_should() {
    model();
    let mut command = Command::new("nohup");
    command.arg(BINARY).args(["demo", "--nodes", "3", "--max-tokens", "2"]);
    let mut demo = Demo::spawn(tempfile::tempdir().unwrap(), command);
    until("a step", || demo.out().contains("== nodes"));
    demo.signal("HUP");
    assert!(demo.ended().success(), "{}", demo.err());
}

#[test]
fn children_of_a_killed_demo_end_by_their_leash() {
    for moment in ["node 1  ", "serves until Ctrl-C"] {
        let mut demo = Demo::start(&["--nodes", "3", "--keep", "--max-tokens", "2"]);
        demo.shows(moment);
        assert!(demo.processes().len() >= 3, "the door and two nodes");
        demo.signal("KILL");
        assert_eq!(demo.ended().signal(), Some(9));
        until("its children end", || demo.processes().is_empty());
    }
}

#[test]
fn a_node_that_dies_early_is_named() {
    let mut demo = Demo::start(&["--nodes", "3"]);
    demo.shows("node 1  ");
    let found = |id: &u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("node1")
    };
    let node = demo.processes().into_iter().find(found).expect("node 1 runs");
    kill(node, "KILL");
    assert_eq!(demo.ended().code(), Some(1));
    assert!(demo.err().contains("error: node 1 ended early (signal: 9"), "{}", demo.err());
    demo.nothing_is_left();
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut demo = Demo::start(&["--nodes", "3", "--api", &address]);
    assert_eq!(demo.ended().code(), Some(1));
    let wanted = format!("the API cannot listen on {address}");
    assert!(demo.err().contains(&wanted) && demo.err().contains("--api"), "{}", demo.err());
    demo.nothing_is_left();
}

#[test]
fn an_end_in_mid_fetch_leaves_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        fake_python(folder.path(), "echo > \"$TMPDIR/half\"; exec sleep 1000");
        let (cache, bin) = (folder.path().join("cache"), folder.path().join("bin"));
        let half = cache.join("hexswarm/models/smollm2-135m.part/half");
        let mut command = demo();
        command.env("XDG_CACHE_HOME", &cache);
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let mut demo = Demo::spawn(folder, command);
        until("a fetch", || half.exists());
        demo.signal(signal);
        assert_eq!(demo.ended().code(), Some(1));
        assert!(demo.err().contains("fetching smollm2-135m"), "{}", demo.err());
        assert!(demo.err().contains("stopped"), "{}", demo.err());
        assert!(!half.parent().unwrap().exists());
        demo.nothing_is_left();
    }
}

#[test]
fn the_fetch_of_a_killed_demo_ends_by_its_leash() {
    // An index that takes connections and never says a word.
    let index = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = index.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let mut command = demo();
    command.env("XDG_CACHE_HOME", &cache).env_remove("PIP_FIND_LINKS");
    command.env("PIP_INDEX_URL", format!("http://{address}/simple"));
    let mut demo = Demo::spawn(folder, command);
    let (_held, _) = index.accept().unwrap();
    assert!(!demo.processes().is_empty(), "pip runs");
    demo.signal("KILL");
    demo.ended();
    until("pip ends", || demo.processes().is_empty());
}
