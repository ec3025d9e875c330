//! What is not an answer: models, health, figures, the web page.

use std::sync::Arc;

use hexswarm::status::{NodeStatus, PlanView, Status};
use serde_json::json;
use swarm_proto::Finish;

use crate::{
    client,
    fake::{self, CONTEXT, Fake, MODEL, says},
    reply,
};

async fn willing() -> Fake {
    fake::start("127.0.0.1:0", |_| says("four", Finish::Stop)).await
}

#[tokio::test]
async fn the_one_model_is_listed() {
    let fake = willing().await;
    let list = fake.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let model = fake.get(&format!("/v1/models/{MODEL}")).await.json();
    assert_eq!(model, list["data"][0]);
    assert_eq!((&model["id"], &model["object"]), (&json!(MODEL), &json!("model")));
    assert_eq!(model["context_length"], CONTEXT);
    assert!(model["created"].is_u64() && model["owned_by"].is_string());
}

#[tokio::test]
async fn ready_is_what_the_node_says() {
    let fake = willing().await;
    assert_eq!(fake.get("/healthz").await.status, 200);
    fake.status.send_replace(Arc::new(Status {
        trouble: Some("too few machines".to_owned()),
        ..Status::default()
    }));
    let reply = fake.get("/readyz").await;
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("too few machines"), "{}", reply.body);
    fake.status.send_replace(Arc::new(Status { ready: true, ..Status::default() }));
    assert_eq!(fake.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn the_status_is_the_nodes_own() {
    let fake = willing().await;
    let node = NodeStatus { peer: "p".to_owned(), alive: true, ..NodeStatus::default() };
    let plan = Some(PlanView { term: 3, epoch: 4, ..PlanView::default() });
    let status = Status { swarm: "attic".to_owned(), nodes: vec![node], plan, ..Status::default() };
    fake.status.send_replace(Arc::new(status.clone()));
    let told: Status = serde_json::from_str(&fake.get("/status").await.body).unwrap();
    assert_eq!(told, status);
}

#[tokio::test]
async fn figures_count_what_happened() {
    let fake = willing().await;
    let node = NodeStatus { sessions: 5, kv_blocks: 9, alive: true, ..NodeStatus::default() };
    let plan = Some(PlanView { term: 3, epoch: 4, ..PlanView::default() });
    let status = Status { ready: true, term: 3, nodes: vec![node], plan, ..Status::default() };
    fake.status.send_replace(Arc::new(status));
    fake.complete(json!({})).await;
    fake.complete(json!({ "stream": true })).await;
    fake.complete(json!({ "tools": [1] })).await;
    let reply = fake.get("/metrics").await;
    assert!(reply.headers["content-type"].to_str().unwrap().contains("openmetrics-text"));
    for line in [
        "hexswarm_requests_total 3",
        "hexswarm_answers_total 2",
        "hexswarm_refusals_total 1",
        "hexswarm_tokens_total 8",
        "hexswarm_prompt_tokens_total 8",
        "hexswarm_time_to_first_token_seconds_count 2",
        "hexswarm_time_per_output_token_seconds_count 6",
        "hexswarm_ready 1",
        "hexswarm_nodes 1",
        "hexswarm_sessions 5",
        "hexswarm_kv_blocks 9",
        "hexswarm_term 3",
        "hexswarm_epoch 4",
    ] {
        assert!(reply.body.lines().any(|other| other == line), "{line}:\n{}", reply.body);
    }
    assert!(reply.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_web_page_needs_nothing_from_elsewhere() {
    let fake = willing().await;
    let reply = fake.get("/").await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    for word in ["http://", "https://", "src=\"", "@import"] {
        assert!(!reply.body.contains(word), "the page refers to {word}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_ask() {
    let fake = willing().await;
    let asked = client()
        .request(reqwest::Method::OPTIONS, fake.url("/v1/chat/completions"))
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let reply = reply(asked).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.contains_key("access-control-allow-origin"));
    assert!(reply.headers.contains_key("access-control-allow-headers"));
}
