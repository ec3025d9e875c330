//! Whole answers.

use serde_json::json;
use swarm_proto::{Finish, Sampling};

use crate::fake::{self, CONTEXT, END, MODEL, bytes, says};

#[tokio::test]
async fn a_chat_is_answered_in_openais_shape() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("Hello", Finish::Stop)).await;
    let reply = fake.chat(json!({ "temperature": 0, "max_tokens": 9 })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], MODEL);
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(answer["created"].as_u64().unwrap() > 1_500_000_000);
    let choice = &answer["choices"][0];
    assert_eq!(choice["index"], 0);
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "Hello");
    assert_eq!(choice["finish_reason"], "stop");
    assert!(choice["logprobs"].is_null());
    assert!(choice.get("token_ids").is_none());
    let (_, ask) = fake.asked().await;
    let prompt = ask.tokens.len();
    let wanted: String = ask.tokens.iter().map(|id| spell(*id)).collect();
    assert_eq!(wanted, "[1]user\nhi[2]\n[1]assistant\n");
    assert_eq!(ask.answer_tokens_max, 9);
    assert_eq!(ask.end_tokens, [END]);
    let seed = ask.sampling.seed;
    assert_eq!(ask.sampling, Sampling { seed, ..Sampling::default() });
    let usage = &answer["usage"];
    assert_eq!(usage["prompt_tokens"], prompt);
    assert_eq!(usage["completion_tokens"], 5);
    assert_eq!(usage["total_tokens"], prompt + 5);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 16);
}

#[tokio::test]
async fn a_completion_is_answered_in_openais_shape() {
    let mut fake = fake::start("127.0.0.1:0", |_| says(" upon", Finish::Length)).await;
    let answer = fake.complete(json!({ "return_token_ids": true })).await.json();
    assert_eq!(answer["object"], "text_completion");
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-"));
    let choice = &answer["choices"][0];
    assert_eq!(choice["text"], " upon");
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(choice["token_ids"], json!(bytes(" upon")));
    let (_, ask) = fake.asked().await;
    assert_eq!(ask.tokens, bytes("once"));
    assert_eq!(ask.answer_tokens_max, 16, "what OpenAI gives if nothing is asked for");
}

#[tokio::test]
async fn what_is_not_said_has_openais_default() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await;
    fake.chat(json!({})).await;
    fake.chat(json!({ "temperature": null, "seed": null, "stop": null })).await;
    let (_, first) = fake.asked().await;
    let (_, second) = fake.asked().await;
    assert_eq!(first.sampling.temperature, 1.0);
    assert_eq!(first.answer_tokens_max as usize + first.tokens.len(), CONTEXT);
    assert_ne!(first.sampling.seed, second.sampling.seed, "an unsaid seed is drawn");
    let neutral = Sampling { temperature: 1.0, ..Sampling::default() };
    assert_eq!(Sampling { seed: 0, ..second.sampling }, neutral);
}

#[tokio::test]
async fn every_way_to_choose_tokens_reaches_the_mind() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await;
    let reply = fake
        .chat(json!({
            "temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125,
            "repetition_penalty": 1.5, "seed": -1, "max_completion_tokens": 3, "max_tokens": 4,
            "logprobs": true, "top_logprobs": 2,
        }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let (_, ask) = fake.asked().await;
    let wanted = Sampling {
        temperature: 0.5,
        top_p: 0.25,
        top_k: 7,
        min_p: 0.125,
        repetition_penalty: 1.5,
        seed: u64::MAX,
        logprobs: Some(2),
    };
    assert_eq!(ask.sampling, wanted);
    assert_eq!(ask.answer_tokens_max, 3, "the newer name wins");
}

#[tokio::test]
async fn several_answers_have_dice_of_their_own() {
    let mut fake = fake::start("127.0.0.1:0", |ask| {
        says(&format!("seed {}", ask.sampling.seed), Finish::Stop)
    })
    .await;
    let answer = fake.chat(json!({ "n": 3, "seed": 40 })).await.json();
    let texts: Vec<_> =
        (0..3).map(|i| answer["choices"][i]["message"]["content"].clone()).collect();
    assert_eq!(texts, ["seed 40", "seed 41", "seed 42"]);
    assert_eq!(answer["choices"][2]["index"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 21);
    let (_, ask) = fake.asked().await;
    assert_eq!(answer["usage"]["prompt_tokens"], ask.tokens.len(), "a prompt is counted once");
}

#[tokio::test]
async fn a_prompt_is_a_text_or_token_ids_with_nothing_added_or_several() {
    let mut fake = fake::start("127.0.0.1:0", |ask| {
        says(&format!("{} tokens", ask.tokens.len()), Finish::Stop)
    })
    .await;
    for (prompt, tokens) in [
        (json!([5, 6, 7]), vec![vec![5, 6, 7]]),
        (json!([[1, 299]]), vec![vec![1, 299]]),
        (json!(["x", "yz"]), vec![bytes("x"), bytes("yz")]),
        (json!([[9], [8, 8]]), vec![vec![9], vec![8, 8]]),
        (json!("<|im_end|>x"), vec![vec![END, fake::byte(b'x')]]),
    ] {
        let answer = fake.complete(json!({ "prompt": prompt })).await.json();
        for (index, tokens) in tokens.into_iter().enumerate() {
            let (_, ask) = fake.asked().await;
            let text = format!("{} tokens", tokens.len());
            assert_eq!(answer["choices"][index]["text"], text, "{answer}");
            assert_eq!(ask.tokens, tokens);
        }
    }
}

#[tokio::test]
async fn a_conversation_is_written_as_the_template_wants() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await;
    let parts = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "<|im_end|>" }]);
    let reply = fake
        .chat(json!({ "messages": [
            { "role": "developer", "content": "s" },
            { "role": "user", "content": parts, "name": "ann" },
            { "role": "assistant", "content": "b", "refusal": null, "tool_calls": null,
              "annotations": [], "audio": null, "function_call": null },
            { "role": "user", "content": "c" },
        ] }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let (_, ask) = fake.asked().await;
    let turn = |text: &str| [vec![1], bytes(text), vec![END], bytes("\n")].concat();
    let mut wanted = turn("system\ns");
    // What a user types is text, even if it looks like a control token.
    wanted.extend(turn("user\na<|im_end|>"));
    wanted.extend(turn("assistant\nb"));
    wanted.extend(turn("user\nc"));
    wanted.extend([vec![1], bytes("assistant\n")].concat());
    let spelled = |ids: &[u32]| ids.iter().map(|id| spell(*id)).collect::<String>();
    assert_eq!(spelled(&ask.tokens), spelled(&wanted));
}

/// A token of the made-up vocabulary as text; pairs of letters follow the bytes.
fn spell(id: u32) -> String {
    match id {
        0..3 => format!("[{id}]"),
        3..259 => char::from((id - 3) as u8).to_string(),
        _ => {
            let pair = (id - 259) as u8;
            [pair / 26, pair % 26].map(|letter| char::from(b'a' + letter)).iter().collect()
        }
    }
}

#[tokio::test]
async fn neutral_values_of_common_clients_are_taken() {
    let fake = fake::start("127.0.0.1:0", |_| says("x", Finish::Stop)).await;
    let neutral = json!({
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "user": "ann",
        "store": false, "metadata": { "any": ["thing"] }, "service_tier": "auto", "tools": [],
        "tool_choice": "none", "parallel_tool_calls": true, "response_format": { "type": "text" },
        "modalities": ["text"], "audio": null, "functions": null, "best_of": 1, "echo": false,
        "suffix": null, "n": 1, "stream": false, "stream_options": null, "verbosity": "medium",
        "top_p": 1, "stop": [], "safety_identifier": "a", "prompt_cache_key": "b",
    });
    for reply in [fake.chat(neutral.clone()).await, fake.complete(neutral).await] {
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

#[tokio::test]
async fn a_stop_string_ends_the_text_wherever_tokens_end() {
    let mut fake = fake::start("127.0.0.1:0", |_| says("one END two", Finish::Length)).await;
    for stop in [json!("END"), json!(["xyz", "END"]), json!(["D t", "END"])] {
        let fields = json!({ "stop": stop, "return_token_ids": true, "logprobs": 0 });
        let answer = fake.complete(fields).await.json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["text"], "one ");
        assert_eq!(choice["finish_reason"], "stop");
        assert_eq!(choice["token_ids"], json!(bytes("one ")), "tokens of the text that is shown");
        assert_eq!(choice["logprobs"]["tokens"], json!(["o", "n", "e", " "]));
        assert_eq!(answer["usage"]["completion_tokens"], 7, "all that were computed");
        let (request, _) = fake.asked().await;
        let freed = fake.hears().await;
        assert_eq!(freed, fake::Heard::Cancelled(request), "its session is free");
    }
    let whole = fake.complete(json!({ "stop": "ENDE" })).await.json();
    assert_eq!(whole["choices"][0]["text"], "one END two");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn log_probabilities_come_in_the_form_of_chats() {
    let fake = fake::start("127.0.0.1:0", |_| says("é!", Finish::Stop)).await;
    let answer = fake.chat(json!({ "logprobs": true, "top_logprobs": 2 })).await.json();
    let content = answer["choices"][0]["logprobs"]["content"].as_array().unwrap().clone();
    assert_eq!(content.len(), 3);
    assert_eq!(content[2]["token"], "!");
    assert_eq!(content[2]["bytes"], json!([33]));
    assert_eq!(content[2]["logprob"], -0.5);
    let top = json!([
        { "token": "!", "logprob": -0.5, "bytes": [33] },
        { "token": "\"", "logprob": -2.0, "bytes": [34] },
    ]);
    assert_eq!(content[2]["top_logprobs"], top);
    assert_eq!(content[0]["token"], "bytes:\\xc3", "half a character has no text");
    assert_eq!(content[0]["bytes"], json!([0xc3]));
}

#[tokio::test]
async fn log_probabilities_come_in_the_form_of_completions() {
    let fake = fake::start("127.0.0.1:0", |_| says("é!?", Finish::Stop)).await;
    let answer = fake.complete(json!({ "logprobs": 2 })).await.json();
    let logprobs = json!({
        "tokens": ["bytes:\\xc3", "bytes:\\xa9", "!", "?"],
        "token_logprobs": [-0.5, -0.5, -0.5, -0.5],
        "top_logprobs": [
            { "bytes:\\xc3": -0.5, "bytes:\\xc4": -2.0 },
            { "bytes:\\xa9": -0.5, "bytes:\\xaa": -2.0 },
            { "!": -0.5, "\"": -2.0 },
            { "?": -0.5, "@": -2.0 },
        ],
        "text_offset": [0, 0, 1, 2],
    });
    assert_eq!(answer["choices"][0]["logprobs"], logprobs);
    assert_eq!(answer["choices"][0]["text"], "é!?");
}

#[tokio::test]
async fn an_impossible_log_probability_is_still_a_number() {
    let fake = fake::start("127.0.0.1:0", |_| {
        let mut script = says("", Finish::Stop);
        let sampled = swarm_proto::Sampled {
            token: fake::byte(b'x'),
            logprob: Some(f32::NEG_INFINITY),
            top: vec![(END, f32::NEG_INFINITY)],
        };
        script.answers.insert(1, swarm_core::Answer::Token(sampled));
        script
    })
    .await;
    let answer = fake.chat(json!({ "logprobs": true, "top_logprobs": 1 })).await.json();
    let entry = &answer["choices"][0]["logprobs"]["content"][0];
    assert_eq!(entry["logprob"], -9999.0);
    assert_eq!(entry["top_logprobs"][0]["token"], "token_id:2", "a control token has no text");
}
