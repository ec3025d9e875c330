//! `sweep`, `compare` and the files that they and `run` write.

use std::process::{Command, Output};

use serde_json::{Value, json};

/// The HexGen paper's 30 cards, for half a minute.
const SHORT: [&str; 4] = ["--set", "run.seconds=30", "--set", "planner.name=hexgen"];

fn command(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    command.args(arguments).output().expect("the simulator starts")
}

fn clean(arguments: &[&str]) -> String {
    let output = command(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn document(arguments: &[&str]) -> Value {
    serde_json::from_str(&clean(arguments)).expect("one JSON document and nothing else")
}

/// A file's rows, each cell with its head.
fn rows(text: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.expect("a row under these heads")).collect()
}

#[test]
fn a_sweep_has_a_row_for_each_point_and_its_file_one_for_each_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sweep.csv");
    let path = path.to_str().expect("text");
    let rates = ["--set", "workload.requests_per_s=0.5,1", "--set", "truth.bandwidth=1,0.5"];
    let more = ["--seeds", "3..5", "--json", "--csv", path];
    let swept = document(&[&["sweep", "hexgen30"], &SHORT[..], &rates, &more].concat());
    let file = std::fs::read_to_string(path).expect("a file");
    let head = "run.seconds,planner.name,workload.requests_per_s,truth.bandwidth,seed,requests,";
    assert!(file.starts_with(head), "{file}");
    let (rows, points) = (rows(&file), swept["points"].as_array().expect("points"));
    assert_eq!((points.len(), rows.len()), (4, 8));
    let set = |rate: f64, part: f64| json!({ "run.seconds": 30, "planner.name": "hexgen", "workload.requests_per_s": rate, "truth.bandwidth": part });
    assert_eq!(points[1]["set"].to_string(), set(0.5, 0.5).to_string());
    assert_eq!(points[2]["set"]["truth.bandwidth"], 1);
    for (point, rows) in points.iter().zip(rows.chunks(2)) {
        let number = |row: usize, key: &str| rows[row][key].parse::<f64>().expect("a number");
        assert_eq!((number(0, "seed"), number(1, "seed")), (3.0, 4.0));
        let figures = &point["figures"];
        let all = |key: &str| figures[key]["all"].as_f64().expect("a figure");
        assert_eq!(all("whole"), number(0, "whole") + number(1, "whole"));
        assert_eq!(point["requests"], number(0, "requests") as u64 + number(1, "requests") as u64);
        let p50 = [number(0, "ttft_p50_ms"), number(1, "ttft_p50_ms")];
        let told = ["least", "all", "most"].map(|of| figures["ttft_p50_ms"][of].as_f64().unwrap());
        // The file's figures are to a millionth.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(told[0], p50[0].min(p50[1])) && near(told[2], p50[0].max(p50[1])));
        assert!(told.is_sorted(), "{told:?}");
        assert_eq!(all("goodput_5x_per_s") > 0.0, all("attainment_5x") > 0.0, "{figures}");
        assert_eq!(all("attainment_20x"), 1.0, "{figures}");
    }
    let tpot = |point: usize| points[point]["figures"]["tpot_p50_ms"]["all"].as_f64();
    assert!(tpot(1) > tpot(0), "slower cards are as fast");
}

#[test]
fn a_sweep_prints_the_same_twice_and_on_one_thread_or_many() {
    let sweep = |threads| {
        let more = ["--set", "workload.cv=1,3", "--set", "workload.arrivals=gamma"];
        let rest = ["--seeds", "0..3", "--threads", threads];
        clean(&[&["sweep", "hexgen30"], &SHORT[..], &more, &rest].concat())
    };
    let table = sweep("1");
    assert_eq!(table.matches("gamma").count(), 2, "{table}");
    assert!(table.contains("TTFT p50 ms") && table.contains(".."), "{table}");
    assert_eq!((sweep("4"), sweep("4")), (table.clone(), table));
}

#[test]
fn a_comparison_finds_no_difference_of_a_scenario_from_itself() {
    let compared = document(&[&["compare", "hexgen30", "hexgen30", "--json"], &SHORT[..]].concat());
    assert_eq!(compared["seeds"], json!([0, 10]));
    let figures = compared["figures"].as_array().expect("figures");
    assert_eq!(figures.len(), 15);
    for figure in figures {
        assert_eq!((&figure["difference"], &figure["b_is"]), (&json!(0.0), &json!("same")));
        assert_eq!(figure["interval_95"], json!([0.0, 0.0]), "{figure}");
        assert_eq!((&figure["seeds"], &figure["b_better_in"]), (&json!(10), &json!(0)));
    }
}

#[test]
fn a_comparison_finds_that_slower_cards_are_slower_with_every_seed() {
    let slower = ["--set-b", "truth.bandwidth=0.5", "--seeds", "0..4"];
    let arguments = [&["compare", "hexgen30", "hexgen30"], &SHORT[..], &slower].concat();
    let compared = document(&[&arguments[..], &["--json"]].concat());
    let figures = compared["figures"].as_array().expect("figures");
    let of = |name| figures.iter().find(|figure| figure["figure"] == name).expect("a figure");
    for name in ["tpot_p50_ms", "latency_p50_ms"] {
        assert_eq!((&of(name)["b_better_in"], &of(name)["b_is"]), (&json!(0), &json!("worse")));
        assert!(of(name)["ratio"].as_f64() > Some(1.4), "{}", of(name));
    }
    assert_eq!(of("whole")["b_is"], "same");
    let words = clean(&arguments);
    let worse = words.lines().find(|line| line.starts_with("B is worse, and not by chance"));
    assert!(worse.is_some_and(|line| line.contains("tpot_p50_ms")), "{words}");
}

#[test]
fn one_seed_claims_no_interval_and_what_is_unlike_is_said() {
    let other = ["--set-b", "workload.output_tokens=8", "--seeds", "4..5", "--json"];
    let compared = document(&[&["compare", "hexgen30", "hexgen30"], &SHORT[..], &other].concat());
    let unlike = compared["unlike"].to_string();
    assert!(unlike.contains("not asked the same") && unlike.contains("1x is"), "{unlike}");
    for figure in compared["figures"].as_array().expect("figures") {
        assert_eq!(figure["interval_95"], Value::Null, "{figure}");
        assert!(figure["b_is"] == "unknown" || figure["b_is"] == "same", "{figure}");
    }
}

#[test]
fn a_run_writes_a_row_for_each_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("requests.csv");
    let path = path.to_str().expect("text");
    let more = ["--seeds", "1..3", "--json", "--csv", path];
    let ran = document(&[&["run", "hexgen30"], &SHORT[..], &more].concat());
    let file = std::fs::read_to_string(path).expect("a file");
    let rows = rows(&file);
    let runs = ran["runs"].as_array().expect("runs");
    assert_eq!(
        rows.len() as u64,
        runs.iter().map(|run| run["requests"].as_u64().unwrap()).sum::<u64>()
    );
    for seed in [1, 2] {
        let own: Vec<_> = rows.iter().filter(|row| row["seed"] == seed.to_string()).collect();
        assert!(own.len() > 5);
        let mut before = 0.0;
        for (place, row) in own.into_iter().enumerate() {
            let number = |key: &str| row[key].parse::<f64>().expect("a number");
            assert_eq!((number("number"), number("tokens")), (place as f64, 64.0));
            assert!(number("ttft_ms") < number("latency_ms"));
            assert!((before..30.0).contains(&number("asked_s")), "{row:?}");
            before = number("asked_s");
            assert_eq!((&row["refused"][..], &row["cached_tokens"][..]), ("", "0"));
        }
    }
}

/// Written to a folder, with a pool beside it.
fn scenario(folder: &tempfile::TempDir, pool: &str, more: &str) -> String {
    let text = format!("[swarm]\npool = \"pool.toml\"\nmodel = \"llama-2-70b\"\n{more}");
    let path = folder.path().join("own.toml");
    std::fs::write(folder.path().join("pool.toml"), pool).expect("a pool");
    std::fs::write(&path, text).expect("a scenario");
    path.to_string_lossy().into_owned()
}

/// Entries go by what is expected of each pipeline, which is another at each point.
#[test]
fn points_with_a_layout_by_hand_come_to_what_each_comes_to_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let machine = |name| {
        format!(
            "[[machine]]\ngpu = \"A100-SXM-40GB\"\ngpus = 8\nname = \"{name}\"\nregion = \"{name}\"\n"
        )
    };
    let between = "[network]\nbetween_latency_ms = 20\nbetween_bandwidth_gbit_s = 1\n";
    let pool = [between, &machine("left"), &machine("right")].concat();
    let uneven = "[workload]\nrequests_per_s = 2\n[run]\nseconds = 20\n\
        [[pipeline]]\nstages = [{ machine = \"left\", devices = 4, layers = 80 }]\n\
        [[pipeline]]\nstages = [{ machine = \"left\", devices = 2, layers = 40 }, \
        { machine = \"right\", devices = 2, layers = 40 }]\n";
    let path = scenario(&folder, &pool, uneven);
    let points = |parts: &str| -> Vec<Value> {
        let set = format!("truth.bandwidth={parts}");
        let swept = document(&["sweep", &path, "--set", &set, "--threads", "2", "--json"]);
        swept["points"].as_array().expect("points").clone()
    };
    let parts = ["1", "0.03", "0.3"];
    let alone: Vec<_> = parts.iter().flat_map(|part| points(part)).collect();
    assert_ne!(alone[0]["figures"], alone[1]["figures"]);
    assert_eq!(points(&parts.join(",")), alone);
}

#[test]
fn where_there_is_no_plan_it_is_told_what_is_missing_and_nothing_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = scenario(&folder, "[[machine]]\ngpu = \"T4\"\n", "[workload]\n");
    let page = folder.path().join("page.html");
    let page = page.to_str().expect("text");
    let rates = ["--set", "workload.requests_per_s=1,2"];
    for command_line in [
        vec!["run", &path, "--html", page],
        [&["sweep", &path, "--html", page], &rates[..]].concat(),
        vec!["compare", &path, &path, "--seeds", "0..2", "--html", page],
    ] {
        let output = command(&command_line);
        assert_eq!(output.status.code(), Some(1), "{command_line:?}");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let missing = "114.0 GiB of memory are missing";
        assert!(out.contains(missing) || err.contains(missing), "{out}{err}");
        assert!(!out.contains("clean") && !out.contains("| -"), "{out}");
        let html = std::fs::read_to_string(page).expect("a page");
        assert!(html.contains(missing), "{command_line:?}");
        assert!(!html.contains("<svg") && !html.contains("did hold"), "{command_line:?}");
    }
}

#[test]
fn what_failed_in_a_table_is_kept_as_a_script_and_a_log() {
    let short = ["--set", "run.seconds=5", "--sabotage", "cut-answer", "--all", "--json"];
    for command_line in [
        &["sweep", "hexgen30", "--set", "truth.bandwidth=1,0.5"][..],
        &["compare", "hexgen30", "hexgen30", "--seeds", "0..2"],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = ["--failures", folder.path().to_str().expect("text")];
        let output = command(&[command_line, &short, &kept].concat());
        assert_eq!(output.status.code(), Some(1), "{command_line:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let script = &told["broken"][0]["script"];
        let file = |key: &str| std::fs::read_to_string(script[key].as_str().expect("a file"));
        assert!(file("file").expect("a script").contains("\"workload\""), "{told}");
        assert!(file("log").expect("a log").contains("\"answer\""), "{told}");
        let again = script["again"].as_str().expect("a command");
        assert!(
            again.contains("run hexgen30") && again.contains("--sabotage cut-answer"),
            "{again}"
        );
        assert!(told["broken"][1].is_object() && told["broken"][1]["script"].is_null(), "{told}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_exit_code() {
    for (arguments, code, hint) in [
        (&["sweep", "hexgen30", "--set", "workload.request_per_s=1"][..], 2, "`requests_per_s`?"),
        (&["run", "hexgen30", "--set", "workload.request_per_s=1"], 2, "`requests_per_s`?"),
        (&["run", "hexgen30", "--set", "run.seconds=1,2"], 2, "one value"),
        (&["sweep", "hexgen30", "--set", "run.seconds"], 2, "KEY=VALUE"),
        (&["sweep", "hexgen30", "--seeds", "0..100001"], 2, "100001 runs"),
        (&["sweep", "hexgen30", "--threads", "0"], 2, "1..=1024"),
        (&["sweep", "storm"], 2, "serves no workload"),
        (&["compare", "story", "hexgen30"], 2, "serves no workload"),
        (&["compare", "hexgen30", "hexgen3"], 2, "did you mean `hexgen30`?"),
        (&["run", "story", "--csv", "no.csv"], 2, "serves no workload"),
        (&["run", "story", "--set", "run.seconds=1"], 2, "`run`"),
        (&["sweep", "hexgen30", "--csv", "no/such/folder/a.csv"], 1, "folder"),
        (&["sweep", "hexgen30", "--set", "planner.name=hexgen2"], 1, "there is no plan"),
        (&["compare", "hexgen30", "hexgen30", "--set", "planner.name=hexgen2"], 1, "10 seeds"),
    ] {
        let output = command(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(hint), "{arguments:?}: {error}");
    }
}
