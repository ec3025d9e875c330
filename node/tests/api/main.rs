//! The HTTP API over a made-up mind: what clients may ask, what they get, and what is refused.

mod answers;
mod client;
mod fake;
mod hostile;
mod pages;
mod refusals;
mod streams;

use std::time::Duration;

use fake::{Fake, Heard, MODEL};
use serde_json::{Value, json};
use swarm_core::{Ask, RequestId};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
struct Reply {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The error of an error object, whose shape is checked.
    fn error(&self) -> Value {
        let mut document = self.json();
        let error = document["error"].take();
        assert!(error["message"].is_string() && error["type"].is_string(), "{}", self.body);
        assert!(error.get("param").is_some() && error["code"].is_string(), "{}", self.body);
        error
    }
}

impl Fake {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Reply {
        reply(client().get(self.url(path))).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        reply(client().post(self.url(path)).json(&body)).await
    }

    /// A chat, with fields over the plain ones.
    async fn chat(&self, fields: Value) -> Reply {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        self.post("/v1/chat/completions", over(json!({ "messages": messages }), fields)).await
    }

    /// A completion, with fields over the plain ones.
    async fn complete(&self, fields: Value) -> Reply {
        self.post("/v1/completions", over(json!({ "prompt": "once" }), fields)).await
    }

    /// The next thing that the mind heard.
    async fn hears(&mut self) -> Heard {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("the mind hears nothing").expect("the mind is there")
    }

    /// The next question that the mind heard.
    async fn asked(&mut self) -> (RequestId, Ask) {
        match self.hears().await {
            Heard::Asked(request, ask) => (request, *ask),
            other => panic!("no question but {other:?}"),
        }
    }
}

fn over(mut body: Value, fields: Value) -> Value {
    body["model"] = MODEL.into();
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client")
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.text().await.expect("text") }
}

/// The events of a stream, whose form is checked: `data` only, each followed by an empty line.
fn events(body: &str) -> Vec<String> {
    let blocks = body.split_terminator("\n\n");
    let data = blocks.map(|block| block.strip_prefix("data: ").expect("data").to_owned());
    data.collect()
}

/// The events of a stream that ended well, without its last mark.
fn chunks(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let mut events = events(&reply.body);
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
}

/// The text of one choice of a stream.
fn text_of(chunks: &[Value], index: usize) -> String {
    let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
    let own = choices.filter(|choice| choice["index"] == index);
    own.filter_map(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()))
        .collect()
}
