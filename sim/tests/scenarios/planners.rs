//! Who plans, and what that planner knows.

use hexswarm_sim::{Scenario, Wishes};

use super::{read, refused, run};

/// Devices of the stages of every pipeline that a planner comes to.
fn pipelines(planner: &str, more: &str) -> Vec<Vec<usize>> {
    let work = "[workload]\nrequests_per_s = 0.2\n[run]\nseconds = 20\n";
    let text = format!("{work}[planner]\nname = \"{planner}\"\n{more}");
    run(&text, 1).report.unwrap().pipelines
}

/// A planner of a pool plans by what the file says of cards, whoever leads by what they say themselves.
#[test]
fn whoever_leads_plans_by_what_nodes_tell() {
    let slow = "[truth]\nbandwidth = 0.1\n";
    assert_ne!(pipelines("live", ""), pipelines("live", slow));
    assert_eq!(pipelines("replicas", ""), pipelines("replicas", slow));
    let biased = "[belief]\nbandwidth = 100\narithmetic = 100\n";
    assert_ne!(pipelines("live", ""), pipelines("live", biased));
    // The other way round: devices that are told to be slow are no slower.
    assert_eq!(pipelines("live", slow), pipelines("live", "[belief]\nbandwidth = 0.1\n"));
}

#[test]
fn whoever_leads_is_not_asked_for_anything() {
    let live = "[workload]\n[planner]\nname = \"live\"\n";
    refused(&format!("{live}slo = \"2x\""), "planner.slo = something: a leader is not asked");
    refused(&format!("{live}seed = 1"), "planner.seed");
    refused("[workload]\n[planner]\nname = \"lively\"", "or live, as a swarm's leader plans");
}

#[test]
fn machines_without_a_way_between_them_say_so() {
    let text = "[swarm]\npool = \"apart.toml\"\nmodel = \"llama-2-70b\"\n[workload]\n";
    let outcome = Scenario::parse(text, &read).unwrap().run(0, Wishes::default());
    assert_eq!(outcome.broken, []);
    let why = outcome.report.unwrap().trouble.unwrap();
    assert!(why.contains("no way between some machines"), "{why}");
}

#[test]
fn a_pool_that_is_too_small_says_what_is_missing() {
    for (planner, words) in
        [("replicas", "114.0 GiB of memory are missing"), ("live", "GiB of memory are missing")]
    {
        let text = format!(
            "[swarm]\npool = \"t4.toml\"\nmodel = \"llama-2-70b\"\n[workload]\n[planner]\nname = \"{planner}\"\n"
        );
        let outcome = Scenario::parse(&text, &read).unwrap().run(0, Wishes::default());
        assert_eq!(outcome.broken, []);
        let why = outcome.report.unwrap().trouble.unwrap();
        assert!(why.contains(words), "{why}");
    }
}
