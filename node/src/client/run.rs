//! `hexswarm run`: one prompt, one answer.

use std::io::{self, Read};

use clap::{Args, value_parser};
use color_eyre::eyre::bail;
use serde_json::{Value, json};

use super::{Request, VIA, document::AnswerDocument, stream};
use crate::cli::print;

/// One prompt.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm run \"Why is the sky blue?\"
  hexswarm run --via http://192.0.2.1:8080 --max-tokens 200 --temperature 0.7 \"A story\"
  cat letter.txt | hexswarm run -")]
pub struct Options {
    /// What to ask; `-` reads it from stdin
    prompt: String,
    /// The API of any node
    #[arg(long, default_value = VIA, value_name = "URL")]
    via: String,
    /// Tokens the answer may have
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// 0 is greedy
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Keep the likeliest tokens up to this probability
    #[arg(long)]
    top_p: Option<f64>,
    /// Keep this many of the likeliest tokens
    #[arg(long)]
    top_k: Option<u32>,
    /// Keep tokens at least this fraction as likely as the likeliest
    #[arg(long)]
    min_p: Option<f64>,
    /// The same seed gives the same answer
    #[arg(long)]
    seed: Option<u64>,
    /// Go on with the text as it is, without the chat template
    #[arg(long)]
    raw: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(crate) async fn run(options: Options) -> color_eyre::Result<()> {
    let prompt = match options.prompt.as_str() {
        "-" => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
        text => text.to_owned(),
    };
    if prompt.trim().is_empty() {
        bail!("the prompt is empty: say what to ask, or `-` to read it from stdin");
    }
    let mut request = Request::chat(&prompt, options.max_tokens);
    if options.raw {
        request.chat = false;
        request.body = json!({ "prompt": prompt, "max_tokens": options.max_tokens });
    }
    request.body["temperature"] = options.temperature.into();
    let wanted = [
        ("top_p", options.top_p.map(Value::from)),
        ("top_k", options.top_k.map(Value::from)),
        ("min_p", options.min_p.map(Value::from)),
        ("seed", options.seed.map(Value::from)),
    ];
    for (name, value) in wanted {
        if let Some(value) = value {
            request.body[name] = value;
        }
    }
    let answer = stream(&options.via, &request, |text| {
        if !options.json {
            let _ = print::text(text); // told of at the end
        }
    })
    .await?;
    if !options.json {
        print::line("")?;
        if answer.finish_reason == "length" {
            let tokens = answer.token_ids.len();
            eprintln!("(cut after {tokens} tokens; --max-tokens allows more)");
        }
        return Ok(());
    }
    let entry = super::status(&options.via).await?.peer;
    let document = AnswerDocument::new(answer, prompt, entry);
    print::json(&document)
}
