//! Keys that mean something.

use super::PoolError;

const TOP: &[&str] = &[
    "name",
    "about",
    "source",
    "checked",
    "price_usd_h",
    "stage_tensor_parallel",
    "test_layers",
    "network",
    "machine",
];
const NETWORK: &[&str] = &[
    "matrix",
    "inside_bandwidth_gbit_s",
    "inside_bandwidth_sd_gbit_s",
    "inside_latency_ms",
    "inside_latency_sd_ms",
    "between_bandwidth_gbit_s",
    "between_bandwidth_sd_gbit_s",
    "between_latency_ms",
    "between_latency_sd_ms",
    "link_min_gbit_s",
    "link_max_gbit_s",
    "rtt_ms",
    "gbit_s",
    "between",
];
const BETWEEN: &[&str] = &["regions", "from", "to", "latency_ms", "bandwidth_gbit_s"];
const MACHINE: &[&str] = &[
    "name",
    "gpu",
    "gpus",
    "count",
    "region",
    "price_usd_h",
    "memory",
    "bandwidth_gb_s",
    "tflop_s",
];

/// An error for the first key that means nothing.
pub(super) fn check(file: &toml::Table) -> Result<(), PoolError> {
    known(file, TOP)?;
    for (name, keys) in [("network", NETWORK), ("machine", MACHINE)] {
        for table in tables(file.get(name)) {
            known(table, keys)?;
            tables(table.get("between")).into_iter().try_for_each(|table| known(table, BETWEEN))?;
        }
    }
    Ok(())
}

/// The tables of a value; none if it is of another type, which reading it will say.
fn tables(value: Option<&toml::Value>) -> Vec<&toml::Table> {
    match value {
        Some(toml::Value::Table(table)) => vec![table],
        Some(toml::Value::Array(all)) => all.iter().filter_map(|value| value.as_table()).collect(),
        _ => Vec::new(),
    }
}

fn known(table: &toml::Table, keys: &[&str]) -> Result<(), PoolError> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let likeness = |known: &&&str| (strsim::jaro(known, key) * 1e6) as u64;
    let near = keys.iter().max_by_key(likeness).map_or("nothing", |near| near);
    Err(PoolError::Key { key: key.chars().take(80).collect(), near: near.to_owned() })
}
