//! The same bits from every layout: real processes, real libp2p, the real model.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use swarm_tests::{Answer, Layout, Share, Swarm};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn whole(node: usize) -> Vec<Share> {
    vec![Share { node, device: 0, kv_heads: (0, 3), ffn_columns: (0, 1536) }]
}

fn share(node: usize, device: u8, kv_heads: (u32, u32), ffn_columns: (u32, u32)) -> Share {
    Share { node, device, kv_heads, ffn_columns }
}

/// A short prompt; one longer than a batch, which is computed in pieces; and company for it.
fn prompts() -> [Value; 4] {
    let long: Vec<u32> = (0..150).map(|at| 500 + at * 997 % 40_000).collect();
    [
        json!("The capital of France is"),
        json!(long),
        json!("Once upon a time"),
        json!("One, two, three,"),
    ]
}

/// What a swarm of this layout answers to each prompt, log-probabilities and all: to the first on
/// its own, to the rest one by one or in each other's company.
async fn answers(devices: &[&[&str]], layout: &Layout, company: bool) -> Vec<Answer> {
    let swarm = Swarm::start(Path::new(BINARY), &model(), devices, Some(layout)).await;
    let [first, rest @ ..] = &prompts();
    let mut answers = vec![swarm.ask(&swarm.entry.api, first, 24).await];
    let ask = |prompt| swarm.ask(&swarm.entry.api, prompt, 8);
    if company {
        answers.extend(futures::future::join_all(rest.iter().map(ask)).await);
    } else {
        for prompt in rest {
            answers.push(ask(prompt).await);
        }
    }
    answers
}

/// The same in company.
async fn answer(devices: &[&[&str]], layout: &Layout) -> Vec<Answer> {
    answers(devices, layout, true).await
}

const ONE: &[&str] = &["cpu:threads=1,memory=1GiB"];
const TWO: &[&str] = &["cpu:threads=1,memory=1GiB", "cpu:threads=2,memory=1GiB"];

#[tokio::test(flavor = "multi_thread")]
async fn every_layout_gives_the_same_bits() {
    let one_node = Layout(vec![((0, 30), whole(0))]);
    let alone = answers(&[ONE], &one_node, false).await;
    assert!(alone[0].text.contains("Paris"), "{alone:?}");

    let threads: &[&str] = &["cpu:threads=2,memory=1GiB"];
    assert_eq!(answer(&[threads], &one_node).await, alone, "two threads, and company");

    let two_stages = Layout(vec![((0, 17), whole(0)), ((17, 30), whole(1))]);
    assert_eq!(answer(&[ONE, ONE], &two_stages).await, alone, "two stages");

    let three_stages = Layout(vec![((0, 3), whole(2)), ((3, 22), whole(0)), ((22, 30), whole(1))]);
    assert_eq!(answer(&[ONE, ONE, ONE], &three_stages).await, alone, "three stages");

    let pair = vec![share(0, 0, (0, 2), (0, 1024)), share(0, 1, (2, 3), (1024, 1536))];
    let one_host = Layout(vec![((0, 30), pair)]);
    assert_eq!(answer(&[TWO], &one_host).await, alone, "2 + 1 KV heads on one host");

    let pair = vec![share(0, 0, (0, 1), (0, 448)), share(1, 0, (1, 3), (448, 1536))];
    let two_hosts = Layout(vec![((0, 30), pair)]);
    assert_eq!(answer(&[ONE, ONE], &two_hosts).await, alone, "1 + 2 KV heads on two hosts");

    let three = vec![
        share(0, 0, (0, 1), (0, 512)),
        share(1, 0, (1, 2), (512, 1344)),
        share(1, 1, (2, 3), (1344, 1536)),
    ];
    let mixed = Layout(vec![((0, 9), whole(2)), ((9, 30), three)]);
    assert_eq!(answer(&[ONE, TWO, ONE], &mixed).await, alone, "one, then three on two hosts");
}
