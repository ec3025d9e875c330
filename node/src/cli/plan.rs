//! `hexswarm plan`: plans a pool of machines from a file, without a swarm.

mod ask;
pub mod document;
mod drawn;
mod places;
mod running;
mod svg;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use color_eyre::eyre::{WrapErr, bail};
use document::{PlanDocument, ServedDocument};
use places::Places;
use swarm_engine::Weights;
use swarm_proto::ModelSpec;
use swarm_scheduler::{
    Ask, Deadline, EXPECTED, Ground, Model, Objective, Planner, PoolFile, Rules, Workload, bounds,
    catalogue, explain, lack, leaders, moves, propose, propose_from,
};

use super::{print, signals::Signals};
use crate::store::{DEFAULT_MODEL, Store};

/// KV cache of every pipeline of a leader's plan, unless told.
const CONTEXT_TOKENS: u32 = 8192;
/// What is asked of a plan that is not a leader's, unless told.
const WORKLOAD: Workload = Workload { input_tokens: 128, output_tokens: 64, requests_per_s: None };
/// Devices of which every partition is looked at in a bearable time.
const EXHAUSTIVE_MAX: usize = 8;

/// A plan without a swarm.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm plan --pool pool.toml
      As the leader of a swarm plans: which layers, heads and columns each device would hold, and
      how fast that should be
  hexswarm plan --pool pool.toml --model big.gguf --context 32768 --json
      For another model and more context; the plan as JSON (docs/schema/proposal.schema.json)
  hexswarm plan --pool docs/pools/hexgen_half30.toml --model llama-2-70b --slo 5x --explain
      Replicas of a model of the catalogue on cards of the catalogue, for a deadline, and why
  hexswarm plan --pool docs/pools/hexgen_full58.toml --model llama-2-70b --slo 5x --svg plan.svg
      The plan as a picture: replicas, their stages, and each device's share of them
  hexswarm plan --pool pool.toml --model qwen3-32b --weights q4_k_m --workload 763,232,2 --slo 20s
      For prompts of 763 tokens and answers of 232, two a second

A pool file says what there is:

  [network]
  rtt_ms = 20.0
  gbit_s = 1.0

  [[machine]]
  name = \"attic\"
  count = 2
  memory = [\"8GiB\", \"8GiB\"]     # one entry a device
  bandwidth_gb_s = 360
  tflop_s = 12.7

  [[machine]]
  gpu = \"RTX3090\"                # or a card of the catalogue
  gpus = 4
  region = \"iceland\"

docs/planning.md has all keys, `hexswarm catalogue` all cards and models.")]
pub struct Options {
    /// The machines and their network, as TOML
    #[arg(long, value_name = "FILE")]
    pool: PathBuf,
    /// What to serve: a name of `hexswarm catalogue`, a path, or a model that can be fetched
    #[arg(long, default_value = DEFAULT_MODEL)]
    model: String,
    /// Tokens of KV cache that every replica has room for, which bounds the requests that it has
    /// under way [default: 8192 if planned as a leader does, else what its requests need]
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..))]
    context: Option<u32>,
    /// Weight format of a model of the catalogue, such as fp16 or q4_k_m (see `hexswarm catalogue`)
    #[arg(long, value_name = "FORMAT")]
    weights: Option<String>,
    /// Tokens of a prompt and of an answer, and requests a second [default: 128,64; a leader's
    /// 256,128]
    #[arg(long, value_name = "IN,OUT[,RATE]")]
    workload: Option<Workload>,
    /// Deadline of a request: 5s, 800ms, or 5x for five times what eight A100 take
    #[arg(long, value_name = "TIME")]
    slo: Option<Deadline>,
    /// What the plan is to be good at [default: slo with --slo, else throughput; a leader's is slo,
    /// for twice the time of the fastest replica]
    #[arg(long, value_enum)]
    objective: Option<ask::Aim>,
    /// Which search
    #[arg(long, value_parser = ask::planners())]
    planner: Option<Planner>,
    /// Leave out a machine, a group of machines, a region, or a device (`machine:number`); repeatable
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Only these machines, groups of machines or regions may hold the first and the last layers, of
    /// every replica; repeatable
    #[arg(long, value_name = "NAME")]
    trust: Vec<String>,
    /// How many layers at either end --trust is about
    #[arg(long, value_name = "LAYERS", requires = "trust", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    ends: u32,
    /// A plan that runs, as --json prints it: look near it, and say what going over takes
    #[arg(long, value_name = "FILE")]
    running: Option<PathBuf>,
    /// For what is drawn by lot; the same seed gives the same plan
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Say what binds the plan and what would make it better
    #[arg(long)]
    explain: bool,
    /// Print one JSON document; ends with 0 even if it says `feasible: false`
    #[arg(long)]
    json: bool,
    /// Also draw the plan, as an SVG picture; with --explain it tells what binds each replica
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Said with plans by HexGen's own planners.
const HEXGENS_SUMS: &str = "HexGen's own sums: peak rates of the cards, one request at a time; figures and bound are \
     not to be held against those of other planners";

pub(super) async fn run(options: Options) -> color_eyre::Result<()> {
    let shown = options.pool.display();
    let text =
        std::fs::read_to_string(&options.pool).wrap_err_with(|| format!("reading {shown}"))?;
    let folder = options.pool.parent().unwrap_or(Path::new("."));
    let other = |name: &str| std::fs::read_to_string(folder.join(name));
    let mut pool = PoolFile::parse(&text, &other).wrap_err_with(|| format!("in {shown}"))?;
    for name in &options.without {
        pool.leave_out(name).wrap_err("--without")?;
    }
    planned(&options, &pool).await
}

/// Whether to plan as the leader of a swarm does: machines that were measured, and nothing said of
/// what the plan is to be good at.
fn as_leader(options: &Options, pool: &PoolFile) -> bool {
    let said = options.workload.is_some()
        || options.slo.is_some()
        || options.objective.is_some()
        || options.planner.is_some();
    !said && !pool.machines.iter().any(|machine| machine.known)
}

async fn planned(options: &Options, pool: &PoolFile) -> color_eyre::Result<()> {
    let leads = as_leader(options, pool);
    let model = model(options).await?;
    let hexgens = options.planner.is_some_and(Planner::hexgens);
    let served = served(&model);
    let rules = match hexgens {
        true => Rules::exact(),
        false if pool.machines.iter().any(|machine| machine.known) => Rules::fitted(),
        false => Rules::engine(),
    };
    let workload = options.workload.unwrap_or(if leads { EXPECTED } else { WORKLOAD });
    let context = options.context.or(leads.then_some(CONTEXT_TOKENS));
    let tokens = workload.input_tokens.saturating_add(workload.output_tokens);
    if let Some(context) = context.filter(|context| *context < tokens) {
        bail!("--context {context} has no room for a request of {tokens} tokens: see --workload");
    }
    let trusted = options.trust.iter().map(|name| pool.named(name));
    let trusted = trusted.collect::<Result<Vec<_>, _>>().wrap_err("--trust")?.concat();
    let free = pool.ground(model.clone(), rules, workload);
    let free = match context {
        Some(tokens) => free.with_cache(tokens),
        None => free,
    };
    let mut ground = free.clone();
    if !trusted.is_empty() {
        ground = ground.with_ends(options.ends, &trusted);
    }
    let planner = options.planner.unwrap_or(Planner::Default);
    if planner == Planner::Exhaustive && ground.devices() > EXHAUSTIVE_MAX {
        bail!(
            "--planner exhaustive takes at most {EXHAUSTIVE_MAX} devices, not {}",
            ground.devices()
        );
    }
    if let Some(asked) = options.planner.filter(|asked| !asked.ours())
        && options.running.is_some()
    {
        bail!("--running looks near a plan by our own search: leave out --planner {asked}");
    }
    let places = Places::new(pool);
    let running =
        options.running.as_deref().map(|file| running::read(file, &places, &served)).transpose()?;
    let began = Instant::now();
    let ask = if leads {
        // Of what fits nowhere any question has the same answer.
        let any = Ask { planner: Planner::Replicas, objective: Objective::Latency, seed: 0 };
        leaders(&ground, options.seed).unwrap_or(any)
    } else {
        let asked = (&model, workload);
        let objective = ask::objective(options.objective, options.slo, asked)?;
        Ask { planner, objective, seed: options.seed }
    };
    let found = match &running {
        Some(running) => propose_from(&ground, &ask, &running.groups),
        None => propose(&ground, &ask),
    };
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    let mut plan = match &found {
        Some(found) => PlanDocument::new(&places, found, &bounds(&ground, found), wall_ms),
        None => {
            let why = match trusted.is_empty() || propose(&free, &ask).is_none() {
                true => why_not(&ground, &ask, &places),
                false => ends_missing(options, pool, &trusted),
            };
            PlanDocument::infeasible(pool, why, wall_ms)
        }
    };
    plan.model = Some(served);
    plan.notes.extend(assumed(options, leads, workload, &ask));
    if hexgens {
        plan.notes.push(HEXGENS_SUMS.to_owned());
    }
    let longest = model.spec.context_max;
    if tokens > longest {
        plan.notes.push(format!("requests of {tokens} tokens, though the model takes {longest}"));
    }
    if options.slo.is_some() && !matches!(ask.objective, Objective::Slo { .. }) {
        plan.notes.push("--slo counts for --objective slo alone".to_owned());
    }
    if let Objective::Slo { deadline_ms } = ask.objective {
        plan.deadline_ms = Some(deadline_ms);
    }
    if let (Some(running), Some(found)) = (&running, &found) {
        plan.moves = Some(document::moves(&places, &moves(&ground, &running.parts, found)));
        if running.gone > 0 {
            plan.notes.push(format!("{} devices of the running plan are gone", running.gone));
        }
    }
    if let Some(found) = found.filter(|_| options.explain) {
        plan.explain(&places, &explain(&ground, &ask, &found), unit(&ask, workload));
    }
    if let Some(file) = &options.svg {
        svg::write(file, &plan, &format!("{} on {}", model.spec.name, pool.name))?;
    }
    if options.json {
        return print::json(&plan);
    }
    if let Some(reason) = plan.reason {
        let notes: Vec<String> = plan.notes.iter().map(|note| format!("\n  {note}")).collect();
        let assumed = if notes.is_empty() { "" } else { "\nassumed:" };
        bail!("there is no plan: {reason}{assumed}{}", notes.concat());
    }
    Ok(print::text(&drawn::drawn(&plan))?)
}

/// A model, and how its weights are kept.
fn served(model: &Model) -> ServedDocument {
    ServedDocument {
        name: model.spec.name.clone(),
        weight_bits: (1e3 * model.bits()).round() / 1e3,
    }
}

/// What a plan's worth is counted in.
fn unit(ask: &Ask, workload: Workload) -> &'static str {
    match ask.objective {
        Objective::Latency => "ms a request",
        Objective::Slo { .. } if workload.requests_per_s.is_some() => "of requests in time",
        _ => "requests/s",
    }
}

/// What was taken for granted, as nobody said otherwise.
fn assumed(options: &Options, leads: bool, workload: Workload, ask: &Ask) -> Vec<String> {
    let (input, output) = (workload.input_tokens, workload.output_tokens);
    let requests = format!("prompts of {input} tokens and answers of {output}");
    if leads {
        return vec![format!(
            "as a swarm's leader plans, for {requests}, done within twice the least time"
        )];
    }
    let mut all = Vec::new();
    if options.workload.is_none() {
        all.push(format!("{requests} (--workload)"));
    }
    if options.slo.is_none() && matches!(ask.objective, Objective::Slo { .. }) {
        all.push("a deadline of five times what eight A100 take (--slo)".to_owned());
    }
    all
}

/// That there would be a plan if anybody might hold the ends.
fn ends_missing(options: &Options, pool: &PoolFile, trusted: &[usize]) -> String {
    let devices: usize = trusted.iter().map(|machine| pool.machines[*machine].devices.len()).sum();
    format!(
        "only {} may hold the first and the last {} layers, and no plan keeps to that: \
         it takes two of their {devices} devices for the two ends, or one with room for the whole model, and a \
         way to the others in time. --trust may name more",
        options.trust.join(" and "),
        options.ends,
    )
}

/// That another planner is to be asked, that the deadline is too early, or what is missing.
fn why_not(ground: &Ground, ask: &Ask, places: &Places<'_>) -> String {
    let ours = Ask { planner: Planner::Default, ..*ask };
    if !ask.planner.ours() && propose(ground, &ours).is_some() {
        let late = Ask { objective: Objective::Throughput, ..*ask };
        return match (ask.objective, propose(ground, &late)) {
            (Objective::Slo { deadline_ms }, Some(late)) => {
                let times = late.routes.iter().map(|route| route.latency_ms);
                let least_ms = times.fold(f64::INFINITY, f64::min);
                format!(
                    "what this planner finds is late: {least_ms:.0} ms at best, for a deadline of \
                     {deadline_ms:.0} ms, which the default one meets"
                )
            }
            _ => {
                let demands = ask::demands(ask.planner);
                format!("this planner finds none here, the default one does: {demands}")
            }
        };
    }
    let fastest = propose(ground, &Ask { objective: Objective::Latency, ..*ask });
    match (ask.objective, fastest) {
        (Objective::Slo { deadline_ms }, Some(fastest)) => format!(
            "no request can be done within {deadline_ms:.0} ms: the fastest pipeline takes {:.0} ms",
            fastest.routes[0].latency_ms
        ),
        _ => lack(ground, |spot| places.name(spot)),
    }
}

/// A model of the catalogue, or one whose weights are here or can be fetched.
async fn model(options: &Options) -> color_eyre::Result<Model> {
    let name = options.model.clone();
    let here = name == DEFAULT_MODEL || Path::new(&name).exists();
    if !here && (name.starts_with(['.', '/']) || name.ends_with(".gguf")) {
        bail!("there is no file {name}: see --model");
    }
    if !here || options.weights.is_some() {
        let facts = catalogue::model(&name)?;
        let format = options.weights.as_deref().unwrap_or(&facts.weights);
        return Ok(facts.model(catalogue::format(format)?));
    }
    Ok(Model::llama(spec(name).await?))
}

/// A model whose weights are here, or can be fetched.
async fn spec(name: String) -> color_eyre::Result<ModelSpec> {
    let resolve = move |stop| Ok(Store::open().until(stop).resolve(&name)?);
    let (name, path) = Signals::listen()?.blocking(resolve).await?;
    Ok(Weights::open(&path)?.spec(&name))
}
