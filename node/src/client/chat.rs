//! `hexswarm chat`: a conversation in the terminal.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
};

use clap::Args;
use serde_json::{Value, json};

use super::{Request, VIA, stream};

/// A conversation.
#[derive(Debug, Args)]
pub struct Options {
    /// The API of any node
    #[arg(long, default_value = VIA, value_name = "URL")]
    via: String,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tokens an answer may have
    #[arg(long, default_value_t = 256)]
    max_tokens: u32,
    /// 0 is greedy
    #[arg(long, default_value_t = 0.7)]
    temperature: f32,
}

const HELP: &str = "/reset begins anew, /quit ends; Ctrl-C stops an answer";

/// Reads lines, shows answers, until the input ends.
pub(crate) async fn run(options: Options) -> color_eyre::Result<ExitCode> {
    let model = super::model(&options.via).await?;
    println!("{model} at {}. {HELP}", options.via);
    let opening: Vec<Value> =
        options.system.iter().map(|text| json!({ "role": "system", "content": text })).collect();
    let mut messages = opening.clone();
    loop {
        print!("> ");
        io::stdout().flush()?;
        let Some(line) = next_line().await? else { return Ok(ExitCode::SUCCESS) };
        match line.trim() {
            "" => continue,
            "/quit" | "/exit" => return Ok(ExitCode::SUCCESS),
            "/help" => println!("{HELP}"),
            "/reset" => messages.clone_from(&opening),
            text => {
                messages.push(json!({ "role": "user", "content": text }));
                answer(&options, &mut messages).await;
            }
        }
    }
}

/// One turn. An answer that fails or is stopped leaves the conversation as it was before it.
async fn answer(options: &Options, messages: &mut Vec<Value>) {
    let body = json!({
        "messages": messages,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
    });
    let request = Request { body, chat: true, prompt: String::new() };
    let shown = stream(&options.via, &request, |text| {
        print!("{text}");
        let _ = io::stdout().flush();
    });
    let outcome = tokio::select! {
        outcome = shown => outcome,
        _ = tokio::signal::ctrl_c() => Err(color_eyre::eyre::eyre!("stopped")),
    };
    println!();
    match outcome {
        Ok(answer) => messages.push(json!({ "role": "assistant", "content": answer.text })),
        Err(error) => {
            messages.pop();
            eprintln!("{error:#}");
        }
    }
}

/// A line from the terminal, read on a thread that may wait.
async fn next_line() -> color_eyre::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|bytes| (bytes > 0).then_some(line))
    });
    Ok(read.await??)
}
