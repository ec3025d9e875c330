//! A file that says which machines there are: read once, checked once.

use std::collections::BTreeMap;

use color_eyre::eyre::{bail, eyre};
use serde::Deserialize;
use swarm_proto::{Device, DeviceKind, Hash, LinkReport, Machine, NodeId};

use crate::{config::size, view};

/// Machines that one file may describe.
const MACHINES_MAX: usize = 10_000;
/// Every table that a file may have, with its keys.
const KEYS: [(&str, &[&str]); 2] = [
    ("network", &["rtt_ms", "gbit_s"]),
    ("machine", &["name", "count", "memory", "bandwidth_gb_s", "tflop_s"]),
];

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

/// The machines of a file, and what a person calls each peer.
pub(super) fn read(text: &str) -> color_eyre::Result<(Vec<Machine>, BTreeMap<String, String>)> {
    check_keys(&text.parse()?)?;
    let file: PoolFile = toml::from_str(text)?;
    let network = &file.network;
    above_zero("rtt_ms", network.rtt_ms)?;
    above_zero("gbit_s", network.gbit_s)?;
    for group in &file.machine {
        above_zero("bandwidth_gb_s", group.bandwidth_gb_s)?;
        above_zero("tflop_s", group.tflop_s)?;
    }
    machines(&file)
}

fn above_zero(key: &str, value: f64) -> color_eyre::Result<()> {
    if value.is_finite() && value > 0.0 { Ok(()) } else { bail!("{key} = {value} is not above 0") }
}

/// An error for the first key that means nothing.
fn check_keys(file: &toml::Table) -> color_eyre::Result<()> {
    known(file, KEYS.map(|(name, _)| name).as_slice())?;
    for (name, keys) in KEYS {
        let tables = match file.get(name) {
            Some(toml::Value::Table(table)) => vec![table],
            Some(toml::Value::Array(all)) => all.iter().filter_map(|v| v.as_table()).collect(),
            _ => Vec::new(), // absent or of the wrong type, which reading it will say
        };
        tables.into_iter().try_for_each(|table| known(table, keys))?;
    }
    Ok(())
}

fn known(table: &toml::Table, keys: &[&str]) -> color_eyre::Result<()> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let likeness = |known: &&&str| (strsim::jaro(known, key) * 1e6) as u64;
    let near = keys.iter().max_by_key(likeness).map_or("nothing", |near| near);
    bail!("unknown key `{key}`; did you mean `{near}`?")
}

fn machines(file: &PoolFile) -> color_eyre::Result<(Vec<Machine>, BTreeMap<String, String>)> {
    let count: usize = file.machine.iter().fold(0, |sum, group| sum.saturating_add(group.count));
    if !(1..=MACHINES_MAX).contains(&count) {
        bail!("{count} machines: 1 to {MACHINES_MAX} can be planned");
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
    let sizes = sizes.map_err(|e| eyre!("machine `{}`: {e}", group.name))?;
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
