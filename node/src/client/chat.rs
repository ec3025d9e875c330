//! `hexswarm chat`: a conversation in the terminal.

use std::thread;

use clap::{Args, value_parser};
use rustyline::{DefaultEditor, error::ReadlineError};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Refused, Request, VIA, stream};
use crate::cli::print;

/// A conversation.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm chat
      Talk with the model of the node on this machine
  hexswarm chat --via http://192.0.2.1:8080 --system \"Answer in French.\"
      With that of another, which is told something first

In the conversation: /reset begins anew, /quit ends; Ctrl-C stops an answer.")]
pub struct Options {
    /// The API of any node
    #[arg(long, default_value = VIA, value_name = "URL")]
    via: String,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tokens an answer may have
    #[arg(long, default_value_t = 256, value_parser = value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// 0 is greedy
    #[arg(long, default_value_t = 0.7)]
    temperature: f64,
}

const HELP: &str = "/reset begins anew, /quit ends; Ctrl-C stops an answer";

/// Reads lines, shows answers, until the input ends.
pub(crate) async fn run(options: Options) -> color_eyre::Result<()> {
    let model = super::model(&options.via).await?;
    print::line(format!("{model} at {}. {HELP}", options.via))?;
    let opening: Vec<Value> =
        options.system.iter().map(|text| json!({ "role": "system", "content": text })).collect();
    let mut messages = opening.clone();
    let mut lines = Lines::new()?;
    while let Some(line) = lines.next().await? {
        match line.trim() {
            "" => continue,
            "/quit" | "/exit" => break,
            "/help" => print::line(HELP)?,
            "/reset" => messages.clone_from(&opening),
            text => {
                messages.push(json!({ "role": "user", "content": text }));
                answer(&options, &mut messages).await;
            }
        }
    }
    Ok(())
}

/// One turn. An answer that fails or is stopped leaves the conversation as it was before it.
async fn answer(options: &Options, messages: &mut Vec<Value>) {
    let body = json!({
        "messages": messages,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
    });
    let request = Request { body, chat: true, prompt: String::new() };
    // A reader that has gone away is noticed at the next line.
    let shown = stream(&options.via, &request, |text| drop(print::text(text)));
    let outcome = tokio::select! {
        outcome = shown => outcome,
        _ = tokio::signal::ctrl_c() => Err(color_eyre::eyre::eyre!("stopped")),
    };
    let _ = print::text("\n");
    match outcome {
        Ok(answer) => messages.push(json!({ "role": "assistant", "content": answer.text })),
        Err(error) => {
            messages.pop();
            eprintln!("{error:#}");
            let long = |refused: &Refused| refused.code == "context_length_exceeded";
            if error.downcast_ref().is_some_and(long) {
                eprintln!("the conversation has grown too long: /reset begins anew");
            }
        }
    }
}

/// Lines that a person types, with history. They are read on a thread of their own, which may
/// wait for ever: it ends with the process.
struct Lines {
    wanted: mpsc::Sender<()>,
    lines: mpsc::Receiver<Result<String, ReadlineError>>,
}

impl Lines {
    fn new() -> color_eyre::Result<Self> {
        let mut editor = DefaultEditor::new()?;
        let (wanted, mut wants) = mpsc::channel(1);
        let (read, lines) = mpsc::channel(1);
        thread::Builder::new().name("lines".to_owned()).spawn(move || {
            while wants.blocking_recv().is_some() {
                let line = editor.readline("> ");
                if let Ok(line) = &line {
                    // A line that the history does not take is still a line.
                    let _ = editor.add_history_entry(line);
                }
                if read.blocking_send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { wanted, lines })
    }

    /// The next line; `None` after Ctrl-C, Ctrl-D or the end of the input.
    async fn next(&mut self) -> color_eyre::Result<Option<String>> {
        self.wanted.send(()).await?;
        match self.lines.recv().await {
            Some(Ok(line)) => Ok(Some(line)),
            None | Some(Err(ReadlineError::Eof | ReadlineError::Interrupted)) => Ok(None),
            Some(Err(error)) => Err(error.into()),
        }
    }
}
