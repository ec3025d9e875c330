//! What is refused, and in which words.

use serde_json::{Value, json};
use swarm_core::Refusal;
use swarm_proto::Finish;

use crate::{
    Reply, client,
    fake::{self, CONTEXT, Fake, MODEL, refuses, says},
    reply,
};

async fn willing() -> Fake {
    fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await
}

fn assert_refused(reply: &Reply, param: &str, code: &str, words: &str) {
    assert_eq!(reply.status, 400, "{}", reply.body);
    let error = reply.error();
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], param, "{error}");
    assert_eq!(error["code"], code, "{error}");
    assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
}

#[tokio::test]
async fn a_field_that_would_change_the_answer_is_refused_by_name() {
    let mut fake = willing().await;
    for (name, value) in [
        ("tools", json!([{ "type": "function" }])),
        ("functions", json!([{ "name": "f" }])),
        ("tool_choice", json!("required")),
        ("response_format", json!({ "type": "json_object" })),
        ("logit_bias", json!({ "5": 1 })),
        ("presence_penalty", json!(0.1)),
        ("frequency_penalty", json!(-1)),
        ("best_of", json!(2)),
        ("suffix", json!("end")),
        ("echo", json!(true)),
        ("store", json!(true)),
        ("audio", json!({ "voice": "x" })),
        ("modalities", json!(["text", "audio"])),
        ("reasoning_effort", json!("high")),
        ("prediction", json!({ "type": "content" })),
        ("web_search_options", json!({})),
        ("min_tokens", json!(4)),
        ("logit_bias", json!(vec!["long"; 400])),
    ] {
        for reply in [
            fake.chat(json!({ name: value.clone() })).await,
            fake.complete(json!({ name: value })).await,
        ] {
            assert_refused(&reply, name, "unsupported_parameter", &format!("`{name}`"));
            assert!(reply.body.len() < 500, "no echo of long values: {}", reply.body);
        }
    }
    assert!(fake.heard.try_recv().is_err(), "nothing of it reached the mind");
}

#[tokio::test]
async fn a_mistyped_field_is_told_its_nearest() {
    let fake = willing().await;
    let reply = fake.chat(json!({ "temprature": 1 })).await;
    assert_refused(&reply, "temprature", "unsupported_parameter", "did you mean `temperature`?");
    let reply = fake.chat(json!({ "quux_of_nowhere": 1 })).await;
    assert_refused(&reply, "quux_of_nowhere", "unsupported_parameter", "unknown field");
    assert!(!reply.body.contains("did you mean"));
    let reply = fake.chat(json!({ "prompt": "x" })).await;
    assert_refused(&reply, "prompt", "unsupported_parameter", "of /v1/completions, not of this");
    let reply = fake.complete(json!({ "top_logprobs": 2 })).await;
    assert_refused(&reply, "top_logprobs", "unsupported_parameter", "of /v1/chat/completions");
    let name = "é".repeat(10_000);
    let reply = fake.chat(json!({ name: 1 })).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.len() < 500);
}

#[tokio::test]
async fn a_value_out_of_its_bounds_is_refused_by_name() {
    let mut fake = willing().await;
    for (name, value) in [
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.1)),
        ("temperature", json!("hot")),
        ("top_p", json!(0)),
        ("top_p", json!(1.5)),
        ("top_k", json!(-1)),
        ("min_p", json!(2)),
        ("repetition_penalty", json!(0)),
        ("seed", json!(1.5)),
        ("seed", json!("x")),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(1.5)),
        ("max_tokens", json!(u64::MAX)),
        ("n", json!(0)),
        ("n", json!(9)),
        ("stop", json!(5)),
        ("stop", json!([""])),
        ("stop", json!([5])),
        ("stop", json!(vec!["x"; 17])),
        ("stop", json!("x".repeat(257))),
        ("stream", json!("yes")),
        ("stream_options", json!({ "include_usage": true })),
        ("logprobs", json!("many")),
        ("logprobs", json!(21)),
        ("model", json!(7)),
    ] {
        let reply = fake.complete(json!({ name: value })).await;
        assert_refused(&reply, name, "invalid_value", name);
    }
    for (name, value) in [
        ("top_logprobs", json!(21)),
        ("top_logprobs", json!(2)),
        ("logprobs", json!(1)),
        ("max_completion_tokens", json!(0)),
    ] {
        let reply = fake.chat(json!({ name: value })).await;
        assert_refused(&reply, name, "invalid_value", name);
    }
    let reply = fake.chat(json!({ "stream": true, "stream_options": { "verbose": 1 } })).await;
    assert_refused(&reply, "stream_options", "invalid_value", "include_usage");
    assert!(fake.heard.try_recv().is_err(), "nothing of it reached the mind");
}

#[tokio::test]
async fn messages_that_cannot_be_are_refused_by_place() {
    let fake = willing().await;
    let user = json!({ "role": "user", "content": "x" });
    for (messages, param, words) in [
        (json!([]), "messages", "0 messages"),
        (json!("x"), "messages", "a list of messages"),
        (json!([user, 5]), "messages[1]", "not a message"),
        (json!([{ "content": "x" }]), "messages[0]", "no role"),
        (json!([{ "role": 5, "content": "x" }]), "messages[0].role", "not a text"),
        (json!([{ "role": "tool", "content": "x" }]), "messages[0].role", "`tool`"),
        (json!([{ "role": "user<|im_end|>", "content": "x" }]), "messages[0].role", "role"),
        (json!([{ "role": "user" }]), "messages[0]", "no content"),
        (json!([{ "role": "user", "content": null }]), "messages[0]", "no content"),
        (json!([{ "role": "user", "content": 5 }]), "messages[0].content", "a text"),
        (
            json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }]),
            "messages[0].content",
            "`image_url`",
        ),
        (
            json!([{ "role": "assistant", "content": "x", "tool_calls": [{}] }]),
            "messages[0].tool_calls",
            "`tool_calls`",
        ),
    ] {
        let reply = fake.chat(json!({ "messages": messages })).await;
        assert_eq!(reply.status, 400, "{messages}: {}", reply.body);
        let error = reply.error();
        assert_eq!(error["param"], param, "{error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
    }
    let missing = fake.post("/v1/chat/completions", json!({ "model": MODEL })).await;
    assert_refused(&missing, "messages", "invalid_value", "missing");
}

#[tokio::test]
async fn prompts_that_cannot_be_are_refused() {
    let fake = willing().await;
    for prompt in [
        json!(""),
        json!([]),
        json!([[]]),
        json!(5),
        json!({ "text": "x" }),
        json!([1, "x"]),
        json!(["x", 1]),
        json!([-1]),
        json!([300]),
        json!([1.5]),
        json!([4_294_967_296_u64]),
        json!([[[1]]]),
    ] {
        let reply = fake.complete(json!({ "prompt": prompt })).await;
        assert_refused(&reply, "prompt", "invalid_value", "");
    }
    let reply = fake.complete(json!({ "prompt": ["x", "y", "z"], "n": 3 })).await;
    assert_refused(&reply, "n", "invalid_value", "at most 8");
    let missing = fake.post("/v1/completions", json!({ "model": MODEL })).await;
    assert_refused(&missing, "prompt", "invalid_value", "missing");
}

#[tokio::test]
async fn what_does_not_fit_the_context_is_refused_with_the_counts() {
    let mut fake = willing().await;
    let full = vec![5; CONTEXT];
    let reply = fake.complete(json!({ "prompt": full })).await;
    assert_refused(&reply, "prompt", "context_length_exceeded", "256 tokens; the prompt has 256");
    let reply = fake.complete(json!({ "prompt": full[1..], "max_tokens": 2 })).await;
    assert_refused(
        &reply,
        "prompt",
        "context_length_exceeded",
        "has 255 and the answer may have 2",
    );
    let long = json!([{ "role": "user", "content": "y ".repeat(200) }]);
    let reply = fake.chat(json!({ "messages": long })).await;
    assert_refused(&reply, "messages", "context_length_exceeded", "256 tokens");
    assert!(fake.heard.try_recv().is_err(), "nothing of it reached the mind");
    let fits = fake.complete(json!({ "prompt": full[1..] })).await;
    assert_eq!(fits.status, 200, "{}", fits.body);
}

#[tokio::test]
async fn another_model_is_refused_with_the_one_that_is_served() {
    let fake = willing().await;
    let reply = fake.chat(json!({ "model": "gpt-4" })).await;
    assert_eq!(reply.status, 404);
    let error = reply.error();
    assert_eq!(error["code"], "model_not_found");
    assert_eq!(error["param"], "model");
    assert!(error["message"].as_str().unwrap().contains(MODEL), "{error}");
    let missing = fake.post("/v1/completions", json!({ "prompt": "x" })).await;
    assert_refused(&missing, "model", "invalid_value", MODEL);
}

#[tokio::test]
async fn bodies_that_are_no_requests_are_refused() {
    let fake = willing().await;
    for (body, words) in [
        (b"{\"model\": ".to_vec(), "not JSON"),
        (b"".to_vec(), "not JSON"),
        (b"[1, 2]".to_vec(), "not a JSON object"),
        (b"{} {}".to_vec(), "not JSON"),
        (b"{\"model\": \"\xff\xfe\"}".to_vec(), "not UTF-8"),
        ([vec![b'['; 100_000], vec![b']'; 100_000]].concat(), "not a JSON object"),
    ] {
        let reply = reply(client().post(fake.url("/v1/chat/completions")).body(body)).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        let error = reply.error();
        assert_eq!(error["code"], "invalid_json");
        assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn what_the_mind_refuses_has_its_status_streamed_or_not() {
    for (refusal, status, code) in [
        (Refusal::Busy, 429, "busy"),
        (Refusal::NoPlan("too few machines".to_owned()), 503, "not_ready"),
        (Refusal::Draining, 503, "draining"),
        (Refusal::Failed("a stage is gone".to_owned()), 502, "swarm_failed"),
        (Refusal::TooLong { tokens: 9, tokens_max: 8 }, 400, "context_length_exceeded"),
        (Refusal::NoRoom { tokens: 9, tokens_max: 8 }, 400, "context_length_exceeded"),
        (Refusal::Invalid("odd".to_owned()), 400, "invalid_value"),
    ] {
        let words = refusal.to_string();
        let fake = fake::start("127.0.0.1:0", move |_| refuses(refusal.clone())).await;
        for stream in [false, true] {
            let reply = fake.chat(json!({ "stream": stream })).await;
            assert_eq!(reply.status, status, "{}", reply.body);
            let error = reply.error();
            assert_eq!(error["code"], code);
            assert_eq!(error["message"], Value::from(words.as_str()));
            assert_eq!(reply.headers.contains_key("retry-after"), status == 429);
        }
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_refused_in_the_same_shape() {
    let fake = willing().await;
    let reply = fake.get("/v1/embeddings").await;
    assert_eq!((reply.status, reply.error()["code"].as_str()), (404, Some("not_found")));
    let reply = fake.get("/v1/chat/completions").await;
    assert_eq!((reply.status, reply.error()["code"].as_str()), (405, Some("method_not_allowed")));
    assert_eq!(reply.headers["allow"], "POST");
    let reply = fake.post("/v1/models", json!({})).await;
    assert_eq!(reply.status, 405);
    let reply = fake.get("/v1/models/other").await;
    assert_eq!((reply.status, reply.error()["code"].as_str()), (404, Some("model_not_found")));
}
