//! Answers as server-sent events.

use serde_json::{Value, json};
use swarm_core::{Answer, Refusal};
use swarm_proto::Finish;

use crate::{
    chunks, events,
    fake::{self, Heard, Script, begins, byte, bytes, says},
    text_of,
};

#[tokio::test]
async fn a_chat_comes_in_chunks() {
    let fake = fake::start("127.0.0.1:0", |_| says("Hi é", Finish::Stop)).await;
    let chunks = chunks(&fake.chat(json!({ "stream": true })).await);
    assert_eq!(chunks[0]["object"], "chat.completion.chunk");
    assert_eq!(chunks[0]["choices"][0]["delta"], json!({ "role": "assistant", "content": "" }));
    assert_eq!(text_of(&chunks, 0), "Hi é");
    let last = &chunks.last().unwrap()["choices"][0];
    assert_eq!((&last["delta"], &last["finish_reason"]), (&json!({}), &json!("stop")));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()), "nobody asked for it");
    let between = &chunks[1..chunks.len() - 1];
    assert!(between.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    assert!(between.iter().all(|chunk| chunk["choices"][0]["delta"]["content"] != ""));
}

#[tokio::test]
async fn a_completion_comes_in_chunks_with_tokens_and_usage() {
    let fake = fake::start("127.0.0.1:0", |_| says("a é", Finish::Length)).await;
    let reply = fake
        .complete(json!({
            "stream": true, "stream_options": { "include_usage": true, "include_obfuscation": false },
            "return_token_ids": true, "logprobs": 1,
        }))
        .await;
    let mut chunks = chunks(&reply);
    let usage = chunks.pop().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 4);
    assert_eq!(usage["usage"]["prompt_tokens"], 4);
    assert_eq!(usage["usage"]["prompt_tokens_details"]["cached_tokens"], 16);
    assert!(
        chunks.iter().all(|chunk| chunk["usage"].is_null() && chunk["object"] == "text_completion")
    );
    assert_eq!(text_of(&chunks, 0), "a é");
    let all = |path: &str| -> Vec<Value> {
        let lists = chunks.iter().filter_map(|chunk| chunk["choices"][0].pointer(path)?.as_array());
        lists.flatten().cloned().collect()
    };
    assert_eq!(json!(all("/token_ids")), json!(bytes("a é")));
    assert_eq!(json!(all("/logprobs/text_offset")), json!([0, 1, 2, 2]));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn several_answers_share_a_stream() {
    let fake = fake::start("127.0.0.1:0", |ask| {
        says(&format!("seed {}", ask.sampling.seed), Finish::Stop)
    })
    .await;
    let chunks = chunks(&fake.chat(json!({ "stream": true, "n": 3, "seed": 7 })).await);
    for index in 0..3 {
        assert_eq!(text_of(&chunks, index), format!("seed {}", 7 + index));
    }
}

#[tokio::test]
async fn no_part_of_a_stop_string_is_ever_streamed() {
    let fake = fake::start("127.0.0.1:0", |_| says("one EN two END three", Finish::Stop)).await;
    let fields =
        json!({ "stream": true, "stop": ["END"], "logprobs": 1, "return_token_ids": true });
    let chunks = chunks(&fake.complete(fields).await);
    assert_eq!(text_of(&chunks, 0), "one EN two ");
    let told = chunks.iter().filter_map(|chunk| chunk["choices"][0]["token_ids"].as_array());
    let told: Vec<_> = told.flatten().cloned().collect();
    assert_eq!(json!(told), json!(bytes("one EN two ")), "not by way of tokens either");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn text_is_streamed_before_the_answer_is_over() {
    let mut fake = fake::start("127.0.0.1:0", |_| begins("half")).await;
    let body = json!({ "model": fake::MODEL, "prompt": "x", "stream": true });
    let sent = crate::client().post(fake.url("/v1/completions")).json(&body).send();
    let mut response = sent.await.unwrap();
    let mut seen = String::new();
    while !seen.contains("\"f\"") {
        seen += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    }
    let (request, _) = fake.asked().await;
    drop(response);
    assert_eq!(fake.hears().await, Heard::Cancelled(request), "a client that left");
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_sessions_streamed_or_not() {
    for (stream, answered) in [(false, true), (false, false), (true, false)] {
        let script = move |_: &_| if answered { begins("a") } else { Script::default() };
        let mut fake = fake::start("127.0.0.1:0", script).await;
        let body = json!({ "model": fake::MODEL, "prompt": "x", "stream": stream, "n": 2 });
        let sent = crate::client().post(fake.url("/v1/completions")).json(&body).send();
        let client = tokio::spawn(sent);
        let (first, _) = fake.asked().await;
        let (second, _) = fake.asked().await;
        client.abort();
        let freed = [fake.hears().await, fake.hears().await];
        for request in [first, second] {
            assert!(freed.contains(&Heard::Cancelled(request)), "{freed:?}");
        }
    }
}

#[tokio::test]
async fn an_error_in_mid_answer_is_an_event_and_the_end() {
    let failed = Answer::Failed(Refusal::Failed("a stage is gone".to_owned()));
    for (last, hangs_up, code) in
        [(Some(failed), false, "swarm_failed"), (None, true, "interrupted")]
    {
        // The other choice never ends: the stream does all the same.
        let script = move |ask: &swarm_core::Ask| {
            let mut script = begins("half");
            if ask.sampling.seed == 1 {
                script.answers.extend(last.clone());
                script.hangs_up = hangs_up;
            }
            script
        };
        let mut fake = fake::start("127.0.0.1:0", script).await;
        let reply = fake.chat(json!({ "stream": true, "n": 2, "seed": 0 })).await;
        assert_eq!(reply.status, 200);
        let events = events(&reply.body);
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], code, "{last}");
        assert!(last["error"]["message"].is_string());
        let (other, _) = fake.asked().await;
        fake.asked().await;
        let heard = fake.hears().await;
        assert!(
            heard == Heard::Cancelled(other) || fake.hears().await == Heard::Cancelled(other),
            "the other choice's session is free"
        );
    }
}

#[tokio::test]
async fn an_error_in_mid_answer_fails_a_whole_answer() {
    let fake = fake::start("127.0.0.1:0", |_| {
        let mut script = begins("half");
        script.answers.push(Answer::Failed(Refusal::Failed("a stage is gone".to_owned())));
        script
    })
    .await;
    let reply = fake.chat(json!({})).await;
    assert_eq!(reply.status, 502);
    assert!(reply.error()["message"].as_str().unwrap().contains("a stage is gone"));
}

#[tokio::test]
async fn half_a_character_at_the_end_is_shown_as_such() {
    let fake = fake::start("127.0.0.1:0", |_| {
        let mut script = says("a", Finish::Length);
        script.answers.insert(2, fake::token(byte(0xc3)));
        script
    })
    .await;
    let chunks = chunks(&fake.complete(json!({ "stream": true })).await);
    assert_eq!(text_of(&chunks, 0), "a\u{fffd}");
}
