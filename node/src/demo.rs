//! `hexswarm demo`: a door and unlike nodes as processes of this machine, a plan, an answer.
//!
//! Nothing here is staged: the processes are what `hexswarm bootstrap` and `hexswarm node` start
//! anywhere, they meet over real connections, and the caps on their memory come from the planner.

mod cast;
mod document;
mod process;
mod room;
mod show;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use cast::{Cast, Order};
use clap::{Args, value_parser};
use color_eyre::eyre::{Report, bail, eyre};
pub use document::DemoDocument;
use show::Show;
use swarm_engine::Weights;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    cli::{print, signals::Signals},
    client::{self, Answer, Refused, Request},
    status::{PlanView, Status},
    store::{DEFAULT_MODEL, Store},
};

/// How long the swarm may take from its last process to a plan that answers.
const READY_MAX: Duration = Duration::from_secs(120);
/// How long the entry may then still wait for figures of every link.
const MEASURED_MAX: Duration = Duration::from_secs(3);
/// How often the question is asked at most, if the swarm changes the moment it is.
const TRIES_MAX: u32 = 5;
/// How often a node is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How much later than its effect on other processes a signal may be seen.
const SIGNAL_LATE: Duration = Duration::from_millis(300);
/// KV cache to plan for: the demo's prompt and a conversation after it.
const CONTEXT_TOKENS: u32 = 512;

/// A whole swarm on this machine.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm demo
      Four nodes answer a question, and are gone
  hexswarm demo --keep --api 127.0.0.1:8080
      Leave them serving until Ctrl-C; `hexswarm chat` then talks to them
  hexswarm demo --nodes 8 --prompt \"Name three rivers\" --json
      Eight nodes; the answer, the nodes and the plan as one JSON document")]
pub struct Options {
    /// What to ask the model
    #[arg(long, default_value = "Explain in two sentences why the sky is blue.")]
    prompt: String,
    /// Tokens the answer may have
    #[arg(long, default_value_t = 96,
        value_parser = value_parser!(u32).range(1..i64::from(CONTEXT_TOKENS)))]
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
    api: SocketAddr,
}

/// Runs the demo. Whatever happens, its processes and files are gone afterwards.
pub(crate) async fn run(options: Options) -> color_eyre::Result<()> {
    let mut signals = Signals::listen()?;
    let mut show = Show::new(options.json);
    let (name, path) = fetch(&options.model, &mut signals, &mut show).await?;
    let mut cast = Cast::new()?;
    let mut outcome = tokio::select! {
        played = play(&options, &name, &path, &mut cast, &mut show) => played,
        () = signals.next() => Err(stopped()),
    };
    // A terminal's Ctrl-C reaches the processes too, and the end of one can be seen first.
    if outcome.is_err() && timeout(SIGNAL_LATE, signals.next()).await.is_ok() {
        outcome = Err(stopped());
    }
    if outcome.is_ok() && options.keep {
        tokio::select! {
            served = serve(&mut cast) => outcome = served,
            () = signals.next() => show.draining(),
        }
        tokio::select! {
            () = cast.drain() => {}
            () = signals.next() => {}
        }
    }
    cast.close().await;
    if outcome.is_ok() {
        show.done(options.keep);
    }
    outcome
}

fn stopped() -> Report {
    eyre!("stopped; every process is gone")
}

/// The model's name and file, fetched if need be.
async fn fetch(
    model: &str,
    signals: &mut Signals,
    show: &mut Show,
) -> color_eyre::Result<(String, PathBuf)> {
    show.step("model");
    let wanted = model.to_owned();
    let resolve = move |stop| Ok(Store::open().until(stop).resolve(&wanted)?);
    signals.blocking(resolve).await
}

async fn play(
    options: &Options,
    name: &str,
    path: &Path,
    cast: &mut Cast,
    show: &mut Show,
) -> color_eyre::Result<()> {
    let spec = Weights::open(path)?.spec(name);
    show.model(&spec, path);
    let caps = swarm_scheduler::caps(&spec, usize::from(options.nodes), CONTEXT_TOKENS).map_err(
        |error| eyre!("this model cannot be shown with {} nodes: {error}", options.nodes),
    )?;

    show.step("nodes, each with less memory than the model needs");
    let door = cast.open_door().await?;
    show.door(&door);
    let nodes = caps.len();
    let order = Order { model: path, door: &door, context_tokens: CONTEXT_TOKENS, nodes };
    for (number, caps) in caps.iter().enumerate() {
        let api = if number == 0 { options.api } else { ([127, 0, 0, 1], 0).into() };
        show.member(cast.add(order, caps, api).await?);
    }

    show.step("they find each other through the door");
    let entry = cast.members[0].api.clone();
    let (status, plan) = ready(&entry, cast, show).await?;
    show.swarm(&status, &cast.members);
    show.leader(&status, &cast.members);
    show.plan(&plan, &cast.members);
    show.question(&options.prompt, &status.peer, &plan);
    let (answer, status, plan) = answer(options, (status, plan), &entry, cast, show).await?;
    finish(options, answer, status, plan, show)?;
    if options.keep {
        show.next(&entry, name, CONTEXT_TOKENS);
    }
    Ok(())
}

/// Asks, and again if the swarm changed before it said a word: on a busy machine, links that are
/// measured anew can make another plan the better one, and nodes miss each other's beats.
async fn answer(
    options: &Options,
    (mut status, mut plan): (Status, PlanView),
    entry: &str,
    cast: &mut Cast,
    show: &mut Show,
) -> color_eyre::Result<(Answer, Status, PlanView)> {
    let request = Request::chat(&options.prompt, options.max_tokens);
    let mut tries = TRIES_MAX;
    loop {
        let mut spoke = false;
        let shown = client::stream(entry, &request, |text| {
            spoke = true;
            show.text(text);
        });
        let error = match shown.await {
            Ok(answer) => return Ok((answer, status, plan)),
            Err(error) => error,
        };
        cast.check()?; // a node that died says more
        tries -= 1;
        if tries == 0 || spoke || !Refused::may_pass(&error) {
            return Err(error.wrap_err("no answer"));
        }
        show.again();
        sleep(2 * ASK_EVERY).await; // until the status is no longer that of before
        (status, plan) = ready(entry, cast, show).await?;
        show.plan(&plan, &cast.members);
    }
}

fn finish(
    options: &Options,
    answer: Answer,
    status: Status,
    plan: PlanView,
    show: &mut Show,
) -> color_eyre::Result<()> {
    show.figures(&answer);
    if options.json {
        print::json(&DemoDocument::new(&options.prompt, answer, status, plan))?;
    }
    Ok(())
}

/// Waits until the entry knows every node, a canary token went through its plan, and the links
/// are measured: those can come after the plan, which is made of what is known.
async fn ready(
    entry: &str,
    cast: &mut Cast,
    show: &mut Show,
) -> color_eyre::Result<(Status, PlanView)> {
    let deadline = Instant::now() + READY_MAX;
    let (mut seen, mut since) = (Status::default(), None);
    loop {
        cast.check()?;
        if let Ok(status) = client::status(entry).await {
            show.met(&seen, &status, cast.members.len());
            seen = status;
        }
        let alive = seen.nodes.iter().filter(|node| node.alive && !node.devices.is_empty()).count();
        if seen.ready
            && alive >= cast.members.len()
            && let Some(plan) = &seen.plan
        {
            let since = *since.get_or_insert_with(Instant::now);
            if measured(&seen) || since.elapsed() > MEASURED_MAX {
                let plan = plan.clone();
                seen.nodes.sort_by_key(|node| cast.number(&node.peer));
                return Ok((seen, plan));
            }
        }
        if Instant::now() > deadline {
            let trouble = seen.trouble.unwrap_or_else(|| "no reason is known".to_owned());
            bail!(
                "the swarm was not ready within {} s: {trouble}. Is this machine busy with other \
                 things? Fewer --nodes ask less of it",
                READY_MAX.as_secs()
            );
        }
        sleep(ASK_EVERY).await;
    }
}

/// Whether every node has figures of the ways to all others.
fn measured(status: &Status) -> bool {
    let others = status.nodes.len().saturating_sub(1);
    status.nodes.iter().all(|node| {
        let links = node.links.iter().filter(|link| link.bytes_per_s > 0.0 && !link.predicted);
        links.count() >= others
    })
}

/// Serves until nobody is left; a process that ends by itself or by a person's hand is told, not
/// mourned: the others go on.
async fn serve(cast: &mut Cast) -> color_eyre::Result<()> {
    while cast.plays() {
        for end in cast.ended()? {
            show::warn(&format!("{end}; the others go on"));
        }
        sleep(ASK_EVERY).await;
    }
    bail!("every node has ended")
}
