//! `hexswarm demo`: a door and unlike nodes as processes of this machine, a plan, an answer.
//!
//! Nothing here is staged: the processes are what `hexswarm bootstrap` and `hexswarm node` start
//! anywhere, they meet over real connections, and the caps on their memory come from the planner.

mod process;
mod show;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, value_parser};
use color_eyre::eyre::{Context, bail, eyre};
use process::{Door, Member};
use show::Show;
use swarm_engine::Weights;

use crate::{
    client::{self, Answer, Request},
    status::Status,
    store::{DEFAULT_MODEL, Store},
};

/// How long the swarm may take from its last process to a plan that answers.
const READY_MAX: Duration = Duration::from_secs(120);
/// How often a node is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// KV cache to plan for: the demo's prompt and a conversation after it.
const CONTEXT_TOKENS: u32 = 512;

/// A whole swarm on this machine.
#[derive(Debug, Args)]
pub struct Options {
    /// What to ask the model
    #[arg(long, default_value = "Explain in two sentences why the sky is blue.")]
    prompt: String,
    /// Tokens the answer may have
    #[arg(long, default_value_t = 96, value_parser = value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Node processes to start, beside the door
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u8).range(3..=8))]
    nodes: u8,
    /// Go on serving until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Print one JSON document on stdout, and everything else on stderr
    #[arg(long)]
    json: bool,
    /// What to serve: a known name or a .gguf file
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// Where the first node's API listens
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    api: std::net::SocketAddr,
}

/// Runs the demo. Whatever happens, its processes and files are gone afterwards.
pub(crate) async fn run(options: Options) -> color_eyre::Result<ExitCode> {
    tokio::select! {
        outcome = play(&options) => outcome.map(|()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nstopped");
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn play(options: &Options) -> color_eyre::Result<()> {
    let show = Show { json: options.json };
    show.step("model");
    let (name, path) = fetch(&options.model).await?;
    let spec = Weights::open(&path)?.spec(&name);
    show.model(&spec, &path);

    show.step("processes");
    let caps = swarm_scheduler::caps(&spec, usize::from(options.nodes), CONTEXT_TOKENS).map_err(
        |error| eyre!("this model cannot be shown with {} nodes: {error}", options.nodes),
    )?;
    let room = tempfile::Builder::new().prefix("hexswarm-demo-").tempdir()?;
    let swarm = format!("demo-{}", std::process::id());
    let door = Door::start(room.path(), &swarm).await.context("the door did not open")?;
    show.door(&door);
    let mut members = Vec::new();
    for (number, caps) in caps.iter().enumerate() {
        let order = process::Order {
            number,
            caps,
            model: &path,
            swarm: &swarm,
            door: &door.address,
            api: if number == 0 { options.api } else { ([127, 0, 0, 1], 0).into() },
            context_tokens: CONTEXT_TOKENS,
        };
        let member = Member::start(room.path(), &order).await?;
        show.member(&member);
        members.push(member);
    }

    let entry = members[0].api.clone();
    let status = ready(&entry, &mut members, show).await?;
    show.swarm(&status, &members);
    let plan = status.plan.clone().ok_or_else(|| eyre!("ready without a plan"))?;
    show.plan(&plan);

    show.step("answer");
    let request = Request::chat(&options.prompt, options.max_tokens);
    let answer = client::stream(&entry, &request, |text| show.text(text)).await?;
    show.figures(&answer);
    if options.json {
        print_document(options, &status, &answer)?;
    }
    if options.keep {
        show.next(&entry, &answer.model);
        return watch(&mut members).await;
    }
    drop((members, door, room));
    show.done();
    Ok(())
}

/// The model's file, fetched if need be; pip and hashing block, so on a thread of their own.
async fn fetch(model: &str) -> color_eyre::Result<(String, PathBuf)> {
    let model = model.to_owned();
    Ok(tokio::task::spawn_blocking(move || Store::open().resolve(&model)).await??)
}

/// Waits until the entry knows every node and a canary token went through its plan.
async fn ready(entry: &str, members: &mut [Member], show: Show) -> color_eyre::Result<Status> {
    let deadline = tokio::time::Instant::now() + READY_MAX;
    let mut seen = Status::default();
    loop {
        for member in members.iter_mut() {
            member.check()?;
        }
        if let Ok(status) = client::status(entry).await {
            show.progress(&seen, &status, members.len());
            seen = status;
        }
        let alive = seen.nodes.iter().filter(|node| node.alive && !node.devices.is_empty()).count();
        if seen.ready && alive >= members.len() {
            return Ok(seen);
        }
        if tokio::time::Instant::now() > deadline {
            let trouble = seen.trouble.unwrap_or_else(|| "no reason is known".to_owned());
            bail!("the swarm was not ready within {} s: {trouble}", READY_MAX.as_secs());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Serves until Ctrl-C; a process that ends by itself or by a person's hand is told, not mourned:
/// the others go on.
async fn watch(members: &mut [Member]) -> color_eyre::Result<()> {
    loop {
        for member in members.iter_mut() {
            if let Some(end) = member.ended()? {
                eprintln!("node {} ended: {end}; the others go on", member.number);
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn print_document(options: &Options, status: &Status, answer: &Answer) -> color_eyre::Result<()> {
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| {
            let devices: Vec<_> = node
                .devices
                .iter()
                .map(|d| serde_json::json!({ "kind": d.kind, "memory_bytes": d.memory_bytes }))
                .collect();
            serde_json::json!({ "peer": node.peer, "devices": devices })
        })
        .collect();
    let document = serde_json::json!({
        "model": answer.model,
        "prompt": options.prompt,
        "text": answer.text,
        "token_ids": answer.token_ids,
        "finish_reason": answer.finish_reason,
        "ttft_ms": answer.ttft_ms,
        "tpot_ms": answer.tpot_ms,
        "entry": status.peer,
        "nodes": nodes,
        "plan": status.plan,
    });
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}
