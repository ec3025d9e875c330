//! Clients that want too much.

use serde_json::json;
use swarm_proto::Finish;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client,
    fake::{self, Fake, MODEL, Script, says},
    over, reply,
};

async fn willing() -> Fake {
    fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let fake = willing().await;
    let mut stream = TcpStream::connect(fake.address).await.unwrap();
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        u64::MAX / 2
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    assert!(reply.contains("larger than 8388608 bytes"), "{reply}");
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_refused() {
    let fake = willing().await;
    let mut stream = TcpStream::connect(fake.address).await.unwrap();
    let head =
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let mut reply = String::new();
    for _ in 0..9 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let _ = stream.read_to_string(&mut reply).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
}

#[tokio::test]
async fn large_bodies_are_refused_for_what_they_hold() {
    let mut fake = willing().await;
    let bytes = 1 << 20;
    for prompt in [
        json!("z".repeat(bytes)),
        json!(vec![1; bytes / 2]),
        json!(vec!["z"; bytes / 4]),
        json!(vec![[1]; bytes / 4]),
    ] {
        let reply = fake.complete(json!({ "prompt": prompt })).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert!(reply.body.len() < 1000);
    }
    let many = json!(vec![json!({}); bytes / 3 - 40]);
    let reply = fake.chat(json!({ "messages": many })).await;
    assert!(reply.error()["message"].as_str().unwrap().contains("not 1 to 4096"));
    let ignored = json!(vec![1; bytes / 2]);
    let reply = fake.complete(json!({ "metadata": ignored })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    fake.asked().await;
}

#[tokio::test]
async fn what_is_no_http_is_turned_away() {
    let fake = willing().await;
    let mut stream = TcpStream::connect(fake.address).await.unwrap();
    stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 0, b'\r', b'\n', b'\r', b'\n']).await.unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    assert!(reply.is_empty() || reply.starts_with(b"HTTP/1.1 400"));
    assert_eq!(fake.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn more_requests_than_there_are_turns_are_told_to_come_again() {
    let mut fake = fake::start("127.0.0.1:0", |_| Script::default()).await;
    let client = crate::client();
    let url = fake.url("/v1/completions");
    let ask = || client.post(&url).json(&over(json!({ "prompt": "x" }), json!({}))).send();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..256 {
        waiting.spawn(ask());
        // One at a time, so that the made-up mind's queue has room.
        fake.asked().await;
    }
    let reply = fake.complete(json!({})).await;
    assert_eq!(reply.status, 429, "{}", reply.body);
    assert_eq!(reply.error()["code"], "busy");
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(fake.get("/v1/models").await.json()["data"][0]["id"], MODEL, "pages still come");
    waiting.shutdown().await;
    // Turns come back as the clients' ends are noticed.
    let freed = fake.hears().await;
    assert!(matches!(freed, fake::Heard::Cancelled(_)), "{freed:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let fake = willing().await;
    let many = "x: y\r\n".repeat(200);
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, long] {
        let mut stream = TcpStream::connect(fake.address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        // It is refused before it has come to its end.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut reply = [0; 12];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(&reply, b"HTTP/1.1 431");
    }
}

#[tokio::test]
async fn deep_json_is_refused_or_ignored_wherever_it_is() {
    let fake = willing().await;
    let depth = 100_000;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for field in ["prompt", "stop", "logit_bias", "temperature", "stream_options", "model"] {
        let rest = if field == "model" { "" } else { "\"model\":\"made-up\"," };
        let prompt = if field == "prompt" { "" } else { "\"prompt\":\"x\"," };
        let body = format!("{{{rest}{prompt}\"{field}\":{deep}}}");
        let reply = reply(client().post(fake.url("/v1/completions")).body(body)).await;
        assert_eq!(reply.status, 400, "{field}: {}", reply.body);
        assert_eq!(reply.error()["param"], field, "{}", reply.body);
    }
    let body = format!("{{\"model\":\"made-up\",\"prompt\":\"x\",\"metadata\":{deep}}}");
    let reply = reply(client().post(fake.url("/v1/completions")).body(body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn a_closing_api_ends_its_answers_and_takes_no_more() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("four", Finish::Stop)).await;
    let mut open = TcpStream::connect(fake.address).await.unwrap();
    let body = json!({ "model": MODEL, "prompt": "x" }).to_string();
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(8);
    open.write_all((head + first).as_bytes()).await.unwrap();
    // The request is under way once its turn is taken: the API counts it then.
    while !fake.get("/metrics").await.body.contains("hexswarm_requests_total 1") {}
    fake.closing.cancel();
    while TcpStream::connect(fake.address).await.is_ok() {}
    open.write_all(rest.as_bytes()).await.unwrap();
    let mut reply = String::new();
    open.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(reply.contains("\"text\":\"four\""), "{reply}");
    fake.asked().await;
}
