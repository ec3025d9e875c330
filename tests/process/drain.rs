//! Nodes that are told to stop: what runs is brought to its end, and nothing is left behind.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use swarm_engine::{Format, Shape, synth};
use swarm_tests::{Events, Member, Room, Swarm, eventually, token_ids};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const BINARY: &str = env!("CARGO_BIN_EXE_hexswarm");
const MODEL: &str = "made-up";
/// How long a node drains at most. What ends well before was not waited for.
const DRAIN_MAX: Duration = Duration::from_secs(60);

fn make(file: &Path) {
    let shape = Shape { context_max: 32_768, ..Shape::tiny() };
    synth(&shape, Format::F32, 1, file).expect("a model");
}

async fn ready_node(room: &Room) -> Member {
    let node = room.node("state", &["--context", "32768"]).await;
    let url = format!("{}/readyz", node.api);
    eventually("ready", || async {
        reqwest::get(&url).await.ok().filter(|reply| reply.status() == 200).map(drop)
    })
    .await;
    node
}

fn ask(tokens: u32) -> Value {
    json!({ "model": MODEL, "prompt": [10, 11], "max_tokens": tokens, "stream": true,
        "temperature": 0, "return_token_ids": true })
}

async fn begun(api: &str, tokens: u32) -> (Events, Vec<u64>) {
    let mut answer = Events::ask(api, "/v1/completions", &ask(tokens)).await;
    let first = answer.next().await.expect("a token");
    (answer, token_ids(&first))
}

/// Processes whose parent is this one.
fn children(parent: u32) -> String {
    let output = Command::new("ps").args(["--ppid", &parent.to_string(), "-o", "pid="]).output();
    String::from_utf8(output.expect("ps runs").stdout).expect("text")
}

async fn drains(signal: &str) {
    let room = Room::new(Path::new(BINARY), make);
    let mut node = ready_node(&room).await;
    let (answer, mut told) = begun(&node.api, 400).await;
    let id = node.process.id().expect("it runs");
    node.process.signal(signal);
    // It takes nothing new, and says so, for as long as it answers at all.
    let refused = eventually("a refusal", || async {
        let request = reqwest::Client::new().post(format!("{}/v1/completions", node.api));
        let body = json!({ "model": MODEL, "prompt": "x", "max_tokens": 1 });
        match request.json(&body).send().await {
            Ok(reply) if reply.status() == 503 => Some(reply.json::<Value>().await.ok()),
            Ok(_) => None,
            Err(_) => Some(None), // it is gone already
        }
    })
    .await;
    if let Some(refused) = refused {
        assert_eq!(refused["error"]["code"], "draining", "{refused}");
    }
    told.extend(answer.token_ids().await);
    assert_eq!(told.len(), 400, "{}", node.process.said());
    let ended = node.process.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", node.process.said());
    assert_eq!(children(id), "");
    let address = node.api.strip_prefix("http://").expect("an address");
    std::net::TcpListener::bind(address).expect("its port is free");
    let entries = fs::read_dir(room.path("state")).expect("its folder");
    let mut left: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    left.sort();
    assert_eq!(left, ["ballot", "key", "lock"], "no file that is not meant to stay");
    assert!(!node.process.said().contains("panicked"), "{}", node.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_running_answers_finish() {
    drains("INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_running_answers_finish() {
    drains("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_half_sent_is_told_that_the_node_leaves() {
    let room = Room::new(Path::new(BINARY), make);
    let mut node = ready_node(&room).await;
    let address = node.api.strip_prefix("http://").expect("an address");
    let mut open = TcpStream::connect(address).await.expect("a connection");
    let body = ask(1).to_string();
    let (first, rest) = body.split_at(9);
    let length = body.len();
    let head = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length:";
    open.write_all(format!("{head} {length}\r\n\r\n{first}").as_bytes()).await.expect("sent");
    eventually("it is under way", || async {
        let figures =
            reqwest::get(format!("{}/metrics", node.api)).await.ok()?.text().await.ok()?;
        figures.contains("hexswarm_requests_total 1\n").then_some(())
    })
    .await;
    node.process.signal("TERM");
    eventually("it takes no more connections", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    open.write_all(rest.as_bytes()).await.expect("sent");
    let mut reply = String::new();
    open.read_to_string(&mut reply).await.expect("an answer");
    assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("\"draining\""), "{reply}");
    assert_eq!(node.process.ended().await.code(), Some(0), "{}", node.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_asked_nothing_stops_at_once() {
    let room = Room::new(Path::new(BINARY), make);
    let mut node = ready_node(&room).await;
    // Its client keeps a connection open, and asks nothing.
    let address = node.api.strip_prefix("http://").expect("an address");
    let _open = TcpStream::connect(address).await.expect("a connection");
    node.process.signal("INT");
    assert_eq!(node.process.ended().await.code(), Some(0), "{}", node.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_node_at_once() {
    for signals in [["INT", "INT"], ["TERM", "TERM"], ["TERM", "INT"]] {
        let room = Room::new(Path::new(BINARY), make);
        let mut node = ready_node(&room).await;
        let (answer, _) = begun(&node.api, 30_000).await;
        // Read all the while: who leaves an answer unread has it ended.
        let whole = tokio::spawn(answer.token_ids());
        node.process.signal(signals[0]);
        eventually("it drains", || async {
            let text =
                reqwest::get(format!("{}/readyz", node.api)).await.ok()?.text().await.ok()?;
            text.contains("leaving").then_some(())
        })
        .await;
        assert!(!whole.is_finished(), "the answer goes on after the node was told to stop");
        node.process.signal(signals[1]);
        let ended = tokio::time::timeout(DRAIN_MAX / 2, node.process.ended()).await;
        ended.expect("it does not wait for its answers");
        assert!(whole.await.is_err(), "{signals:?}: the answer was cut short");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_drains_costs_no_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("made-up.gguf");
    make(&file);
    let device: &[&str] = &["cpu:threads=1,memory=256MiB"];
    let mut swarm = Swarm::start(Path::new(BINARY), &file, &[device, device], None).await;
    let undisturbed = Events::ask(&swarm.entry.api, "/v1/completions", &ask(600)).await;
    let undisturbed = undisturbed.token_ids().await;
    assert_eq!(undisturbed.len(), 600);

    let victim = swarm.leader_of(0).await;
    let peer = swarm.members[victim].peer.clone();
    let (answer, mut told) = begun(&swarm.entry.api, 600).await;
    swarm.members[victim].process.signal("TERM");
    told.extend(answer.token_ids().await);
    assert_eq!(told, undisturbed, "{}", swarm.logs());
    let ended = swarm.members[victim].process.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", swarm.logs());
    swarm.ready(&swarm.entry.api).await;
    let status = swarm.status(&swarm.entry.api).await;
    assert!(!status["plan"].to_string().contains(&peer), "{status}");
}

/// The founder is the only voter of two; when it leaves, the other elects itself, plans and serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_founder_that_leaves_hands_its_vote_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model.gguf");
    make(&model);
    let device: &[&str] = &["cpu:threads=1,memory=1GiB"];
    let mut swarm = Swarm::start(Path::new(BINARY), &model, &[device], None).await;
    swarm.entry.process.signal("INT");
    assert_eq!(swarm.entry.process.ended().await.code(), Some(0), "{}", swarm.logs());
    let rest = &swarm.members[0];
    let status = eventually("another leader", || async {
        let status = swarm.status(&rest.api).await;
        (status["leader"] == rest.peer.as_str()).then_some(status)
    })
    .await;
    assert_eq!(status["voters"], json!([rest.peer]), "{status}");
    swarm.ready(&rest.api).await;
}
