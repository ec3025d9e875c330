//! The API over a made-up mind that counts words: for trying clients without a swarm.
//!
//! `cargo run -p hexswarm --example fake_api`, then for example
//! `python tests/openai_client.py http://127.0.0.1:8079/v1`.

#[path = "../tests/api/fake.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod fake;

use swarm_core::{Answer, Ask};
use swarm_proto::Finish;

/// Where it listens.
const ADDRESS: &str = "127.0.0.1:8079";

#[tokio::main]
async fn main() {
    let fake = fake::start(ADDRESS, count).await;
    println!("http://{}/v1", fake.address);
    // Ends with the process.
    std::future::pending::<()>().await;
}

/// "one two three …", as far as was asked for.
fn count(ask: &Ask) -> fake::Script {
    let mut script = fake::says("one two three four five six seven eight", Finish::Stop);
    // What `Started` and `Finished` stand round.
    let tokens_max = ask.answer_tokens_max as usize;
    if script.answers.len() - 2 > tokens_max {
        script.answers.truncate(1 + tokens_max);
        script.answers.push(Answer::Finished(Finish::Length));
    }
    script
}
