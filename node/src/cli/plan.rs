//! `hexswarm plan`: plans a pool of machines from a file, without a swarm.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use color_eyre::eyre::{Context, bail};
use serde::Deserialize;
use swarm_engine::Weights;
use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, NodeId, Pool};

use super::{print, signals::Signals};
use crate::{
    client::plan_text,
    config::size,
    store::{DEFAULT_MODEL, Store},
    view,
};

/// Machines that one file may describe.
const MACHINES_MAX: usize = 10_000;

/// A plan without a swarm.
#[derive(Debug, Args)]
#[command(after_help = "\
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolFile {
    network: Network,
    #[serde(default)]
    machine: Vec<MachineGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    rtt_ms: f64,
    gbit_s: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineGroup {
    name: String,
    #[serde(default = "one")]
    count: usize,
    memory: Vec<String>,
    bandwidth_gb_s: f64,
    tflop_s: f64,
}

fn one() -> usize {
    1
}

pub(super) async fn run(options: Options) -> color_eyre::Result<()> {
    let text = std::fs::read_to_string(&options.pool)
        .with_context(|| format!("reading {}", options.pool.display()))?;
    let file: PoolFile =
        toml::from_str(&text).with_context(|| format!("in {}", options.pool.display()))?;
    let name = options.model.clone();
    let resolve = move |stop| Ok(Store::open().until(stop).resolve(&name)?);
    let (name, path) = Signals::listen()?.blocking(resolve).await?;
    let model = Weights::open(&path)?.spec(&name);
    let (machines, names) = machines(&file)?;
    let pool = Pool { model, machines, context_tokens: options.context, running: None };
    let found = swarm_scheduler::plan(&pool, &swarm_scheduler::Options::default())?;
    let name = |peer: &str| names.get(peer).cloned().unwrap_or_else(|| peer.to_owned());
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

/// The machines of a file, and what a person calls each.
fn machines(file: &PoolFile) -> color_eyre::Result<(Vec<Machine>, BTreeMap<String, String>)> {
    let count: usize = file.machine.iter().fold(0, |sum, group| sum.saturating_add(group.count));
    if count > MACHINES_MAX {
        bail!("{count} machines, and at most {MACHINES_MAX} can be planned");
    }
    let mut named = Vec::new();
    for group in &file.machine {
        for number in 0..group.count {
            let name = match group.count {
                1 => group.name.clone(),
                _ => format!("{}-{number}", group.name),
            };
            named.push((NodeId(Hash::of(name.as_bytes()).0), name, group));
        }
    }
    named.sort_by_key(|(node, ..)| *node);
    let ids: Vec<_> = named.iter().map(|(node, ..)| *node).collect();
    let mut machines = Vec::new();
    for (node, _, group) in &named {
        let devices = devices(group)?;
        let others = ids.iter().filter(|id| *id != node);
        let links = others.map(|to| link(*to, &file.network)).collect();
        machines.push(Machine { node: *node, devices, links });
    }
    let names = named.into_iter().map(|(node, name, _)| (view::peer(node), name)).collect();
    Ok((machines, names))
}

fn devices(group: &MachineGroup) -> color_eyre::Result<Vec<Device>> {
    let sizes = group.memory.iter().map(|text| size(text)).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|e| color_eyre::eyre::eyre!("machine `{}`: {e}", group.name))?;
    if sizes.len() > usize::from(u8::MAX) {
        bail!("machine `{}` has more than 255 devices", group.name);
    }
    let device = |(index, memory_bytes): (usize, u64)| Device {
        index: index as u8,
        kind: DeviceKind::Cpu,
        name: group.name.clone(),
        memory_bytes,
        bandwidth_bytes_per_s: group.bandwidth_gb_s * 1e9,
        flops_per_s: group.tflop_s * 1e12,
        threads: 1,
        drift_class: Hash::of(b"plan"),
    };
    Ok(sizes.into_iter().enumerate().map(device).collect())
}

fn link(to: NodeId, network: &Network) -> LinkReport {
    LinkReport {
        to,
        rtt_ms: network.rtt_ms,
        rtt_spread_ms: 0.0,
        bytes_per_s: network.gbit_s * 1e9 / 8.0,
        loss: 0.0,
        age_ms: 0,
        predicted: false,
    }
}
