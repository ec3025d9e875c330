//! Entries hear from members how much others send there.

use std::io;

use hexswarm_sim::{Report, Sabotage, Scenario, Wishes};

/// Six machines that each hold the model.
const POOL: &str = "
[[machine]]
gpu = \"A100-SXM-80GB\"
gpus = 2
count = 6
name = \"box\"
";

/// Two entries, requests of which each keeps a machine for itself (no batches), at a rate that
/// leaves none idle for long.
const SCENARIO: &str = "
[swarm]
pool = \"pool.toml\"
model = \"llama-2-70b\"
entries = [\"box-1\", \"box-2\"]
[nodes]
batch_sessions = 1
[workload]
arrivals = \"poisson\"
requests_per_s = 1.2
input_tokens = 128
output_tokens = 64
[run]
seconds = 300
scales = [2.0]
";

fn report(seed: u64, sabotage: Sabotage) -> Report {
    let read = |_: &str| -> io::Result<String> { Ok(POOL.to_owned()) };
    let scenario = Scenario::parse(SCENARIO, &read).unwrap();
    let outcome = scenario.run(seed, Wishes { sabotage, ..Wishes::default() });
    assert_eq!(outcome.broken, []);
    outcome.report.unwrap()
}

/// If peers' sessions were not heard of (`Busy::hear`), entries would send to the same replica while
/// others stand idle; a world whose beats say nothing of them shows what that costs.
#[test]
fn entries_that_hear_of_each_others_sessions_serve_sooner() {
    for seed in 0..3 {
        let (heard, deaf) = (report(seed, Sabotage::None), report(seed, Sabotage::IdleBeats));
        assert!(heard.pipelines.len() >= 4, "{:?}", heard.pipelines);
        assert_eq!(heard.whole(), deaf.whole(), "seed {seed}");
        let late = |report: &Report| 1.0 - report.attainment().next().unwrap().1;
        let (some, more) = (late(&heard), late(&deaf));
        assert!(some > 0.0 && more > 2.0 * some, "seed {seed}: {some} and {more} are late");
    }
}
