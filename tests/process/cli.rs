//! The commands as processes: exit codes, one document on stdout, errors that say what to do.
//!
//! What clients say of a node's answers is held by `node/tests/api`; the demo by `demo.rs`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const VERBS: [&str; 10] =
    ["demo", "node", "bootstrap", "run", "chat", "status", "plan", "catalogue", "model", "bench"];

fn hexswarm(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A command that must fail with this code and these words on stderr, and nothing on stdout.
fn fails(code: i32, arguments: &[&str], words: &[&str]) {
    let output = hexswarm(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
    }
}

/// The one document that a command prints.
fn document(arguments: &[&str]) -> Value {
    let output = hexswarm(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}"))
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn help_names_every_verb_and_teaches_each() {
    let help = hexswarm(&["--help"]);
    assert!(help.status.success());
    for verb in VERBS {
        assert!(text(&help.stdout).contains(&format!("\n  {verb} ")), "{verb}");
        let own = hexswarm(&[verb, "--help"]);
        let own = text(&own.stdout);
        assert!(own.contains("Usage: hexswarm ") && own.contains("Examples:"), "{own}");
    }
    assert!(text(&help.stdout).contains("Exit codes: 0 done, 1 failed, 2 usage"));
}

#[test]
fn what_cannot_be_typed_is_usage_and_names_the_nearest() {
    fails(2, &[], &["Usage: hexswarm"]);
    fails(2, &["demmo"], &["'demo'"]);
    fails(2, &["demo", "--promt", "x"], &["'--prompt'"]);
    fails(2, &["node", "--modle", "x"], &["'--model'"]);
    fails(2, &["status", "--wach"], &["'--watch'"]);
    fails(2, &["demo", "--nodes", "2"], &["3..=8"]);
    fails(2, &["demo", "--nodes", "9"], &["3..=8"]);
    fails(2, &["demo", "--max-tokens", "0"], &["1.."]);
    fails(2, &["run"], &["<PROMPT>"]);
    fails(2, &["plan"], &["--pool"]);
}

#[test]
fn what_fails_says_what_to_do() {
    let nobody = "http://127.0.0.1:9";
    for command in [&["run", "Hello"][..], &["status"], &["status", "--json"], &["chat"]] {
        fails(1, &[command, &["--via", nobody]].concat(), &["error: ", nobody, "hexswarm node"]);
    }
    fails(1, &["model", "pull", "smolm2"], &["did you mean `smollm2-135m`"]);
    fails(1, &["model", "pull", "hf:some/model"], &["hf:some/model", "later", "path"]);
    fails(1, &["demo", "--json", "--model", "hf:some/model"], &["later"]);
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    let absent = ["node", "--state", state, "--api", "127.0.0.1:0", "--model", "nothing.gguf"];
    fails(1, &absent, &["no such file", "smollm2-135m"]);
    fails(1, &["model", "inspect", "/nowhere/at-all.gguf"], &["no such file"]);
}

#[test]
fn made_up_models_are_written_and_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made-up.gguf").display().to_string();
    let shape = ["--layers", "3", "--hidden", "128", "--heads", "4", "--kv-heads", "2"];
    let written = hexswarm(&[&["model", "synth", &path][..], &shape].concat());
    assert_eq!(text(&written.stdout).trim(), path);
    let found = document(&["model", "inspect", &path, "--json"]);
    assert_eq!(found["name"], "made-up");
    assert_eq!((&found["layers"], &found["kv_heads"]), (&3.into(), &2.into()));
    fails(1, &["model", "synth", &path, "--format", "q9"], &["q9", "Q4_1"]);
    fails(1, &["model", "synth", &path, "--heads", "3"], &["--hidden 128", "--heads 3"]);
    fails(1, &["model", "synth", &path, "--kv-heads", "3"], &["--heads 4", "--kv-heads 3"]);
    fails(2, &["model", "synth", &path, "--heads", "0"], &["--heads"]);
    fails(2, &["model", "synth", &path, "--layers", "99999999999"], &["--layers"]);
}

#[test]
fn models_are_listed_and_verified() {
    let listed = document(&["model", "list", "--json"]);
    assert_eq!(listed["known"][0]["name"], "smollm2-135m");
    assert!(text(&hexswarm(&["model", "list"]).stdout).contains("Apache-2.0"));
    assert!(hexswarm(&["model", "pull"]).status.success());
    let verified = hexswarm(&["model", "verify"]);
    assert!(text(&verified.stdout).contains("is whole: blake3 5f4fa13b"));
}

#[test]
fn this_machine_is_measured() {
    let measured = document(&["bench", "--json", "--threads", "1"]);
    let device = &measured["devices"][0];
    assert_eq!((&device["kind"], &device["threads"]), (&"cpu".into(), &1.into()));
    assert!(device["bandwidth_bytes_per_s"].as_f64().unwrap() > 0.0);
    fails(2, &["bench", "--threads", "0"], &["0"]);
    fails(2, &["bench", "--threads", "99999999"], &["99999999"]);
}

const POOL: &str = "
[network]
rtt_ms = 5.0
gbit_s = 1.0
[[machine]]
name = \"attic\"
count = 2
memory = [\"90MB\", \"40MB\"]
bandwidth_gb_s = 20
tflop_s = 0.1
";

/// Cards and models of the catalogue: nothing is fetched.
#[test]
fn a_pool_of_cards_is_planned_and_explained() {
    let pools = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pools");
    let asymmetric = format!("{pools}/hexgen_asymmetric8.toml");
    let asked = ["plan", "--pool", &asymmetric, "--model", "llama-2-70b", "--slo", "5x"];
    let plan = document(&[&asked[..], &["--explain", "--json"]].concat());
    assert_eq!(plan["feasible"], true);
    let number = |key: &str| plan[key].as_f64().unwrap();
    assert!(number("attainment") >= 0.98, "{plan}");
    assert!(number("requests_per_s") > 0.0);
    assert!(number("requests_per_s") <= number("bound_requests_per_s"));
    assert!(plan["search"]["evaluations"].as_u64().unwrap() > 1);
    let pipelines = plan["pipelines"].as_array().unwrap();
    assert_eq!(plan["binding"].as_array().unwrap().len(), pipelines.len());
    let mut taken = Vec::new();
    for pipeline in pipelines {
        let mut next = 0;
        for stage in pipeline["stages"].as_array().unwrap() {
            assert_eq!(stage["layers"][0], next);
            next = stage["layers"][1].as_u64().unwrap();
            let members = stage["members"].as_array().unwrap();
            let last = members.last().unwrap();
            assert_eq!((&last["kv_heads"][1], &last["ffn_columns"][1]), (&8.into(), &28672.into()));
            taken.extend(members.iter().map(|m| (m["machine"].clone(), m["device"].clone())));
        }
        assert_eq!(next, 80, "{pipeline}");
    }
    let devices = taken.len();
    taken.sort_by_key(|place| format!("{place:?}"));
    taken.dedup();
    assert_eq!(taken.len(), devices, "no device twice");
    let stages = pipelines.iter().flat_map(|pipeline| pipeline["stages"].as_array().unwrap());
    for stage in stages {
        let why = stage["why"].as_str().unwrap();
        let degree = stage["members"].as_array().unwrap().len();
        assert!(why.contains(&format!("by TP {degree}: ")) && why.contains("(TP "), "{why}");
    }
    let drawn = hexswarm(&asked);
    assert!(text(&drawn.stdout).contains("layers 0-"), "{}", text(&drawn.stdout));

    let infeasible = ["plan", "--pool", &asymmetric, "--model", "llama-3.1-405b", "--json"];
    let none = document(&infeasible);
    assert_eq!(none["feasible"], false);
    assert!(none["reason"].as_str().unwrap().contains("GiB of memory are missing"), "{none}");
    let early = ["plan", "--pool", &asymmetric, "--model", "llama-2-70b", "--slo", "1ms"];
    fails(1, &early, &["no plan"]);
    for (code, more, words) in [
        (2, ["--slo", "5"], "5s"),
        (2, ["--workload", "5"], "IN,OUT"),
        (2, ["--workload", "5,5,2e9"], "at most 1e9 requests a second"),
        (1, ["--weights", "q9"], "did you mean"),
        (1, ["--model", "lalma-2-70b"], "did you mean Llama-2-70b"),
        (1, ["--model", "llama"], "more: say which model"),
    ] {
        let model: &[&str] = if more[0] == "--model" { &[] } else { &["--model", "llama-2-70b"] };
        let asked = [&["plan", "--pool", &asymmetric][..], model, &more].concat();
        fails(code, &asked, &[words]);
    }
}

/// Who may hold what, from which plan on, and by whose rules.
#[test]
fn a_plan_keeps_to_what_is_asked_of_it() {
    let pools = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pools");
    let pool = format!("{pools}/hexgen_half30.toml");
    let asked = ["plan", "--pool", &pool, "--model", "llama-2-70b", "--slo", "5x"];
    let plan = |more: &[&str]| document(&[&asked[..], more, &["--json"]].concat());
    let machines = |stage: &serde_json::Value| -> Vec<String> {
        let members = stage["members"].as_array().unwrap();
        members.iter().map(|m| m["machine"].as_str().unwrap().to_owned()).collect()
    };
    let stages = |plan: &serde_json::Value| -> Vec<serde_json::Value> {
        let pipelines = plan["pipelines"].as_array().unwrap().iter();
        pipelines.flat_map(|p| p["stages"].as_array().unwrap().clone()).collect()
    };
    let running = plan(&[]);
    let there = |plan: &serde_json::Value, name: &str| {
        stages(plan).iter().flat_map(&machines).any(|machine| machine.starts_with(name))
    };
    assert!(there(&running, "nevada") && there(&running, "norway"));
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "running.json", &running.to_string());
    let next = plan(&["--without", "nevada", "--running", &file]);
    assert!(!there(&next, "nevada") && there(&next, "iceland"));
    let idle = next["idle"].as_array().unwrap();
    assert!(!idle.iter().any(|place| place[0].as_str().unwrap().starts_with("nevada")), "{idle:?}");
    let most = next["bound_requests_per_s"].as_f64().unwrap();
    assert!(most < running["bound_requests_per_s"].as_f64().unwrap());
    let moves = |plan: &serde_json::Value| plan["moves"]["load_bytes"].as_u64().unwrap();
    let afresh = write(folder.path(), "none.json", r#"{"pipelines": []}"#);
    let all = plan(&["--without", "nevada", "--running", &afresh]);
    assert!(moves(&next) < moves(&all), "who holds layers need not load them");
    let same = plan(&["--running", &file]);
    assert!(moves(&same) < moves(&all));

    let trusting = plan(&["--trust", "Iceland", "--ends", "2"]);
    for stage in stages(&trusting) {
        let [first, end] = [0, 1].map(|end| stage["layers"][end].as_u64().unwrap());
        let free = machines(&stage).iter().all(|machine| machine.starts_with("iceland"));
        assert!(free || first >= 2 && end <= 78, "{stage}");
    }
    for planner in ["symmetric", "petals", "helix", "parallax", "hexgen2", "hexgen-random"] {
        let theirs = document(&[&asked[..5], &["--planner", planner, "--json"]].concat());
        assert_eq!(theirs["feasible"], true, "{planner}");
    }
    let a100 = format!("{pools}/hexgen_homogeneous.toml");
    let others = document(&["plan", "--pool", &a100, "--model", "llama-2-70b", "--json"]);
    let others = write(folder.path(), "others.json", &others.to_string());
    for (more, words) in [
        (&["--trust", "icelan"][..], "did you mean `iceland`"),
        (&["--without", "nevada-RTX-A5000:8"], "no device 8"),
        (&["--trust", "norway-RTX3090Ti-0", "--ends", "60"], "the first and the last 60 layers"),
        (&["--ends", "2"], "--trust"),
        (&["--running", &a100], "is no plan"),
        (&["--running", &others], "is a plan of other devices"),
        (&["--context", "99999999"], "GiB of memory are missing"),
    ] {
        let code = if more[0] == "--ends" { 2 } else { 1 };
        fails(code, &[&asked[..], more].concat(), &[words]);
    }
}

#[test]
fn a_pool_from_a_file_is_planned() {
    let folder = tempfile::tempdir().unwrap();
    let pool = write(folder.path(), "pool.toml", POOL);
    let asked = ["plan", "--pool", &pool, "--context", "512"];
    let plan = document(&[&asked[..], &["--json"]].concat());
    let stages = plan["pipelines"][0]["stages"].as_array().unwrap();
    assert_eq!(stages.last().unwrap()["layers"][1], 30);
    assert!(plan["deadline_ms"].as_f64() > plan["pipelines"][0]["latency_ms"].as_f64());
    let again = document(&[&asked[..], &["--json"]].concat());
    assert_eq!(again["pipelines"], plan["pipelines"], "the same pool gives the same plan");
    let shown = hexswarm(&asked);
    assert!(text(&shown.stdout).contains("attic-1") && text(&shown.stdout).contains("TPOT"));
}

#[test]
fn a_pool_that_cannot_be_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, words) in [
        ("rtt_ms", "rtt_sm", &["rtt_sm", "rtt_ms"][..]),
        ("bandwidth_gb_s", "bandwith_gb_s", &["bandwith_gb_s", "bandwidth_gb_s"]),
        ("[network]", "[netwrok]", &["netwrok", "network"]),
        ("90MB", "90XB", &["attic", "90XB"]),
        ("rtt_ms = 5.0", "rtt_ms = -1.0", &["rtt_ms"]),
        ("gbit_s = 1.0", "gbit_s = 0.0", &["gbit_s"]),
        ("tflop_s = 0.1", "tflop_s = nan", &["tflop_s"]),
        ("count = 2", "count = 99999999", &["99999999", "10000"]),
        ("count = 2", "count = 0", &["no machine"]),
        ("count = 2", "count = \"2\"", &["a whole number"]),
        ("90MB", "90", &["attic", "90 bytes"]),
        ("[\"90MB\", \"40MB\"]", "[\"20MB\"]", &["are missing", "attic-0", "attic-1"]),
        ("[network]", "[network", &["pool.toml"]),
    ] {
        let pool = write(folder.path(), "pool.toml", &POOL.replace(from, to));
        fails(1, &["plan", "--pool", &pool, "--context", "512"], words);
    }
    fails(1, &["plan", "--pool", "/nowhere.toml"], &["/nowhere.toml"]);
}

#[test]
fn the_catalogue_lists_what_a_plan_can_name() {
    let all = document(&["catalogue", "--json"]);
    let names = |what: &str| -> Vec<String> {
        let list = all[what].as_array().unwrap().iter();
        list.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    let (cards, models, formats) = (names("devices"), names("models"), names("formats"));
    assert!(cards.len() > 40 && models.len() > 20 && formats.contains(&"q4_k_m".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let pool = cards.iter().map(|card| format!("[[machine]]\ngpu = \"{card}\"\n"));
    let pool = write(folder.path(), "pool.toml", &pool.collect::<String>());
    for model in ["Llama-2-7b", "qwen3-32b"] {
        assert_eq!(
            document(&["plan", "--pool", &pool, "--model", model, "--json"])["feasible"],
            true
        );
    }
    let only = hexswarm(&["catalogue", "formats"]);
    assert!(text(&only.stdout).contains("q4_k_m") && !text(&only.stdout).contains("A100"));
    fails(2, &["catalogue", "device"], &["devices"]);
}

/// A node of the default model, which says where its API is.
struct Node(Child, String);

impl Node {
    fn start(state: &Path) -> Self {
        let mut child = Command::new(BINARY)
            .args(["node", "--json", "--no-mdns", "--api", "127.0.0.1:0", "--context", "1024"])
            .args(["--listen", "/ip4/127.0.0.1/tcp/0", "--device", "cpu:threads=2,memory=1GiB"])
            .arg("--state")
            .arg(state)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let node = Self(child, said["api"].as_str().unwrap().to_owned());
        let begin = std::time::Instant::now();
        while document(&["status", "--json", "--via", &node.1])["ready"] != true {
            assert!(begin.elapsed() < swarm_tests::PATIENCE, "never ready");
        }
        node
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_node_is_asked_talked_with_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::start(folder.path());
    let via = ["--via", &node.1];

    let asked = ["run", "--json", "--max-tokens", "6", "Name a river."];
    let answer = document(&[&asked[..], &via].concat());
    assert_eq!((&answer["model"], &answer["prompt"]), (&"smollm2-135m".into(), &asked[4].into()));
    assert_eq!(answer["token_ids"].as_array().unwrap().len(), 6);
    assert_eq!(answer["finish_reason"], "length");
    assert!(answer["ttft_ms"].as_f64().unwrap() > 0.0 && answer["tpot_ms"].as_f64().unwrap() > 0.0);
    let status = document(&[&["status", "--json"][..], &via].concat());
    assert_eq!(answer["entry"], status["peer"]);
    let plain = hexswarm(&[&["run", "--max-tokens", "6", "Name a river."][..], &via].concat());
    assert_eq!(text(&plain.stdout), format!("{}\n", answer["text"].as_str().unwrap()));

    let mut chat = Command::new(BINARY)
        .args(["chat", "--temperature", "0", "--max-tokens", "6"])
        .args(via)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    chat.stdin.take().unwrap().write_all(b"Name a river.\n/quit\n").unwrap();
    let talked = chat.wait_with_output().unwrap();
    assert!(talked.status.success());
    assert!(text(&talked.stdout).contains(answer["text"].as_str().unwrap()));

    let shown = hexswarm(&[&["status"][..], &via].concat());
    assert!(text(&shown.stdout).contains("layers 0-29"), "{}", text(&shown.stdout));

    let id = node.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(node.0.wait().unwrap().success());
    fails(1, &[&["status"][..], &via].concat(), &["cannot reach"]);
}
