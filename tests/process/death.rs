//! Nodes that die in mid-answer: the text is what it would have been.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::StreamExt;
use serde_json::{Value, json};
use swarm_tests::{Layout, Member, Process, Share, Swarm};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const TOKENS: u32 = 64;
const PROMPT: &str = "Write a short story about a lighthouse keeper and a whale.";

fn model() -> PathBuf {
    let output = std::process::Command::new(BINARY).args(["model", "pull"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Streams an answer; after `tokens` pieces of it, `strike` is called once.
async fn stream(api: &str, tokens: usize, strike: impl FnOnce()) -> String {
    stream_of(api, PROMPT, tokens, strike).await
}

async fn stream_of(api: &str, prompt: &str, tokens: usize, strike: impl FnOnce()) -> String {
    let body = json!({
        "model": "smollm2-135m", "stream": true, "temperature": 0, "max_tokens": TOKENS,
        "messages": [{ "role": "user", "content": prompt }],
    });
    let request = reqwest::Client::new().post(format!("{api}/v1/chat/completions")).json(&body);
    let mut bytes = request.send().await.unwrap().bytes_stream();
    let (mut text, mut pending, mut strike, mut seen) =
        (String::new(), Vec::new(), Some(strike), 0);
    while let Some(chunk) = bytes.next().await {
        pending.extend_from_slice(&chunk.unwrap());
        while let Some(end) = pending.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = pending.drain(..end + 2).collect();
            let event = String::from_utf8(event).unwrap();
            let Some(data) = event.trim().strip_prefix("data: ") else { continue };
            if data == "[DONE]" {
                assert!(strike.is_none() || tokens == usize::MAX, "too short: {text}");
                return text;
            }
            let data: Value = serde_json::from_str(data).unwrap();
            assert!(data.get("error").is_none(), "{data}");
            text += data["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
            seen += 1;
            if seen > tokens
                && let Some(strike) = strike.take()
            {
                strike();
            }
        }
    }
    panic!("the stream ended without [DONE] after {text:?}");
}

/// What a swarm that nothing happens to says. Any other says the same, bit for bit: this one has
/// nothing of it in its KV cache.
async fn undisturbed(prompt: &str) -> String {
    let device: &[&str] = &["cpu:threads=2,memory=1GiB"];
    let calm = Swarm::start(Path::new(BINARY), &model(), &[device], None).await;
    let text = stream_of(&calm.entry.api, prompt, usize::MAX, || {}).await;
    assert!(text.len() > 40, "{text}");
    text
}

/// Three members of which any two can hold the model; what a swarm that nothing happens to says.
async fn swarm() -> (Swarm, String) {
    let device: &[&str] = &["cpu:threads=1,memory=115MB"];
    let swarm = Swarm::start(Path::new(BINARY), &model(), &[device, device, device], None).await;
    let text = stream(&swarm.entry.api, usize::MAX, || {}).await;
    assert!(text.len() > 40, "{text}");
    (swarm, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_stage_that_is_killed_costs_a_pause() {
    let (swarm, text) = swarm().await;
    let victim = swarm.leader_of(0).await;
    let again = stream(&swarm.entry.api, 8, || swarm.members[victim].process.signal("KILL")).await;
    assert_eq!(again, text, "{}", swarm.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_stage_that_is_stopped_costs_a_pause() {
    let (swarm, text) = swarm().await;
    let victim = swarm.leader_of(1).await;
    let again = stream(&swarm.entry.api, 8, || swarm.members[victim].process.signal("STOP")).await;
    assert_eq!(again, text, "{}", swarm.logs());
    swarm.members[victim].process.signal("CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_shared_stage_that_is_stopped_costs_a_pause() {
    let share = |node, kv_heads, ffn_columns| Share { node, device: 0, kv_heads, ffn_columns };
    let pair = vec![share(0, (0, 2), (0, 1024)), share(1, (2, 3), (1024, 1536))];
    let layout = Layout(vec![((0, 30), pair)]);
    let device: &[&str] = &["cpu:threads=1,memory=1GiB"];
    let swarm = Swarm::start(Path::new(BINARY), &model(), &[device, device], Some(&layout)).await;
    let api = &swarm.entry.api;
    let text = stream(api, usize::MAX, || {}).await;
    let victim = &swarm.members[1];
    // It does not lead its stage: the leader waits for its sums when it stops.
    let goes_on = async {
        swarm.alive(&victim.peer, false).await;
        victim.process.signal("CONT");
    };
    let (again, ()) = tokio::join!(stream(api, 8, || victim.process.signal("STOP")), goes_on);
    assert_eq!(again, text, "{}", swarm.logs());
}

/// Lets a process run a tenth of the time, so that what it does can be seen while it does it.
async fn slowed(process: &Process, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        process.signal("STOP");
        tokio::time::sleep(Duration::from_millis(100)).await;
        process.signal("CONT");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Bytes that a node has got from others.
async fn received_bytes(node: &Member) -> Option<u64> {
    let page = reqwest::get(format!("{}/metrics", node.api)).await.ok()?.text().await.ok()?;
    let lines = page.lines().filter(|line| line.starts_with("hexswarm_link_received_bytes"));
    lines.map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The prompt has several batches, and the stage is killed between its first and its last: once it
/// has got more than half a batch's activations, and before anyone was told a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_is_killed_in_mid_prefill_costs_a_pause() {
    const HALF_A_BATCH_BYTES: u64 = 64 * 576 * 4;
    let (swarm, _) = swarm().await;
    let api = &swarm.entry.api;
    let prompt = format!("{}Name the animals.", "A cat saw a dog and a whale. ".repeat(50));
    let first = &swarm.members[swarm.leader_of(0).await].process;
    let victim = &swarm.members[swarm.leader_of(1).await];
    let (spoke, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let before = received_bytes(victim).await.unwrap();
    let killed = async {
        swarm_tests::eventually("a batch", || async {
            let status = swarm.status(&victim.api).await;
            let batch = received_bytes(victim).await? > before + HALF_A_BATCH_BYTES;
            (status["nodes"][0]["sessions"].as_u64()? > 0 && batch).then_some(())
        })
        .await;
        victim.process.signal("KILL");
        over.store(true, Ordering::Relaxed);
        assert!(!spoke.load(Ordering::Relaxed), "the prompt was too short");
    };
    // The first piece only says who speaks.
    let answered = stream_of(api, &prompt, 1, || spoke.store(true, Ordering::Relaxed));
    let (again, (), ()) = tokio::join!(answered, killed, slowed(first, &over));
    assert_eq!(again, undisturbed(&prompt).await, "{}", swarm.logs());
}

/// A member that does not lead its stage never comes back, nor does the founder, whose plan it was:
/// those who are left elect another leader, and its plan does without both.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_shared_stage_that_is_killed_with_the_leader_costs_a_pause() {
    let share = |node, kv_heads, ffn_columns| Share { node, device: 0, kv_heads, ffn_columns };
    let pair = vec![share(0, (0, 2), (0, 1024)), share(1, (2, 3), (1024, 1536))];
    let layout = Layout(vec![((0, 30), pair)]);
    let device: &[&str] = &["cpu:threads=1,memory=1GiB"];
    let devices = [device, device, device, device];
    let swarm = Swarm::start(Path::new(BINARY), &model(), &devices, Some(&layout)).await;
    let api = &swarm.members[2].api;
    swarm_tests::eventually("five voters", || async {
        let status = swarm.status(api).await;
        (status["voters"].as_array()?.len() == 5).then_some(())
    })
    .await;
    swarm.ready(api).await;
    let text = stream(api, usize::MAX, || {}).await;
    let strike = || {
        swarm.members[1].process.signal("KILL");
        swarm.entry.process.signal("KILL");
    };
    assert_eq!(stream(api, 8, strike).await, text, "{}", swarm.logs());
    let gone = [&swarm.members[1].peer, &swarm.entry.peer].map(String::as_str);
    let without = |status: &Value| {
        let plan = status["plan"].to_string();
        let led = !gone.contains(&status["leader"].as_str()?);
        (led && !plan.contains(gone[0]) && !plan.contains(gone[1])).then_some(())
    };
    swarm_tests::eventually("a plan without both", || async { without(&swarm.status(api).await) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_who_leads_the_swarm_costs_nothing() {
    let (swarm, text) = swarm().await;
    let api = &swarm.members[0].api;
    swarm.ready(api).await;
    // The founder leads and holds no layer: the plan that it made outlives it.
    let before = swarm.status(api).await;
    assert_eq!(before["leader"], swarm.entry.peer.as_str(), "{before}");
    let again = stream(api, 8, || swarm.entry.process.signal("KILL")).await;
    assert_eq!(again, text, "{}", swarm.logs());
    let after = swarm_tests::eventually("another leader", || async {
        let status = swarm.status(api).await;
        (status["leader"] != before["leader"]).then_some(status)
    });
    let after = after.await;
    assert_eq!(after["plan"]["pipelines"], before["plan"]["pipelines"], "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_returns_is_taken_back() {
    let (swarm, text) = swarm().await;
    let victim = swarm.leader_of(1).await;
    let peer = swarm.members[victim].peer.clone();
    swarm.members[victim].process.signal("STOP");
    swarm.alive(&peer, false).await;
    swarm.members[victim].process.signal("CONT");
    swarm.alive(&peer, true).await;
    swarm.ready(&swarm.entry.api).await;
    assert_eq!(stream(&swarm.entry.api, usize::MAX, || {}).await, text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_plan_whose_member_is_gone_says_so() {
    let whole = |node| vec![Share { node, device: 0, kv_heads: (0, 3), ffn_columns: (0, 1536) }];
    let layout = Layout(vec![((0, 15), whole(0)), ((15, 30), whole(1))]);
    let device: &[&str] = &["cpu:threads=1,memory=1GiB"];
    let swarm = Swarm::start(Path::new(BINARY), &model(), &[device, device], Some(&layout)).await;
    swarm.members[1].process.signal("KILL");
    let reason = swarm.trouble().await;
    assert!(reason.contains("gone") || reason.contains("not here"), "{reason}");
}
