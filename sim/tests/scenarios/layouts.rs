//! Layouts made by hand, and engines that serve one request after the other.

use hexswarm_sim::Report;

const ALONE: &str = "
[nodes]
batch_sessions = 1
stage_sessions = 1
sessions = 1000
waiting = 1000
turn_wait_s = 1000
";
const TP8: &str = "
[[pipeline]]
stages = [{ machine = \"left\", layers = 80 }]
[[pipeline]]
stages = [{ machine = \"right\", layers = 80 }]
";

fn from_left(more: &str) -> String {
    format!("entries = [\"left\"]\n{more}")
}

fn run(more: &str) -> Report {
    super::run(&from_left(more), 1).report.unwrap()
}

/// Requests a second, for so long.
fn workload(requests_per_s: f64, seconds: u32) -> String {
    format!("[workload]\nrequests_per_s = {requests_per_s}\n[run]\nseconds = {seconds}\n")
}

#[test]
fn a_layout_is_what_serves() {
    let thirds = "[[pipeline]]\nstages = [{ machine = \"left\", devices = 4, layers = 40 }, \
                  { machine = \"left\", layers = 30 }, { machine = \"right\", devices = 2, layers = 10 }]\n";
    let report = run(&format!("{thirds}{}", workload(0.2, 60)));
    assert_eq!(report.pipelines, [[4, 4, 2]]);
    assert_eq!(report.whole(), report.served.len());
}

#[test]
fn an_engine_without_batches_serves_one_after_the_other_and_who_came_first_first() {
    // Two replicas, each of which does a request in 1.446 s: 1.38 requests a second at most.
    let busy = workload(2.0, 100);
    let alone = run(&format!("{TP8}{ALONE}{busy}"));
    let batched = run(&format!("{TP8}{busy}"));
    assert_eq!(alone.served.len(), batched.served.len());
    assert_eq!(alone.whole(), alone.served.len());
    let first = |report: &Report| report.served.iter().filter_map(|one| one.latency).min().unwrap();
    assert!((1_440..1_450).contains(&first(&alone).as_millis()), "{:?}", first(&alone));
    let rate = |report: &Report| report.whole() as f64 / report.span.as_secs_f64();
    assert!((1.3..1.39).contains(&rate(&alone)), "{}", rate(&alone));
    assert!(rate(&batched) > 1.8, "{}", rate(&batched));
    // In the order in which they were asked for, but for the two that run beside each other.
    let ends: Vec<_> = alone.served.iter().filter_map(|s| Some(s.asked + s.latency?)).collect();
    assert!(ends.windows(3).all(|three| three[0] < three[2]));
}

#[test]
fn layouts_that_cannot_be_are_told_with_their_key() {
    let work = "[workload]\n";
    for (more, words) in [
        ("[[pipeline]]\nstages = [{ machine = \"left\", layers = 79 }]", "layers = 79: its stages"),
        ("[[pipeline]]\nstages = []", "layers = 0: its stages"),
        ("[[pipeline]]\nstages = [{ machine = \"left\", layers = 0 }]", "layers = 0: may be 1"),
        ("[[pipeline]]\nstages = [{ machine = \"middle\", layers = 80 }]", "machine = middle"),
        (
            "[[pipeline]]\nstages = [{ machine = \"left\", devices = 9, layers = 80 }]",
            "devices = 9: left has 8",
        ),
        (
            "[[pipeline]]\nstages = [{ machine = [\"left\", \"right\"], layers = 80 }]",
            "devices = 16: share a stage",
        ),
        (&format!("{TP8}[planner]\nname = \"petals\""), "leave out one or the other"),
        ("[nodes]\nstage_sessions = 0", "stage_sessions = 0: may be from 1"),
        ("[nodes]\nbatch = 1", "unknown field `batch`"),
    ] {
        super::refused(&from_left(&format!("{more}\n{work}")), words);
    }
}
