//! What must hold once a workload is over.

use hexswarm_sim::{Draft, Outcome, Report, Wishes};

use super::{run, scenario};

const WORK: &str = "entries = [\"left\"]\n[workload]\nrequests_per_s = 1\n[run]\nseconds = 20\n";

fn fault(more: &str) -> String {
    format!("{WORK}[[fault]]\nat_s = 5\nmachine = \"right\"\n{more}")
}

/// How often a machine starts; the last time that anything happened, in seconds, too.
fn starts(text: &str, machine: usize) -> (usize, f64) {
    let outcome = scenario(text).unwrap().run(2, Wishes { record: true, ..Wishes::default() });
    assert_eq!(outcome.broken, [], "{text}");
    let events = outcome.log.lines().map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<serde_json::Value> = events.collect();
    let of = |event: &&serde_json::Value| event["what"] == "starts" && event["node"] == machine;
    let last_us = events.last().unwrap()["t_us"].as_f64().unwrap();
    (events.iter().filter(of).count(), last_us / 1e6)
}

#[test]
fn what_lasts_beyond_the_last_answer_is_over_then_and_who_is_gone_for_good_stays_so() {
    for does in ["die", "vanish", "leave"] {
        let text = fault(&format!("does = \"{does}\"\nfor_s = 100000"));
        let (times, end_s) = starts(&text, 1);
        assert!(times == 2 && end_s < 200.0, "{does}: {times} starts, {end_s} s");
        let (times, end_s) = starts(&fault(&format!("does = \"{does}\"")), 1);
        assert!(times == 1 && end_s < 400.0, "{does}: {times} starts, {end_s} s");
    }
    for does in ["pause", "stall"] {
        let text = fault(&format!("does = \"{does}\"\nfor_s = 100000"));
        let (times, end_s) = starts(&text, 1);
        assert!(times == 1 && end_s < 2_000.0, "{does}: {times} starts, {end_s} s");
    }
}

/// A pause of who is dead is none, and its end brings nobody back.
#[test]
fn who_is_dead_for_good_stays_so_whatever_else_ends() {
    let later = "[[fault]]\nat_s = 8\nmachine = \"right\"\n";
    for does in ["pause", "stall", "slow\"\nfactor = 5\n#"] {
        let dies = fault("does = \"die\"\n");
        let (times, _) = starts(&format!("{dies}{later}does = \"{does}\"\nfor_s = 100000\n"), 1);
        assert_eq!(times, 1, "{does}");
    }
}

/// What was measured is the same whatever comes after it: an answer's time, and the end of the last.
#[test]
fn the_calm_after_a_workload_is_not_measured() {
    let whole = |outcome: &Outcome| outcome.report.clone().unwrap();
    let dies = run(&fault("does = \"die\""), 2);
    let comes_back = run(&fault("does = \"die\"\nfor_s = 100000"), 2);
    assert_eq!(whole(&dies), whole(&comes_back));
    assert_eq!((dies.events, dies.virtual_ms), (comes_back.events, comes_back.virtual_ms));
}

#[test]
fn requests_whose_patience_ran_out_are_told_and_leave_nothing() {
    let mut draft = Draft::named("hexgen30").unwrap();
    for setting in ["workload.requests_per_s=50", "run.seconds=5", "run.patience_s=1"] {
        draft.set(&setting.parse().unwrap()).unwrap();
    }
    let outcome = draft.scenario().unwrap().run(0, Wishes::default());
    assert_eq!(outcome.broken, []);
    let report: Report = outcome.report.unwrap();
    assert!(report.unfinished() > 100, "{}", report.unfinished());
    assert_eq!(report.unfinished() + report.whole(), report.served.len());
    assert_eq!(report.whole(), report.served.iter().filter(|one| one.refused.is_none()).count());
    assert_eq!(report.span.as_secs_f64().ceil(), 6.0);
}

#[test]
fn prompts_that_begin_alike_find_their_beginning_in_the_cache() {
    let one = "[[pipeline]]\nstages = [{ machine = \"left\", layers = 40 }, { machine = \"right\", layers = 40 }]\n";
    let cached = |trace: &str| {
        let report = run(&format!("[workload]\ntrace = \"{trace}\"\n{one}"), 1).report.unwrap();
        let each: Vec<_> = report.served.iter().map(|one| one.cached_tokens).collect();
        let all: u32 = each.iter().flatten().sum();
        assert_eq!(report.cached_tokens(), u64::from(all));
        each
    };
    // A prompt's last tokens are computed anyway.
    assert_eq!(cached("alike.csv"), [Some(0), Some(1_008), Some(512), Some(0)]);
    assert_eq!(cached("unlike.csv"), [Some(0); 4]);
}
