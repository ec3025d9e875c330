//! `hexswarm plan`: plans a pool of machines from a file, without a swarm.

mod pool;

use std::path::PathBuf;

use clap::Args;
use color_eyre::eyre::{WrapErr, eyre};
use swarm_engine::Weights;
use swarm_proto::Pool;

use super::{print, signals::Signals};
use crate::{
    client::plan_text,
    store::{DEFAULT_MODEL, Store},
    view,
};

/// A plan without a swarm.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm plan --pool pool.toml
      Which layers, heads and columns each device would hold, and how fast that should be
  hexswarm plan --pool pool.toml --model big.gguf --context 32768 --json
      For another model and more context; the plan as JSON (docs/schema/plan.schema.json)

A pool file says what there is:

  [network]
  rtt_ms = 20.0
  gbit_s = 1.0

  [[machine]]
  name = \"attic\"
  count = 2
  memory = [\"8GiB\", \"8GiB\"]     # one entry a device
  bandwidth_gb_s = 360
  tflop_s = 12.7")]
pub struct Options {
    /// The machines and their network, as TOML
    #[arg(long, value_name = "FILE")]
    pool: PathBuf,
    /// What to serve: a known name or a path
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// KV cache to leave room for, in tokens
    #[arg(long, default_value_t = 8192)]
    context: u32,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> color_eyre::Result<()> {
    let shown = options.pool.display();
    let text =
        std::fs::read_to_string(&options.pool).wrap_err_with(|| format!("reading {shown}"))?;
    let (machines, names) = pool::read(&text).wrap_err_with(|| format!("in {shown}"))?;
    let name = options.model.clone();
    let resolve = move |stop| Ok(Store::open().until(stop).resolve(&name)?);
    let (name, path) = Signals::listen()?.blocking(resolve).await?;
    let model = Weights::open(&path)?.spec(&name);
    let pool = Pool { model, machines, context_tokens: options.context, running: None };
    let name = |peer: &str| names.get(peer).cloned().unwrap_or_else(|| peer.to_owned());
    let found = swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default());
    let found = found.map_err(|none| match none.roomiest {
        Some((node, _)) => {
            eyre!(none.why.replace(&format!("{node:?}"), &name(&view::peer(node))))
        }
        None => eyre!(none.why),
    })?;
    let mut plan = view::plan(&found.plan);
    let stages = plan.pipelines.iter_mut().flat_map(|pipeline| &mut pipeline.stages);
    for member in stages.flat_map(|stage| &mut stage.members) {
        member.peer = name(&member.peer);
    }
    if options.json {
        return print::json(&plan);
    }
    let predicted = format!(
        "predicted: TTFT {:.1} ms, TPOT {:.2} ms, {:.2} requests/s; bound by {}",
        found.predicted.ttft_ms,
        found.predicted.tpot_ms,
        found.predicted.requests_per_s,
        found.binding,
    );
    Ok(print::line(format!("{}\n{predicted}", plan_text(&plan, str::to_owned)))?)
}
