//! Answers as they come.

use reqwest::Response;
use serde_json::Value;

/// An answer as server-sent events.
#[derive(Debug)]
pub struct Events {
    response: Response,
    pending: Vec<u8>,
}

impl Events {
    /// Asks `path` of a node's API with a body that wants a stream.
    pub async fn ask(api: &str, path: &str, body: &Value) -> Self {
        let sent = reqwest::Client::new().post(format!("{api}{path}")).json(body).send();
        let response = sent.await.expect("an answer");
        if !response.status().is_success() {
            panic!("{}: {:?}", response.status(), response.text().await);
        }
        Self { response, pending: Vec::new() }
    }

    /// The next chunk; `None` at the end of a whole answer. An error, or an end without the last
    /// mark, is a panic.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.pending.drain(..end + 2).collect();
                let event = String::from_utf8(event).expect("text");
                match event.trim().strip_prefix("data: ") {
                    None => continue, // a comment
                    Some("[DONE]") => return None,
                    Some(data) => {
                        let chunk: Value = serde_json::from_str(data).expect("JSON");
                        assert!(chunk.get("error").is_none(), "{chunk}");
                        return Some(chunk);
                    }
                }
            }
            let more = self.response.chunk().await.expect("more of the answer");
            self.pending.extend_from_slice(&more.expect("the last mark"));
        }
    }

    /// The tokens of the rest, of requests with `return_token_ids`.
    pub async fn token_ids(mut self) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(chunk) = self.next().await {
            ids.extend(token_ids(&chunk));
        }
        ids
    }
}

/// The tokens of a chunk.
pub fn token_ids(chunk: &Value) -> Vec<u64> {
    let ids = chunk["choices"][0]["token_ids"].as_array();
    ids.into_iter().flatten().filter_map(Value::as_u64).collect()
}
