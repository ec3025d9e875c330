//! The commands that are clients, as processes, against the API over a made-up mind.

use std::{
    process::{Output, Stdio},
    sync::Arc,
};

use hexswarm::status::{NodeStatus, Status};
use serde_json::{Value, json};
use swarm_core::Refusal;
use swarm_proto::Finish;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::fake::{self, Fake, MODEL, bytes, refuses, says};

async fn willing() -> Fake {
    let fake = fake::start("127.0.0.1:0", |_| says("Hello", Finish::Length)).await;
    let node = |peer: &str| NodeStatus { peer: peer.to_owned(), ..NodeStatus::default() };
    let nodes = vec![node("peer-a"), node("peer-b")];
    let status = Status { peer: "peer-a".to_owned(), nodes, ready: true, ..Status::default() };
    fake.status.send_replace(Arc::new(status));
    fake
}

async fn hexswarm(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hexswarm"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary under test starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A process that wants no input may be gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.expect("its end")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn run_prints_the_answer_and_nothing_else() {
    let fake = willing().await;
    // A slash at the end is no part of the address.
    let via = fake.url("/");
    let output = hexswarm(&["run", "--via", &via, "hi"], "").await;
    assert_eq!((output.status.code(), said(&output.stdout)), (Some(0), "Hello\n".to_owned()));
}

#[tokio::test]
async fn run_is_greedy_and_asks_as_it_was_told() {
    let mut fake = willing().await;
    let via = fake.url("");
    hexswarm(&["run", "--via", &via, "-"], "from stdin").await;
    let (_, plain) = fake.asked().await;
    assert_eq!((plain.sampling.temperature, plain.answer_tokens_max), (0.0, 128));
    let told =
        ["--raw", "--temperature", "0.5", "--top-k", "3", "--seed", "9", "--max-tokens", "7"];
    hexswarm(&[&["run", "--via", &via, "x"], &told[..]].concat(), "").await;
    let (_, told) = fake.asked().await;
    assert_eq!((told.sampling.temperature, told.sampling.top_k), (0.5, 3));
    assert_eq!((told.sampling.seed, told.answer_tokens_max), (9, 7));
    assert_eq!(told.tokens, bytes("x"), "raw: without the chat template");
}

#[tokio::test]
async fn run_prints_one_json_document() {
    let fake = willing().await;
    let output = hexswarm(&["run", "--json", "--via", &fake.url(""), "hi"], "").await;
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(answer["model"], MODEL);
    assert_eq!((&answer["prompt"], &answer["text"]), (&json!("hi"), &json!("Hello")));
    assert_eq!(answer["token_ids"], json!(bytes("Hello")));
    assert_eq!((&answer["finish_reason"], &answer["entry"]), (&json!("length"), &json!("peer-a")));
    assert_eq!(answer["cached_tokens"], 16);
    assert!(answer["ttft_ms"].is_f64() && answer["tpot_ms"].is_f64());
}

#[tokio::test]
async fn errors_say_what_to_do_and_have_their_exit_codes() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let via = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    for command in [&["run", "hi"][..], &["chat"], &["status"]] {
        let output = hexswarm(&[command, &["--via", &via]].concat(), "").await;
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let words = format!("cannot reach {via}: is a node running there?");
        assert!(said(&output.stderr).contains(&words), "{}", said(&output.stderr));
    }
    assert_eq!(hexswarm(&["run"], "").await.status.code(), Some(2), "no prompt");
    let busy = fake::start("127.0.0.1:0", |_| refuses(Refusal::Busy)).await;
    let output = hexswarm(&["run", "--via", &busy.url(""), "hi"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output.stderr).contains("this node is busy"), "{}", said(&output.stderr));
}

#[tokio::test]
async fn chat_sends_the_whole_conversation() {
    let mut fake = willing().await;
    let via = fake.url("");
    let output =
        hexswarm(&["chat", "--via", &via, "--max-tokens", "8"], "one\n/help\ntwo\n/reset\nthree\n")
            .await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert_eq!(said(&output.stdout).matches("Hello").count(), 3);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(fake.asked().await.1.tokens.len());
    }
    assert!(lengths[1] > lengths[0] + "Hello".len(), "the answer is sent along: {lengths:?}");
    assert!(lengths[2] < lengths[1], "a reset begins anew: {lengths:?}");
}

#[tokio::test]
async fn status_is_a_document_or_tables() {
    let fake = willing().await;
    let via = fake.url("");
    let output = hexswarm(&["status", "--json", "--via", &via], "").await;
    let status: Status = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(status.nodes.len(), 2);
    let tables = said(&hexswarm(&["status", "--via", &via], "").await.stdout);
    for word in ["…peer-a", "…peer-b", "ready", "round trip in ms / MB/s", "no plan"] {
        assert!(tables.contains(word), "{word}: {tables}");
    }
}
