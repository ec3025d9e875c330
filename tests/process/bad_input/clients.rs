//! Clients of a real node that want too much, or leave.

use std::path::Path;

use serde_json::{Value, json};
use swarm_tests::{Events, Layout, Member, Share, Swarm, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{BINARY, make, room};

const MODEL: &str = "made-up";
const CONTEXT: usize = 32_768;

async fn ready(node: Member) -> Member {
    let url = format!("{}/readyz", node.api);
    eventually("ready", || async {
        reqwest::get(&url).await.ok().filter(|reply| reply.status() == 200).map(drop)
    })
    .await;
    node
}

async fn get(node: &Member, path: &str) -> String {
    reqwest::get(format!("{}{path}", node.api)).await.unwrap().text().await.unwrap()
}

/// Status and body of the answer to a body, whatever it holds.
async fn post(node: &Member, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let sent = reqwest::Client::new().post(format!("{}{path}", node.api)).body(body).send().await;
    let reply = sent.expect("an answer");
    (reply.status().as_u16(), reply.json().await.expect("JSON"))
}

async fn complete(node: &Member, body: Value) -> (u16, Value) {
    post(node, "/v1/completions", body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_node_refuses_what_cannot_be_and_goes_on() {
    let room = room();
    let node = ready(room.node("state", &["--context", "32768"]).await).await;
    let deep = "[".repeat(100_000);
    for (body, status, code) in [
        (b"{\"model\": \"\xff\"}".to_vec(), 400, "invalid_json"),
        (b"{\"model\":".to_vec(), 400, "invalid_json"),
        (deep.clone().into_bytes(), 400, "invalid_json"),
        (format!("{{\"model\":\"{MODEL}\",\"prompt\":{deep}").into_bytes(), 400, "invalid_json"),
        (vec![b' '; 9 << 20], 413, "invalid_body"),
    ] {
        let (got, error) = post(&node, "/v1/completions", body).await;
        assert_eq!((got, error["error"]["code"].as_str()), (status, Some(code)), "{error}");
    }
    for (fields, status, code) in [
        (json!({ "prompt": vec![5; CONTEXT] }), 400, "context_length_exceeded"),
        (json!({ "prompt": "y".repeat(7 << 20) }), 400, "context_length_exceeded"),
        (json!({ "prompt": [300] }), 400, "invalid_value"),
        (json!({ "prompt": "x", "model": "gpt-4" }), 404, "model_not_found"),
        (json!({ "prompt": "x", "n": 9 }), 400, "invalid_value"),
        (json!({ "prompt": "x", "logit_bias": { "5": 1 } }), 400, "unsupported_parameter"),
    ] {
        let mut body = fields;
        body["model"] = body.get("model").cloned().unwrap_or_else(|| MODEL.into());
        let (got, error) = complete(&node, body).await;
        assert_eq!((got, error["error"]["code"].as_str()), (status, Some(code)), "{error}");
    }
    let ids: Vec<u32> = (10..60).collect();
    let body = json!({ "model": MODEL, "prompt": ids, "n": 8, "seed": 3, "max_tokens": 4, "logprobs": 20 });
    let (status, answer) = complete(&node, body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["choices"].as_array().unwrap().len(), 8);
    assert_eq!(answer["usage"]["prompt_tokens"], 50, "nothing is added to token ids");
    for choice in answer["choices"].as_array().unwrap() {
        let top = choice["logprobs"]["top_logprobs"].as_array().unwrap();
        assert!(!top.is_empty() && top.iter().all(|top| top.as_object().unwrap().len() >= 20));
    }
    let again = json!({ "model": MODEL, "prompt": ids, "max_tokens": 1 });
    let (_, answer) = complete(&node, again).await;
    let cached = &answer["usage"]["prompt_tokens_details"]["cached_tokens"];
    assert_eq!(cached, 48, "the full blocks of 16 tokens, without the prompt's last token");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_slow_connections_cost_nobody_an_answer() {
    let room = room();
    let node = ready(room.node("state", &["--context", "32768"]).await).await;
    let body = json!({ "model": MODEL, "prompt": [10, 11], "max_tokens": 500, "stream": true,
        "temperature": 0, "return_token_ids": true });
    let mut answer = Events::ask(&node.api, "/v1/completions", &body).await;
    let first = answer.next().await.expect("a token");
    let (address, mut idle) = (node.api.strip_prefix("http://").unwrap(), Vec::new());
    // Twice as many as there may be.
    for _ in 0..400 {
        let silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nx: ").await.unwrap();
        idle.extend([silent, slow]);
    }
    let (status, other) = complete(&node, json!({ "model": MODEL, "prompt": "x" })).await;
    assert_eq!(status, 200, "{other}");
    let mut end = [0];
    assert_eq!(idle[0].read(&mut end).await.unwrap_or(0), 0, "the idlest made room");
    let told = swarm_tests::token_ids(&first).len() + answer.token_ids().await.len();
    assert_eq!(told, 500, "{}", node.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_asks_is_closed() {
    let room = room();
    let node = room.node("state", &[]).await;
    let mut slow = TcpStream::connect(node.api.strip_prefix("http://").unwrap()).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let mut end = Vec::new();
    let closed = slow.read_to_end(&mut end);
    tokio::time::timeout(swarm_tests::PATIENCE, closed).await.expect("it is closed").unwrap();
    assert!(end.is_empty() || end.starts_with(b"HTTP/1.1 408"), "{end:?}");
    assert_eq!(get(&node, "/healthz").await, "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_frees_its_session_on_every_node() {
    let model = tempfile::tempdir().unwrap();
    let file = model.path().join("made-up.gguf");
    make(&file);
    let half = |node, first, end| {
        let kv_heads = (0, 2);
        ((first, end), vec![Share { node, device: 0, kv_heads, ffn_columns: (0, 96) }])
    };
    let layout = Layout(vec![half(0, 0, 1), half(1, 1, 2)]);
    let device: &[&str] = &["cpu:threads=1,memory=256MiB"];
    let swarm = Swarm::start(Path::new(BINARY), &file, &[device, device], Some(&layout)).await;
    let body = json!({ "model": MODEL, "prompt": [10, 11], "max_tokens": 30_000, "stream": true,
        "temperature": 0, "return_token_ids": true });
    let mut stays = Events::ask(&swarm.entry.api, "/v1/completions", &body).await;
    stays.next().await.expect("a token");
    let mut leaves = Events::ask(&swarm.entry.api, "/v1/completions", &body).await;
    leaves.next().await.expect("a token");
    // The one that stays began first: were the other not freed, it would end after this one.
    let stays = tokio::spawn(stays.token_ids());
    drop(leaves);
    for member in &swarm.members {
        let sessions = || async {
            let status = swarm.status(&member.api).await;
            (status["nodes"][0]["sessions"] == 1).then_some(())
        };
        eventually("one session is left", sessions).await;
        let figures = get(member, "/metrics").await;
        assert!(figures.contains("hexswarm_sessions 1\n"), "{figures}");
    }
    assert!(!stays.is_finished(), "the other goes on");
    stays.abort();

    // Whoever says that it is ready can answer: a plan that has lost a member cannot.
    assert_eq!(reqwest::get(format!("{}/readyz", swarm.entry.api)).await.unwrap().status(), 200);
    swarm.members[1].process.signal("KILL");
    let reason = swarm.trouble().await;
    let ready = reqwest::get(format!("{}/readyz", swarm.entry.api)).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(reason.contains("gone"), "{reason}");
    assert!(get(&swarm.entry, "/metrics").await.contains("hexswarm_ready 0\n"));
}
