//! The paper's evaluation, small.

use std::process::{Command, Output};

use hexswarm_sim::paper::{Claim, Extent, FIGURES, Figure, Paper, Verdict, evaluate};
use serde_json::Value;

fn small(figure: u32) -> Paper {
    let extent = Extent {
        seeds: 1..3,
        requests: 40,
        outputs: vec![64],
        rates: vec![0.5, 4.0],
        scales: vec![5.0, 20.0],
        batched_rates: vec![1.0, 8.0],
        batched_s: 5.0,
    };
    evaluate(&extent, Some(figure), &|_, _| {}).unwrap()
}

fn claim<'a>(paper: &'a Paper, what: &str) -> &'a Claim {
    let found = paper.claims.iter().find(|claim| claim.what.contains(what));
    found.unwrap_or_else(|| panic!("{what}: {:?}", paper.claims))
}

/// The one figure that was asked for.
fn only(paper: &Paper) -> &Figure {
    let [figure] = &paper.figures[..] else { panic!("{:?}", paper.figures) };
    figure
}

/// Runs a command of the paper's as a shell would.
fn played(command: &str, more: &[&str]) -> Output {
    let words = shlex::split(command).unwrap();
    let (program, words) = words.split_first().unwrap();
    assert_eq!(program, "hexswarm-sim", "{command}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
    command.args(words).args(more).output().unwrap()
}

/// The same, of a run that is clean: what it came to for each seed.
fn runs(command: &str) -> Vec<Value> {
    let done = played(command, &["--json"]);
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    document["runs"].as_array().unwrap().clone()
}

/// The part in time of all seeds' requests together.
fn in_time(runs: &[Value]) -> f64 {
    let sums = runs.iter().map(|run| {
        let requests = run["requests"].as_f64().unwrap();
        (requests * run["attainment"][0]["part"].as_f64().unwrap(), requests)
    });
    let (met, all) = sums.fold((0.0, 0.0), |(a, b), (met, all)| (a + met, b + all));
    met / all
}

/// The value of a key that a command sets.
fn set(command: &str, key: &str) -> f64 {
    let words = shlex::split(command).unwrap();
    let found = words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("{key}: {command}")).parse().unwrap()
}

#[test]
fn chains_of_one_card_are_late_where_stages_of_several_are_not() {
    let paper = small(3);
    let rate = claim(&paper, "request rate: 30 cards, HexGen over 30 cards, Petals");
    assert!(rate.ours.contains("the other reaches nothing in 1 of 2"), "{rate:?}");
    // What one reaches alone is no factor, however large.
    assert_eq!(rate.verdict, Verdict::NotReproduced);
    let sooner = claim(&paper, "earlier deadline: 30 cards, HexGen over 30 cards, Petals");
    assert_eq!(sooner.published, "up to 3.5x");
    let [by_rate, by_scale] = &only(&paper).charts[..] else { panic!("{:?}", paper.figures) };
    assert_eq!(by_rate.series.len(), 2);
    // What is in time by one deadline is by every longer one.
    for line in &by_scale.series {
        assert!(line.points.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{line:?}");
    }
    let again = small(3);
    assert_eq!((paper.claims, paper.figures), (again.claims, again.figures));
}

#[test]
fn a_command_runs_the_point_that_is_drawn() {
    let paper = small(3);
    let figure = only(&paper);
    // Those of the figure are of its lines, in their order; a seed has other requests than the next.
    for (line, command) in figure.charts[0].series.iter().zip(&figure.commands) {
        let at = set(command, "workload.requests_per_s");
        let (_, drawn) = line.points.iter().find(|(rate, _)| *rate == at).unwrap();
        let runs = runs(command);
        assert_eq!(runs.len(), 2, "a seed each: {command}");
        let told = 100.0 * in_time(&runs);
        assert!((told - drawn).abs() < 1e-6, "{told} {drawn}: {command}");
    }
    // Of a claim on deadlines the least that 99 of 100 meet: so many do.
    let sooner = claim(&paper, "earlier deadline: 30 cards, HexGen over 30 cards, Petals");
    assert_eq!((sooner.commands.len(), sooner.seeds), (2, [1, 3]));
    for command in &sooner.commands {
        let (command, _) = command.split_once('#').unwrap();
        let met = in_time(&runs(command));
        assert!(met >= 0.99, "{met}: {command}");
        let words = shlex::split(command).unwrap();
        let slo = words.iter().find_map(|word| word.strip_prefix("run.slo=")).unwrap();
        let sooner = 0.999 * slo.trim_end_matches('s').parse::<f64>().unwrap();
        let met = in_time(&runs(&format!("{command} --set run.slo={sooner}s")));
        assert!(met < 0.99, "{met} by {sooner} s: {command}");
    }
}

#[test]
fn the_case_study_has_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let sim = |figure: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hexswarm-sim"));
        command.args(["paper", "--quick", "--json", "--figure", figure, "--html"]).arg(&page);
        command.output().unwrap()
    };
    let done = sim("1");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    let claims = document["claims"].as_array().unwrap();
    let verdicts: Vec<&str> = claims.iter().map(|c| c["verdict"].as_str().unwrap()).collect();
    let all = ["reproduced", "reproduced", "reproduced", "reproduced", "not-reproduced"];
    assert_eq!(verdicts, all, "{claims:?}");
    let series = document["figures"][0]["charts"][0]["series"].as_array().unwrap();
    assert_eq!(series.len(), 5, "three layouts, and two factors that were published");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("<svg ") && html.contains("case study"));
    assert!(html.contains("hexswarm-sim run paper-case-pp2-tp4"), "a row has its commands");
    let names = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!names.contains("src=") && !names.contains("http"), "a page needs nothing beside it");
    let wrong = sim("12");
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("there is no figure 12") && said.contains("3  half the price"), "{said}");
}

#[test]
fn layouts_that_are_too_large_are_refused_for_it() {
    let paper = small(1);
    for what in ["one stage of TP 8", "a pipeline of eight stages of ten layers"] {
        let claim = claim(&paper, &format!("{what} is out of memory"));
        assert!(claim.ours.starts_with("no plan: 17"), "the node's words: {claim:?}");
        assert!(claim.ours.ends_with("do not fit 17179869184 bytes"), "{claim:?}");
        let [command] = &claim.commands[..] else { panic!("{claim:?}") };
        let done = played(command, &[]);
        assert_eq!(done.status.code(), Some(1), "{command}");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.contains("there is no plan"), "{said}");
    }
    let [own, pp8] = [0, 1].map(|line| {
        let command = &only(&paper).commands[line];
        let ms = runs(command)[0]["latency_ms"]["p50"].as_f64().unwrap();
        let at = set(command, "truth.between_ms");
        let points = &only(&paper).charts[0].series[line].points;
        let (_, drawn) = points.iter().find(|(delay, _)| *delay == at).unwrap();
        assert!((ms / 1e3 - drawn).abs() < 1e-6, "{ms} {drawn}: {command}");
        ms
    });
    assert!(pp8 > 1.5 * own, "{own} {pp8}");
}

#[test]
fn the_search_is_told_beside_its_beginning() {
    let paper = small(6);
    let initial = claim(&paper, "search: initial assignment only");
    assert_eq!(initial.verdict, Verdict::NotComparable);
    let time = claim(&paper, "search time");
    assert_eq!(time.verdict, Verdict::NotComparable, "it is told with one figure, too");
    let lines = &only(&paper).charts[0].series;
    let beginning = lines.iter().find(|line| line.label == "initial assignment only").unwrap();
    assert!(beginning.points.len() > 1 && beginning.points.iter().all(|(_, part)| *part == 1.0));
    assert!(runs(&only(&paper).commands[1])[0]["requests"].as_u64().unwrap() > 100);
}

#[test]
fn what_the_paper_runs_is_run_with_batches_too() {
    let paper = small(8);
    let claims: Vec<&Claim> = paper.claims.iter().filter(|claim| claim.figure == 8).collect();
    assert_eq!(claims.len(), 8);
    assert!(claims.iter().all(|claim| claim.verdict == Verdict::NotComparable), "{claims:?}");
    let over = claim(&paper, "58 cards, HexGen, batches over 16 A100, TP 8 x 2, batches");
    assert!(over.published.starts_with("none") && over.ours.starts_with("up to"), "{over:?}");
    assert_eq!(over.seeds, [1, 2]);
    let [theirs, ours] = &only(&paper).charts[..] else { panic!("{:?}", only(&paper)) };
    assert_eq!((theirs.series.len(), ours.series.len()), (6, 6));
    assert_eq!(only(&paper).commands.len(), 10);
}

#[test]
fn help_knows_all_figures() {
    let done = played("hexswarm-sim paper --help", &[]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    for (number, about) in FIGURES {
        assert!(said.contains(&format!("{number}  {about}")), "{number}: {said}");
    }
}
