//! A live swarm and a simulated one of the same nodes, asked the same: the same plan, the same course
//! of every session. Nothing here is about time.

use std::path::{Path, PathBuf};

use hexswarm_sim::Sabotage;
use serde_json::{Value, json};
use swarm_core::Config;
use swarm_tests::{Course, History, Swarm, Twin};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// A prompt that is asked twice, so that some of it is in the KV cache; one that is longer than a
/// batch, and a short one.
fn prompts() -> [(Value, u32); 4] {
    let count = json!("The natural numbers are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,");
    let long: Vec<u32> = (0..150).map(|at| 500 + at * 997 % 40_000).collect();
    [(count.clone(), 12), (count, 12), (json!(long), 3), (json!("One, two, three,"), 6)]
}

/// What a swarm whose members have so much memory recorded of these prompts, and what its entry was
/// told. A swarm whose plan depends on when what was measured is started anew.
async fn live(memory: &[&str]) -> (History, Config) {
    for _ in 0..8 {
        let (history, config) = asked(memory).await;
        if history.came_to_rest(&config.model) {
            return (history, config);
        }
    }
    panic!("the plan of this swarm never comes to rest");
}

async fn asked(memory: &[&str]) -> (History, Config) {
    let devices = memory.iter().map(|bytes| [format!("cpu:threads=1,memory={bytes}")]);
    let devices: Vec<_> = devices.collect();
    let devices: Vec<[&str; 1]> = devices.iter().map(|[device]| [device.as_str()]).collect();
    let devices: Vec<&[&str]> = devices.iter().map(|device| &device[..]).collect();
    let mut swarm = Swarm::recorded(Path::new(BINARY), &model(), &devices, None).await;
    for (prompt, answer) in prompts() {
        let answer = swarm.ask(&swarm.entry.api, &prompt, answer).await;
        assert_eq!(answer.finish_reason, "length", "{}", swarm.logs());
    }
    swarm.stop().await;
    History::recorded(&swarm)
}

fn tokens(history: &History) -> Vec<usize> {
    history.led().iter().map(|led| led.tokens).collect()
}

/// Holds a simulated swarm to a live one.
fn hold(live: &History, twin: &History, nodes: usize) {
    assert_eq!(live.shape(), twin.shape(), "the plan");
    assert_eq!(live.shape()[0].len(), nodes, "each member has a stage: {:?}", live.shape());
    assert_eq!(tokens(live), prompts().map(|(_, tokens)| tokens as usize), "live");
    assert_eq!(tokens(twin), tokens(live), "simulated");
    let (live, twin) = (Course::of(live), Course::of(twin));
    assert_eq!(live.differences(&twin), Vec::<String>::new(), "{live:#?}");
    assert_eq!(live.messages(), twin.messages());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_pair_does_what_a_live_one_did_and_a_spoilt_one_does_not() {
    let (live, config) = live(&["110MB", "100MB"]).await;
    let twin = Twin::of(&live, &config);
    let asks = live.asks();
    for seed in 0..4 {
        hold(&live, &twin.ask(&asks, seed), 2);
    }

    let course = Course::of(&live);
    let differences = |history: &History| course.differences(&Course::of(history));
    let lost = differences(&twin.clone().sabotaged(Sabotage::LoseClose).ask(&asks, 0));
    let close = |said: &String| said.contains("hears from entry") && said.contains("`close");
    assert!(lost.iter().any(close), "lost messages show: {lost:?}");

    let mut longer = asks.clone();
    longer[3].answer_tokens_max += 1;
    assert!(!differences(&twin.ask(&longer, 0)).is_empty(), "a token more shows");
    let mut other = asks.clone();
    other[1].tokens[0] += 1;
    assert!(!differences(&twin.ask(&other, 0)).is_empty(), "a prompt that is not cached shows");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_simulated_members_do_what_three_live_ones_did() {
    let (live, config) = live(&["80MB", "72MB", "64MB"]).await;
    hold(&live, &Twin::of(&live, &config).ask(&live.asks(), 0), 3);
}
