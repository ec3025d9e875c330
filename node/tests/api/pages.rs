//! What is not an answer: models, health, figures, the web page.

use std::sync::Arc;

use hexswarm::status::{NodeStatus, PlanView, Status};
use serde_json::json;
use swarm_proto::Finish;

use crate::{
    Reply, client,
    fake::{self, CONTEXT, Fake, MODEL, ORIGIN, says},
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
    let own = NodeStatus { sessions: 5, kv_blocks: 9, alive: true, ..NodeStatus::default() };
    let peer = NodeStatus {
        peer: "far".to_owned(),
        sent_bytes: 7,
        received_bytes: 8,
        ..NodeStatus::default()
    };
    let plan = Some(PlanView { term: 3, epoch: 4, ..PlanView::default() });
    let nodes = vec![own, peer];
    let status = Status { ready: true, term: 6, nodes, plan, ..Status::default() };
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
        "hexswarm_generation_tokens_total 8",
        "hexswarm_prompt_tokens_total 8",
        "hexswarm_time_to_first_token_seconds_count 2",
        "hexswarm_time_per_output_token_seconds_count 6",
        "hexswarm_ready 1",
        "hexswarm_peers 1",
        "hexswarm_sessions 5",
        "hexswarm_kv_blocks 9",
        "hexswarm_term 6",
        "hexswarm_plan_term 3",
        "hexswarm_plan_epoch 4",
        "hexswarm_link_sent_bytes_total{peer=\"far\"} 7",
        "hexswarm_link_received_bytes_total{peer=\"far\"} 8",
        "hexswarm_gossip_mesh_peers 0",
        "hexswarm_gossip_received_bytes_total 0",
        "hexswarm_gossip_duplicate_messages_total 0",
    ] {
        assert!(reply.body.lines().any(|other| other == line), "{line}:\n{}", reply.body);
    }
}

/// Reads the text as OpenMetrics 1.0 has it: a family's TYPE, HELP and UNIT come before its
/// samples, a sample's name is its family's with the ending of its type, a unit ends a name.
#[tokio::test]
async fn figures_are_in_the_form_that_prometheus_reads() {
    let fake = willing().await;
    fake.complete(json!({})).await;
    let text = fake.get("/metrics").await.body;
    let body = text.strip_suffix("# EOF\n").expect("the last mark");
    let (mut families, mut family) = (Vec::new(), Family::default());
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name) = (words.next().unwrap(), words.next().unwrap());
            let value = words.next().expect("a value").to_owned();
            if family.name != name {
                families.push(std::mem::take(&mut family));
                family.name = name.to_owned();
            }
            assert!(family.samples == 0, "{line} after its samples");
            match what {
                "HELP" => family.help = value,
                "TYPE" => family.kind = value,
                "UNIT" => family.unit = value,
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        value.parse::<f64>().unwrap_or_else(|e| panic!("{line}: {e}"));
        let name = name.split('{').next().unwrap();
        let ending = name.strip_prefix(family.name.as_str()).unwrap_or_else(|| panic!("{line}"));
        let endings: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{line}: {other}"),
        };
        assert!(endings.contains(&ending), "{line}");
        family.samples += 1;
    }
    families.push(family);
    for family in &families[1..] {
        assert!(family.help.ends_with('.') && family.help.len() > 10, "{family:?}");
        let of_a_unit = ["seconds", "tokens", "bytes", "blocks", "messages"];
        let unit = of_a_unit.into_iter().find(|unit| family.name.ends_with(&format!("_{unit}")));
        assert_eq!(family.unit, unit.unwrap_or_default(), "{family:?}");
    }
    assert!(families.len() > 15, "{text}");
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    help: String,
    kind: String,
    unit: String,
    samples: usize,
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

async fn asked_by_a_page(fake: &Fake, origin: &str, host: &str) -> Reply {
    let body = json!({ "model": MODEL, "prompt": "x" });
    let url = fake.url("/v1/completions");
    reply(client().post(url).header("origin", origin).header("host", host).json(&body)).await
}

#[tokio::test]
async fn pages_of_the_node_and_of_named_origins_may_ask() {
    let fake = willing().await;
    let host = fake.address.to_string();
    let own = asked_by_a_page(&fake, &format!("http://{host}"), &host).await;
    assert_eq!(own.status, 200, "{}", own.body);
    let named = asked_by_a_page(&fake, ORIGIN, &host).await;
    assert_eq!(named.status, 200, "{}", named.body);
    assert_eq!(named.headers["access-control-allow-origin"], ORIGIN);
    let preflight = client()
        .request(reqwest::Method::OPTIONS, fake.url("/v1/chat/completions"))
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let preflight = reply(preflight).await;
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.headers["access-control-allow-origin"], ORIGIN);
    assert_eq!(preflight.headers["access-control-allow-headers"], "authorization,content-type");
}

#[tokio::test]
async fn pages_of_other_origins_may_not() {
    let mut fake = willing().await;
    let host = fake.address.to_string();
    for origin in ["https://evil.example", "http://localhost:1", "null", "http://127.0.0.1"] {
        let refused = asked_by_a_page(&fake, origin, &host).await;
        assert_eq!(refused.status, 403, "{origin}: {}", refused.body);
        let error = refused.error();
        assert_eq!(error["code"], "wrong_origin");
        assert!(error["message"].as_str().unwrap().contains("--api-origins"), "{error}");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
    }
    assert!(fake.heard.try_recv().is_err(), "nothing of it reached the mind");
}

#[tokio::test]
async fn a_page_that_was_led_here_by_its_own_name_may_not_ask() {
    let mut fake = willing().await;
    let host = format!("evil.example:{}", fake.address.port());
    let refused = asked_by_a_page(&fake, &format!("http://{host}"), &host).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(refused.error()["code"], "wrong_host");
    let status = reply(client().get(fake.url("/status")).header("host", host)).await;
    assert_eq!(status.status, 403, "nor read the status");
    assert!(fake.heard.try_recv().is_err());
}
