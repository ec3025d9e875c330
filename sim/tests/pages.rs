//! Pages of runs: what is in them, what is not, and that recording for them changes no run.

use std::{collections::BTreeSet, path::Path, process::Command};

use hexswarm_sim::{Ending, Film, Outcome, Scenario, Seen, Wishes};
use serde_json::Value;

const LEAVES: [&str; 7] =
    ["run", "nevada-leaves", "--set", "run.seconds=30", "--set", "fault.0.at_s=10", "--json"];

fn ran(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    let output = command.args(arguments).output().expect("the simulator starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What a command says, and the page that it writes.
fn page(arguments: &[&str], folder: &Path) -> (Value, String) {
    let path = folder.join("page.html");
    let told = ran(&[arguments, &["--html", &path.to_string_lossy()]].concat());
    let html = std::fs::read_to_string(&path).expect("a page");
    assert_eq!(html.matches("<html").count(), 1);
    (told, html)
}

/// Whatever would be fetched from elsewhere.
fn holds_nothing_outside(html: &str) {
    let own = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http:", "https:", "src=", "@import", "url(", "//cdn", "<link", "<iframe"] {
        assert!(!own.contains(outside), "{outside}");
    }
    let places = own.split("href=\"").skip(1);
    assert!(places.clone().count() > 0);
    places.for_each(|place| assert!(place.starts_with('#'), "{}", &place[..40]));
}

/// The figures that a mark of the last step has.
fn last(html: &str, mark: &str) -> u64 {
    let (_, rest) = html.rsplit_once(&format!("{mark}=\"")).expect("a step");
    rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn a_page_of_a_run_counts_what_the_run_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (told, html) = page(&LEAVES, folder.path());
    holds_nothing_outside(&html);
    let requests = told["runs"][0]["requests"].as_u64().expect("requests");
    let tokens = told["tokens"].as_u64().expect("tokens");
    assert!(requests > 5 && tokens > 300);
    assert_eq!((last(&html, "data-requests"), last(&html, "data-tokens")), (requests, tokens));
    let words = format!("{requests} requests, 2 plans, 1 faults, {tokens} tokens");
    assert!(html.contains(&words), "{words}");
    for words in [
        "nevada-RTX-A5000 dies",
        "plan 2 is live",
        "TTFT: the part of requests",
        "hexswarm-sim run nevada-leaves --set run.seconds=30 --set fault.0.at_s=10 --seed 0",
        "come back four minutes later",
    ] {
        assert!(html.contains(words), "{words}");
    }
    let pictures = html.split("class=\"moments\"").nth(1).expect("small pictures");
    assert_eq!(pictures.matches("<svg").count(), 3, "a plan, a fault, another plan");
}

#[test]
fn the_same_run_gives_the_same_page_on_one_thread_or_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let many = |threads| {
        let more = ["--seeds", "0..3", "--threads", threads];
        page(&[&LEAVES[..], &more].concat(), folder.path()).1
    };
    let first = many("1");
    assert!(first.contains("seed 2") && first.contains("--seeds 0..3"));
    assert!(first == many("4"), "the pages differ");
}

#[test]
fn words_of_a_scenario_are_escaped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("<script>alert(2).toml");
    let text = "about = \"<script>alert(1)</script>\"\nplay = \"story\"\n";
    std::fs::write(&path, text).expect("a scenario");
    let (_, html) = page(&["run", &path.to_string_lossy()], folder.path());
    holds_nothing_outside(&html);
    assert!(!html.contains("<script>alert"), "a script of others");
    assert!(html.contains("&lt;script&gt;alert(1)") && html.contains("&lt;script&gt;alert(2)"));
    assert_eq!(html.matches("<script>").count(), 1, "the page's own");
}

#[test]
fn pages_of_sweeps_and_comparisons_have_their_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = ["--set", "run.seconds=20", "--set", "planner.name=hexgen", "--json"];
    let axes =
        ["--set", "workload.requests_per_s=0.5,1", "--set", "workload.output_tokens=8,[8,16]"];
    let (_, swept) = page(&[&["sweep", "hexgen30"], &short[..], &axes].concat(), folder.path());
    assert_eq!(swept.matches("<svg").count(), 15, "a picture for each figure");
    for words in [
        "workload.output_tokens = [8,16]",
        "\nttft_p99_ms\n",
        "workload.output_tokens=&#x27;8,[8,16]&#x27;",
    ] {
        assert!(swept.contains(words), "{words}");
    }
    let more = ["--set-b", "truth.bandwidth=0.5", "--seeds", "0..3"];
    let both = ["compare", "hexgen30", "hexgen30"];
    let (told, compared) = page(&[&both, &short[..], &more].concat(), folder.path());
    let figures = told["figures"].as_array().expect("figures");
    let drawn = figures.iter().filter(|figure| figure["a"] != 0.0).count();
    assert_eq!(compared.matches("<circle").count(), drawn, "a dot for each figure");
    assert!(compared.contains("--set-b &#x27;truth.bandwidth=0.5&#x27; --seeds 0..3"));
    assert!(compared.contains("B is worse, and not by chance"));
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_run() {
    for verb in
        [&["run", "story"][..], &["sweep", "hexgen30"], &["compare", "hexgen30", "hexgen30"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
        let output = command.args(verb).args(["--html", "no/such/folder/a.html"]).output();
        let output = output.expect("the simulator starts");
        assert_eq!(output.status.code(), Some(1), "{verb:?}");
        assert!(output.stdout.is_empty(), "{verb:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("folder"), "{verb:?}");
    }
}

fn filmed(scenario: &Scenario, seed: u64, film: bool) -> Outcome {
    scenario.run(seed, Wishes { record: true, film, ..Wishes::default() })
}

/// Lines of the event log that say this.
fn lines<'a>(log: &'a str, what: &str) -> impl Iterator<Item = &'a str> {
    let what = format!("\"what\":\"{what}\"");
    log.lines().filter(move |line| line.contains(&what))
}

/// How often a plan came to be live that is later than all before.
fn plans(log: &str) -> usize {
    let number = |line: &str, key: &str| -> u64 {
        let (_, rest) = line.split_once(&format!("{key}(")).expect("a plan's name");
        rest.split(')').next().and_then(|number| number.parse().ok()).expect("a number")
    };
    let live = lines(log, "notice").filter(|line| line.contains("\"Live("));
    let ids = live.map(|line| (number(line, "Term"), number(line, "Epoch")));
    let mut later = BTreeSet::new();
    ids.filter(|id| later.last().is_none_or(|last| id > last) && later.insert(*id)).count()
}

#[test]
fn recording_changes_no_run_and_counts_what_happened() {
    let [story, storm] = ["story", "storm"].map(|name| Scenario::named(name).expect("shipped"));
    let mut faults = 0;
    for (scenario, seed) in [(&story, 0..4), (&storm, 0..24)]
        .into_iter()
        .flat_map(|(scenario, seeds)| seeds.map(move |seed| (scenario, seed)))
    {
        let (with, without) = (filmed(scenario, seed, true), filmed(scenario, seed, false));
        let film: Film = with.film.clone().expect("a film");
        assert!(with.log == without.log, "seed {seed}: another log");
        assert_eq!(Outcome { film: None, ..with.clone() }, without, "seed {seed}");
        let count = |is: fn(Seen) -> bool| film.moments.iter().filter(|m| is(m.what)).count();
        let dead = count(|s| matches!(s, Seen::Dies(_) | Seen::Vanishes(_) | Seen::Ends(_)));
        assert_eq!(dead, lines(&with.log, "dead").count(), "seed {seed}");
        let starts = count(|seen| matches!(seen, Seen::Starts(_)));
        assert_eq!(starts, lines(&with.log, "starts").count(), "seed {seed}");
        let stops = count(|seen| matches!(seen, Seen::Pauses(_)));
        assert_eq!(stops, lines(&with.log, "paused").count(), "seed {seed}");
        let cuts = count(|seen| matches!(seen, Seen::Cuts(..)));
        assert_eq!(cuts, lines(&with.log, "cut").count(), "seed {seed}");
        assert_eq!(film.plans.len(), plans(&with.log), "seed {seed}");
        assert_eq!(film.tokens.all(), with.tokens as u64, "seed {seed}");
        let refused = |end: Option<(_, Ending)>| end.is_some_and(|(_, e)| e == Ending::Refused);
        let refused = film.requests.iter().filter(|asked| refused(asked.end)).count();
        assert_eq!(refused, with.refused, "seed {seed}");
        assert_eq!(film.counts(film.end).under_way, 0, "seed {seed}");
        let told = film.tokens.counts().all(|(_, source, _)| source.way.is_some());
        assert!(told, "seed {seed}: a token that came through no pipeline");
        faults += film.faults().count();
    }
    assert!(faults > 100, "{faults}");
}
