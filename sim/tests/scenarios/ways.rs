//! Ways between machines that go wrong, or are bad weather.

use hexswarm_sim::{Report, Wishes};

const WORK: &str = "entries = [\"left\"]\n[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 60\n";
/// Both machines are needed for a request.
const ACROSS: &str = "
[[pipeline]]
stages = [{ machine = \"left\", layers = 40 }, { machine = \"right\", layers = 40 }]
";

fn fault(keys: &str) -> String {
    format!("{ACROSS}[[fault]]\nat_s = 20\nmachine = \"left\"\n{keys}\n")
}

fn report(more: &str) -> Report {
    super::run(&format!("{WORK}{more}"), 2).report.unwrap()
}

/// Seconds from the first request that could come to each answer's end, of requests that were asked
/// before and after the fault came and went.
fn waits_s(report: &Report) -> Vec<(f64, f64)> {
    let asked = |one: &hexswarm_sim::Served| one.asked.since(report.begun).as_secs_f64();
    report.served.iter().map(|s| (asked(s), s.latency.unwrap().as_secs_f64())).collect()
}

#[test]
fn who_is_cut_off_serves_when_ways_are_open_again() {
    let calm = report(ACROSS);
    assert_eq!(calm.whole(), calm.served.len());
    let usual = waits_s(&calm).iter().map(|(_, wait)| *wait).fold(0.0, f64::max);
    for keys in [
        "does = \"cut\"\nother = \"right\"\nfor_s = 15",
        "does = \"cut\"\nother = [\"right\"]\ntold = true\nfor_s = 15",
        "does = \"cut_one_way\"\nother = \"right\"\nfor_s = 15",
        "does = \"partition\"\nfor_s = 15",
    ] {
        let struck = report(&fault(keys));
        assert_eq!(struck.whole(), struck.served.len(), "{keys}: {:?}", struck.served);
        for (asked, wait) in waits_s(&struck) {
            let end = asked + wait;
            // Nobody is done in the meantime, but for a moment at its begin.
            assert!(!(20.5..35.0).contains(&end), "{keys}: {asked} {wait}");
            let far = asked + usual < 20.0 || asked > 45.0;
            assert!(!far || wait < 1.5 * usual, "{keys}: {asked} {wait} {usual}");
        }
    }
}

#[test]
fn a_cut_that_ends_leaves_what_another_cuts() {
    let one = "does = \"cut\"\nother = \"right\"\nfor_s = 30";
    let other = "[[fault]]\nat_s = 22\nmachine = \"right\"\ndoes = \"partition\"\nfor_s = 5";
    let report = report(&format!("{}{other}", fault(one)));
    assert_eq!(report.whole(), report.served.len());
    let ends = waits_s(&report).into_iter().map(|(asked, wait)| asked + wait);
    assert!(ends.clone().all(|end| !(20.5..50.0).contains(&end)), "{:?}", ends.collect::<Vec<_>>());
}

#[test]
fn a_way_that_is_cut_is_logged_and_opened_on_time() {
    let keys = "does = \"cut_one_way\"\nother = \"right\"\nfor_s = 15";
    let scenario = super::scenario(&format!("{WORK}{}", fault(keys))).unwrap();
    let outcome = scenario.run(2, Wishes { record: true, ..Wishes::default() });
    let events: Vec<serde_json::Value> =
        outcome.log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = |what: &str| {
        let of = events.iter().filter(|event| event["what"] == what);
        let of = of.map(|event| (event["node"].as_u64().unwrap(), event["t_us"].as_u64().unwrap()));
        of.collect::<Vec<_>>()
    };
    let (cut, open) = (at("cut"), at("open"));
    assert_eq!((cut.len(), open.len()), (1, 1));
    assert_eq!((cut[0].0, open[0].0), (0, 0));
    assert_eq!(open[0].1 - cut[0].1, 15_000_000);
}

#[test]
fn what_is_lost_is_said_again_until_nothing_is() {
    let (calm, lossy) =
        (report(ACROSS), report(&fault("does = \"lossy\"\nloss = 0.05\nfor_s = 15")));
    assert_eq!(lossy.whole(), lossy.served.len());
    let (before, after) = (waits_s(&calm), waits_s(&lossy));
    let late = |from: f64, to: f64| {
        let of = before.iter().zip(&after).filter(|(one, _)| (from..to).contains(&one.0));
        of.map(|((_, usual), (_, wait))| wait - usual).fold(0.0, f64::max)
    };
    assert!(late(20.0, 35.0) > 0.2, "nobody lost anything: {after:?}");
    assert!(late(45.0, 60.0) < 0.1, "something is lost still: {after:?}");
}

#[test]
fn the_weather_is_of_all_ways() {
    let ttft = |truth: &str| {
        let work = "[truth]\nbetween_ms = 100\nbetween_gbit_s = 10\n";
        let report = report(&format!("{ACROSS}{work}{truth}"));
        assert_eq!(report.whole(), report.served.len(), "{truth}");
        report.ttft_ms().unwrap()
    };
    let (usual, same) = (ttft(""), ttft("jitter = 0.05\nloss = 0"));
    assert_eq!(usual, same);
    let (still, uneven) = (ttft("jitter = 0"), ttft("jitter = 1"));
    // A session is opened, then its prompt goes: twice there and back, each half as long again.
    let more = uneven.p50 - still.p50;
    assert!((150.0..280.0).contains(&more), "{still:?} {uneven:?}");
    assert!((5.0..20.0).contains(&(usual.p50 - still.p50)), "{still:?} {usual:?}");
    let rough = ttft("loss = 0.02");
    assert!(rough.p99 > 1.2 * usual.p99, "{usual:?} {rough:?}");
}

#[test]
fn ways_that_cannot_go_wrong_so_are_told_with_their_key() {
    let truth = |keys: &str| format!("{WORK}[truth]\n{keys}\n");
    let fault = |keys: &str| format!("{WORK}{}", fault(keys));
    for (more, words) in [
        (fault("does = \"cut\""), "other = nothing: a cut needs it"),
        (fault("does = \"cut\"\nother = \"rihgt\""), "other = rihgt: "),
        (fault("does = \"cut\"\nother = \"rihgt\""), "did you mean `right`?"),
        (fault("does = \"cut\"\nother = \"left\""), "none is cut from itself"),
        (fault("does = \"cut\"\nother = []"), "other = []: is empty"),
        (fault("does = \"cut\"\nother = 3"), "give a name, or a list of names"),
        (fault("does = \"cut_oneway\"\nother = \"right\""), "did you mean `cut_one_way`?"),
        (fault("does = \"cut_one_way\"\nother = \"right\"\ntold = true"), "told = true: is for"),
        (fault("does = \"die\"\nother = \"right\""), "other = right: is for does = \"cut\""),
        (fault("does = \"lossy\""), "loss = nothing: does = \"lossy\" needs it"),
        (fault("does = \"lossy\"\nloss = 1.5"), "loss = 1.5: may be from 0 to 1"),
        (fault("does = \"lossy\"\nloss = nan"), "loss = NaN: may be from 0 to 1"),
        (fault("does = \"cut\"\nother = \"right\"\nloss = 0.1"), "loss = 0.1: is for"),
        (fault("does = \"die\"\nsilent = true"), "silent = true: is for does = \"lossy\""),
        (fault("does = \"cut\"\nother = \"right\"\nfor_s = -1"), "for_s = -1: may be from 0"),
        (
            format!(
                "{WORK}[[fault]]\nat_s = 1\nmachine = [\"left\", \"right\"]\ndoes = \"partition\""
            ),
            "leave out those on the other",
        ),
        (truth("jitter = -0.1"), "jitter = -0.1: may be from 0 to 100"),
        (truth("loss = 1"), "loss = 1: may be from 0 to 0.5"),
        (truth("los = 0.1"), "did you mean `loss`?"),
    ] {
        super::refused(&more, words);
    }
}

#[test]
fn more_ways_than_can_be_cut_are_refused_before_they_are_made() {
    let machine = |name: &str| {
        format!("[[machine]]\ngpu = \"A100-SXM-40GB\"\ncount = 400\nname = \"{name}\"\n")
    };
    let pool = format!("{}{}", machine("left"), machine("right"));
    let text = "[swarm]\npool = \"pool.toml\"\nmodel = \"llama-2-70b\"\n[workload]\n[[fault]]\n\
                at_s = 1\nmachine = \"left\"\n";
    for does in ["does = \"cut\"\nother = \"right\"", "does = \"partition\""] {
        let read = |_: &str| Ok(pool.clone());
        let said = hexswarm_sim::Scenario::parse(&format!("{text}{does}"), &read);
        let said = said.map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("would cut 160000 ways; 100000 may be"), "{said}");
    }
}
