//! Scenarios in TOML: pools that serve, and what is said of those that cannot be.

mod layouts;
mod planners;
mod settled;
mod ways;

use std::io;

use hexswarm_sim::{Draft, Outcome, Report, SHIPPED, Scenario, Served, Wishes};

const POOL: &str = "
[[machine]]
gpu = \"A100-SXM-40GB\"
gpus = 8
name = \"left\"
[[machine]]
gpu = \"A100-SXM-40GB\"
gpus = 8
name = \"right\"
";
const TRACE: &str = "timestamp_s,input_tokens,output_tokens\n0,64,8\n1,600,4\n7.5,32,2\n";
/// There is a way between the first two only.
const APART: &str = "
[network]
between_latency_ms = 20
between_bandwidth_gbit_s = 1
[[network.between]]
regions = [\"a\", \"b\"]
latency_ms = 20
bandwidth_gbit_s = 1
[[machine]]
gpu = \"A100-SXM-40GB\"
gpus = 8
region = \"a\"
[[machine]]
gpu = \"A100-SXM-40GB\"
gpus = 8
region = \"b\"
[[machine]]
gpu = \"A100-SXM-40GB\"
gpus = 8
region = \"c\"
";
/// Two prompts are the same, and one begins as they do.
const ALIKE: &str = "timestamp_s,input_tokens,output_tokens,block_ids_512\n\
                     0,1024,4,1 2\n20,1024,4,1 2\n40,1024,4,1 3\n60,1024,4,4 5\n";
const BURST: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                     0,GPT-4,64,8,72,API log\n1,GPT-4,64,0,64,API log\n";

fn read(file: &str) -> io::Result<String> {
    match file {
        "pool.toml" => Ok(POOL.to_owned()),
        "some.csv" => Ok(TRACE.to_owned()),
        "burst.csv" => Ok(BURST.to_owned()),
        "alike.csv" => Ok(ALIKE.to_owned()),
        "unlike.csv" => Ok(ALIKE.replacen("1 2", "7 2", 1).replace("1 3", "8 3")),
        "apart.toml" => Ok(APART.to_owned()),
        "t4.toml" => Ok("[[machine]]\ngpu = \"T4\"\n".to_owned()),
        "churn.csv" => Ok("time_s,event,node\n0,add,a\n20,remove,a\n40,add,b\n".to_owned()),
        "back.csv" => Ok("time_s,event,node\n9,add,a\n8,remove,a\n".to_owned()),
        "holes.csv" => Ok("timestamp_s,input_tokens,output_tokens\n0,64,8\n1,,4\n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn scenario(more: &str) -> Result<Scenario, String> {
    let text = format!("[swarm]\npool = \"pool.toml\"\nmodel = \"llama-2-70b\"\n{more}");
    Scenario::parse(&text, &read).map_err(|e| e.to_string())
}

fn run(more: &str, seed: u64) -> Outcome {
    let outcome = scenario(more).unwrap().run(seed, Wishes::default());
    assert_eq!(outcome.broken, [], "{more}");
    outcome
}

/// It cannot be, and is told so in these words.
fn refused(more: &str, words: &str) {
    let said = scenario(more).map(|_| ()).unwrap_err();
    assert!(said.contains(words), "{more}: {said}");
}

/// Of those that are asked for more than they can serve the first seconds only.
fn briefly(name: &str, mut draft: Draft) -> Scenario {
    if name.starts_with("helix") {
        draft.set(&"run.seconds=30".parse().unwrap()).unwrap();
    }
    draft.scenario().unwrap()
}

#[test]
fn scenarios_that_come_with_the_simulator_run_and_are_clean() {
    for (name, _) in SHIPPED {
        let draft = Draft::named(name).unwrap();
        assert!(draft.about().is_some_and(|about| about.len() > 40), "{name}");
        let outcome = briefly(name, draft).run(3, Wishes::default());
        assert_eq!(outcome.broken, [], "{name}");
        let Some(report) = outcome.report else { continue };
        assert_eq!(report.trouble, None, "{name}");
        if name.starts_with("helix") {
            assert!(report.decode_tokens_per_s() > 10.0, "{name}");
            continue;
        }
        assert!(report.served.len() > 100, "{name}: {}", report.served.len());
        assert_eq!(report.whole(), report.served.len(), "{name}: {:?}", report.served);
        assert_eq!(report.unfinished(), 0, "{name}");
    }
}

#[test]
fn a_slower_machine_serves_as_much_slower() {
    let even = "[workload]\narrivals = \"even\"\nrequests_per_s = 0.05\n[run]\nseconds = 200\n";
    let ms = |truth: &str| {
        let report = run(&format!("{even}[truth]\n{truth}"), 1).report.unwrap();
        assert_eq!(report.whole(), 9);
        (report.ttft_ms().unwrap().p50, report.tpot_ms().unwrap().p50)
    };
    let (ttft, tpot) = ms("");
    let (slow_ttft, slow_tpot) = ms("bandwidth = 0.5\narithmetic = 0.5");
    // The ways between machines are as fast as before.
    assert!((1.6..2.05).contains(&(slow_tpot / tpot)), "{tpot} {slow_tpot}");
    assert!((1.5..2.05).contains(&(slow_ttft / ttft)), "{ttft} {slow_ttft}");
    // 140 GB of weights over 1,555 GB/s, by as many devices as a stage has.
    let least = 140e9 / 1_555e9 * 1e3 / 8.0;
    assert!((least..8.0 * least).contains(&tpot), "{tpot}");
}

#[test]
fn layers_take_as_long_as_they_were_measured_to_whatever_the_factors_say() {
    let even = "[workload]\narrivals = \"even\"\nrequests_per_s = 0.05\n[run]\nseconds = 200\n";
    let tpot = |truth: &str| {
        let report = run(&format!("{even}[truth]\n{truth}"), 1).report.unwrap();
        (report.tpot_ms().unwrap().p50, report.pipelines)
    };
    let (measured, pipelines) = tpot("layers = \"helix\"");
    // No table is of several A100 together: each takes its part of what one takes for a layer.
    let width = pipelines[0][0];
    assert!(pipelines.concat().iter().all(|devices| *devices == width), "{pipelines:?}");
    let least = 80.0 * 1.4 / width as f64;
    assert!((least..1.2 * least).contains(&measured), "{measured} {width}");
    // The factors are for what was not measured: the head, two thousandths of the weights.
    let (slow, _) = tpot("layers = \"helix\"\nbandwidth = 0.5\narithmetic = 0.5");
    assert!((1.0..1.1).contains(&(slow / measured)), "{measured} {slow}");
}

#[test]
fn cards_reach_what_was_fitted_to_each() {
    let work = "[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 30\n[truth]\n";
    let report = |truth: &str| run(&format!("{work}{truth}"), 1).report.unwrap();
    // As sim/data/efficiency.csv has it of the pool's A100.
    let (fitted, said) =
        (report("efficiency = \"fitted\""), report("bandwidth = 0.615\narithmetic = 0.78"));
    assert_eq!(fitted, said);
    assert_ne!(fitted, report(""));
    refused(
        &format!("{work}efficiency = \"fitted\"\nbandwidth = 0.5"),
        "bandwidth = 0.5: efficiency = \"fitted\" says it of each card",
    );
    refused(&format!("{work}efficiency = \"fited\""), "did you mean `fitted`?");
}

#[test]
fn a_recorded_workload_comes_at_its_times_and_lengths() {
    let outcome = run("[workload]\ntrace = \"some.csv\"\nspeed = 0.5\n", 1);
    let served = outcome.report.unwrap().served;
    let asked: Vec<u128> =
        served.iter().map(|s| s.asked.since(served[0].asked).as_millis()).collect();
    assert_eq!(asked, [0, 2_000, 15_000]);
    assert_eq!(served.iter().map(|s| s.tokens).collect::<Vec<_>>(), [8, 4, 2]);
    let later = run("[workload]\ntrace = \"some.csv\"\nfrom_s = 1\n", 1).report.unwrap().served;
    assert_eq!(later.iter().map(|s| s.tokens).collect::<Vec<_>>(), [4, 2]);
}

#[test]
fn a_machine_that_dies_costs_a_pause_and_no_answer() {
    let work = "entries = [\"left\"]\n[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 120\n";
    let calm = run(work, 2).report.unwrap();
    let dies = "[[fault]]\nat_s = 40\nmachine = \"right\"\ndoes = \"die\"\nfor_s = 30\n";
    let struck = run(&format!("{work}{dies}"), 2).report.unwrap();
    assert_eq!(struck.whole(), struck.served.len());
    assert_eq!(struck.served.len(), calm.served.len());
    let worst = |report: &hexswarm_sim::Report| report.latency_ms().unwrap().p99;
    assert!(worst(&struck) > worst(&calm), "nobody noticed");
}

#[test]
fn noise_changes_times_and_no_token() {
    let work = "[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 60\n[truth]\n";
    let wishes = Wishes { record: true, ..Wishes::default() };
    let log = |noise: &str, seed| {
        let outcome = scenario(&format!("{work}{noise}")).unwrap().run(seed, wishes);
        assert_eq!(outcome.broken, []);
        (outcome.log, outcome.report.unwrap())
    };
    let (calm, quiet) = log("", 1);
    let (_, none) = log("noise = 0", 1);
    let (noisy, loud) = log("noise = 0.5", 1);
    assert_eq!(quiet, none);
    assert_ne!(calm, noisy);
    assert_eq!(noisy, log("noise = 0.5", 1).0);
    assert_ne!(noisy, log("noise = 0.5", 2).0);
    let tokens = |report: &Report| report.served.iter().map(|s| s.tokens).collect::<Vec<_>>();
    assert_eq!((quiet.whole(), tokens(&quiet)), (loud.whole(), tokens(&loud)));
    // Members of a stage wait for the slowest of them.
    let tpot = |report: &Report| report.tpot_ms().unwrap().p50;
    assert!(tpot(&loud) > 1.1 * tpot(&quiet), "{} {}", tpot(&loud), tpot(&quiet));
}

#[test]
fn devices_that_are_slow_or_stand_still_cost_that_time_and_no_answer() {
    let work = "[swarm]\npool = \"pool.toml\"\nmodel = \"llama-2-70b\"\nwithout = [\"right\"]\n\
        entries = [\"left\"]\n[workload]\narrivals = \"even\"\nrequests_per_s = 0.1\n[run]\nseconds = 100\n";
    let latencies_s = |fault: &str| {
        let scenario = Scenario::parse(&format!("{work}{fault}"), &read).unwrap();
        let report = scenario.run(1, Wishes::default()).report.unwrap();
        assert_eq!(report.whole(), 9, "{fault}: {:?}", report.served);
        let seconds = |one: &Served| one.latency.unwrap().as_secs_f64();
        report.served.iter().map(seconds).collect::<Vec<_>>()
    };
    let calm = latencies_s("");
    assert!(calm.iter().all(|seconds| (1.0..8.0).contains(seconds)), "{calm:?}");
    // Requests come at 10, 20, 30 s and so on.
    let fault = |more: &str| format!("[[fault]]\nmachine = \"left\"\n{more}");
    let stalled = latencies_s(&fault("at_s = 20.5\ndoes = \"stall\"\nfor_s = 5"));
    let slow = latencies_s(&fault("at_s = 19\ndoes = \"slow\"\nfactor = 3\nfor_s = 30"));
    for (place, calm) in calm.iter().enumerate() {
        let (stalled, slow) = (stalled[place] - calm, slow[place] / calm);
        let least = if place == 1 { 4.9..5.2 } else { -0.2..0.2 };
        assert!(least.contains(&stalled), "{place}: {stalled}");
        let least = if (1..=3).contains(&place) { 2.0..3.1 } else { 0.9..1.1 };
        assert!(least.contains(&slow), "{place}: {slow}");
    }
}

#[test]
fn what_nodes_tell_changes_plans_and_not_how_fast_they_are() {
    let work = "[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 30\n[belief]\n";
    let report = |more: &str| run(&format!("{work}{more}"), 1).report.unwrap();
    let (honest, same) = (report(""), report("bandwidth = 1\narithmetic = 1"));
    assert_eq!(honest, same);
    // Stages that are thought to be done at once wait for nothing but each other.
    let biased = report("bandwidth = 100\narithmetic = 100");
    assert_ne!(honest.pipelines, biased.pipelines);
    assert_eq!(biased.whole(), biased.served.len());
}

#[test]
fn nodes_whose_clocks_differ_serve_all_the_same() {
    let work = "entries = [\"left\"]\n[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 60\n\
        [[fault]]\nat_s = 20\nmachine = \"right\"\ndoes = \"die\"\nfor_s = 20\n[truth]\n";
    let (same, skewed) = (run(work, 3), run(&format!("{work}skew_ppm = 20000"), 3));
    assert_ne!(same.report, skewed.report);
    assert_eq!(skewed, run(&format!("{work}skew_ppm = 20000"), 3));
    let report = skewed.report.unwrap();
    assert_eq!(report.whole(), report.served.len());
    assert_eq!(report.served.len(), same.report.unwrap().served.len());
}

#[test]
fn machines_come_and_go_at_the_times_of_a_trace() {
    let work = "entries = [\"left\"]\n[workload]\nrequests_per_s = 0.5\n[run]\nseconds = 60\n";
    let wishes = Wishes { record: true, ..Wishes::default() };
    let churn = format!("{work}[churn]\ntrace = \"churn.csv\"\n");
    let outcome = scenario(&churn).unwrap().run(2, wishes);
    assert_eq!(outcome.broken, []);
    let report = outcome.report.unwrap();
    assert_eq!(report.whole(), report.served.len());
    let events = outcome.log.lines().map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<serde_json::Value> = events.collect();
    // The first moment that a request could come at is not told: what is between two is.
    let at = |what: &str| {
        let of = |event: &&serde_json::Value| event["what"] == what && event["node"] == 1;
        events.iter().filter(of).map(|e| e["t_us"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let (dead, starts) = (at("dead"), at("starts"));
    assert_eq!((dead.len(), starts.len()), (1, 2));
    assert_eq!(starts[1] - dead[0], 20_000_000);
    let calm = scenario(work).unwrap().run(2, wishes);
    assert_eq!(calm.report.unwrap().served.len(), report.served.len(), "requests come as before");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let work = "[workload]\nrequests_per_s = 1\n[run]\nseconds = 30\n";
    assert_eq!(run(work, 1), run(work, 1));
    assert_ne!(run(work, 1).report, run(work, 2).report);
}

#[test]
fn what_cannot_be_is_told_with_its_key() {
    let work = "[workload]\nrequests_per_s = 1\n";
    for (more, words) in [
        ("[workload]\nrequest_per_s = 1", "did you mean `requests_per_s`?"),
        ("[workloud]\n", "did you mean `workload`?"),
        ("", "needs [workload]"),
        ("[workload]\nrequests_per_s = -1", "requests_per_s = -1: may be from 0.000001 to"),
        (
            "[workload]\nrequests_per_s = 1e5\n[run]\nseconds = 1e3",
            "100000000 requests; 10000000 may be",
        ),
        (
            "[workload]\ntrace = \"some.csv\"\nspeed = 1e-30",
            "speed = 0.000000000000000000000000000001: may be",
        ),
        ("[workload]\nrequests_per_s = nan", "requests_per_s = NaN"),
        ("[workload]\ninput_tokens = 0", "input_tokens = 0: may be from 1"),
        ("[workload]\ninput_tokens = -3", "give a number of tokens, 1 or more, or a list"),
        ("[workload]\noutput_tokens = []", "output_tokens = []: is empty"),
        ("[workload]\ncv = 2", "is for arrivals = \"gamma\""),
        ("[workload]\narrivals = \"bursty\"", "unknown variant `bursty`"),
        ("[workload]\ntrace = \"none.csv\"", "none.csv: "),
        ("[workload]\ntrace = \"holes.csv\"", "holes.csv: line 3: a hole where `input_tokens`"),
        ("[workload]\ntrace = \"some.csv\"\nrequests_per_s = 2", "a trace says itself"),
        ("[workload]\nspeed = 2", "speed = 2: is for a trace"),
        ("[workload]\ninput_tokens_max = 2", "input_tokens_max = 2: is for a trace"),
        ("[workload]\ntrace = \"azure2032\"", "is called azure2023, mooncake, servegen"),
        ("[workload]\ntrace = \"some.csv\"\noutput_tokens_max = 1", "no request of the trace"),
        (&format!("{work}[truth]\nbandwidth = 0"), "bandwidth = 0: may be"),
        (&format!("{work}[truth]\nlayers = \"helium\""), "is called helix"),
        (&format!("{work}[truth]\nlayers = \"some.csv\""), "layers = some.csv: line 2: "),
        (&format!("{work}[planner]\nname = \"hexgne\""), "did you mean hexgen?"),
        (&format!("{work}[planner]\nslo = \"5\""), "planner.slo = 5: write 5s"),
        (&format!("{work}[run]\nseconds = 1e99"), "may be from 0 to"),
        (
            &format!("{work}[[fault]]\nat_s = 1\nmachine = \"centre\"\ndoes = \"die\""),
            "machine = centre",
        ),
        (
            &format!("{work}[[fault]]\nat_s = 1\nmachine = \"left\"\ndoes = \"pause\""),
            "a pause or stall needs it",
        ),
        (
            &format!("{work}[[fault]]\nat_s = 1\nmachine = \"left\"\ndoes = \"slow\""),
            "factor = nothing: does = \"slow\" needs it",
        ),
        (
            &format!("{work}[[fault]]\nat_s = 1\nmachine = \"left\"\ndoes = \"die\"\nfactor = 2"),
            "factor = 2: is for",
        ),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\ntrace = \"back.csv\""),
            "back.csv: line 3: 1 s before",
        ),
        (&format!("{work}[churn]\nmachines = [\"left\"]\ntrace = \"bambu\""), "is called bamboo"),
        (&format!("{work}[churn]\nup_s = 5\ndown_s = 5"), "who is asked stays: name swarm.entries"),
        (&format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 5"), "either trace, or both"),
        (&format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 0\ndown_s = 5"), "up_s = 0"),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 1e-3\ndown_s = 1e-3"),
            "go about 150000 times; 10000 may be",
        ),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 9\ndown_s = 9\nshape = 0"),
            "shape = 0: may be",
        ),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 9\ndown_s = 9\nup_shape = 99"),
            "up_shape = 99: may be",
        ),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\ntrace = \"churn.csv\"\ndown_shape = 1"),
            "down_shape = 1: is for up_s and down_s",
        ),
        (
            &format!("{work}[churn]\nmachines = [\"left\"]\nup_s = 9\ndown_s = 9\nspeed = 2"),
            "churn.speed = 2: is for a trace",
        ),
        (&format!("{work}[churn]\ndoes = \"pause\""), "unknown variant `pause`"),
        (&format!("{work}[truth]\nskew_ppm = 200000"), "skew_ppm = 200000: may be"),
        (&format!("{work}[truth]\nnoise = -1"), "noise = -1: may be"),
        (&format!("{work}[truth]\nbetween_ms = 1\nbetween_gbit_s = 1e-30"), "between_gbit_s = "),
        (&format!("{work}[nodes]\nbeat_ms = 1e-7"), "beat_ms = 0.0000001: may be from 1"),
        (&format!("{work}[belief]\nbandwidth = 0"), "belief.bandwidth = 0: may be"),
        (&format!("{work}[[fault]]\nat_s = -1\nmachine = \"left\"\ndoes = \"die\""), "at_s = -1"),
    ] {
        refused(more, words);
    }
    let other = |text: &str| Scenario::parse(text, &read).map(|_| ()).unwrap_err().to_string();
    assert!(other("play = \"serve\"").contains("needs [swarm]"));
    assert!(
        other("[swarm]\npool = \"no.toml\"\nmodel = \"llama-2-70b\"\n[workload]")
            .contains("no.toml: ")
    );
    assert!(
        other("[swarm]\npool = \"pool.toml\"\nmodel = \"lalma-2-70b\"\n[workload]")
            .contains("did you mean")
    );
    let truth = "[workload]\n[truth]\nlayers = \"helix\"";
    let of = |model: &str| other(&format!("[swarm]\npool = \"pool.toml\"\n{model}\n{truth}"));
    let small = of("model = \"llama-2-13b\"");
    assert!(small.contains("layers of llama-2-70b, and none of Llama-2-13b"), "{small}");
    let packed = of("model = \"llama-2-70b\"\nweights = \"q4_0\"");
    assert!(packed.contains("weights of 16 bits, not 4.5"), "{packed}");
    let unknown = Scenario::named("flood").unwrap_err().to_string();
    assert!(unknown.contains("story, storm, hexgen58"), "{unknown}");
}

#[test]
fn what_was_left_out_of_a_trace_is_told() {
    let notes = scenario("[workload]\ntrace = \"burst.csv\"\n").unwrap().notes().to_vec();
    assert!(notes.iter().any(|note| note.contains("1 requests of the trace")), "{notes:?}");
}

#[test]
fn requests_that_are_too_long_are_left_out_and_counted() {
    let work = "[workload]\ntrace = \"some.csv\"\n";
    let cut = |more: &str| {
        let scenario = scenario(&format!("{work}{more}")).unwrap();
        let served = scenario.run(1, Wishes::default()).report.unwrap().served;
        (served.iter().map(|s| s.tokens).collect::<Vec<_>>(), scenario.notes().join("\n"))
    };
    let (tokens, notes) = cut("input_tokens_max = 64");
    assert_eq!(tokens, [8, 2]);
    assert!(notes.contains("1 requests of the trace are longer"), "{notes}");
    assert_eq!(cut("output_tokens_max = 4").0, [4, 2]);
    assert_eq!(cut("input_tokens_max = 600\noutput_tokens_max = 8").0, [8, 4, 2]);
}

#[test]
fn traces_that_come_with_the_simulator_are_read() {
    for (name, more, left_out) in [
        ("azure2023", "input_tokens_max = 2048\noutput_tokens_max = 1024\n", 19_366 - 16_663),
        ("mooncake", "", 0),
        ("servegen", "", 0),
    ] {
        let scenario = scenario(&format!("[workload]\ntrace = \"{name}\"\n{more}")).unwrap();
        let told = scenario.notes().iter().any(|note| note.starts_with(&format!("{left_out} ")));
        assert_eq!(told, left_out > 0, "{name}: {:?}", scenario.notes());
    }
}

#[test]
fn a_planner_whose_plans_no_swarm_runs_says_so() {
    let outcome = run("[workload]\n[planner]\nname = \"hexgen2\"\n", 1);
    let trouble = outcome.report.unwrap().trouble.unwrap();
    assert!(trouble.contains("prompts and answers apart"), "{trouble}");
}

#[test]
fn a_pool_that_no_plan_fits_says_why() {
    let text = "[swarm]\npool = \"pool.toml\"\nmodel = \"llama-3.1-405b\"\n[workload]\n[planner]\nslo = \"60s\"\n[run]\nslo = \"60s\"\n";
    let scenario = Scenario::parse(text, &read).unwrap();
    let report = scenario.run(1, Wishes::default()).report.unwrap();
    let why = report.trouble.unwrap();
    assert!(why.contains("GiB of memory are missing") && why.contains("of left"), "{why}");
    assert!(report.served.is_empty());
}

/// Prompts of a piece and one token more: where batches wait, both are there when the next is gathered.
#[test]
fn a_session_has_one_piece_of_a_batch() {
    let mut draft = Draft::named("hexgen58").unwrap();
    let rest = ["workload.requests_per_s=45", "workload.input_tokens=[129,257]", "run.seconds=4"];
    for setting in rest {
        draft.set(&setting.parse().unwrap()).unwrap();
    }
    let outcome = draft.scenario().unwrap().run(0, Wishes::default());
    assert_eq!(outcome.broken, []);
}
