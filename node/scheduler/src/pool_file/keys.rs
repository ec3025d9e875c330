//! What a pool file may say: the one list of its keys, which reads files, writes their JSON Schema and
//! finds keys that mean nothing.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde::Deserialize;
use serde_json::Value;

use super::{FIGURE_MAX, HERE, LAYERS_MAX, MACHINE_DEVICES_MAX, MACHINES_MAX, PoolError};
use crate::catalogue::{device, devices};

/// A size, as `bytesize` reads it: a million bytes or more, or a number and a unit.
const SIZE: &str = r"^([0-9]{7,}|([0-9]+\.?[0-9]*|\.[0-9]+)\s*[mMgGtTpP][iI]?[bB]?)$";

/// Machines and their network, for planning without a swarm.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Hexswarm pool", extend("required" = ["machine"]))]
pub(super) struct File {
    /// What the pool is called.
    pub(super) name: Option<String>,
    /// What it is; not read.
    #[serde(rename = "about")]
    _about: Option<String>,
    /// Where its figures come from; not read.
    #[serde(rename = "source")]
    _source: Option<String>,
    /// How sure they are; not read.
    #[serde(rename = "checked")]
    _checked: Option<String>,
    /// What all machines cost together, in USD an hour; not used.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) price_usd_h: Option<f64>,
    /// Devices of each stage of a published layout; not used.
    #[schemars(inner(range(min = 1, max = MACHINE_DEVICES_MAX)))]
    pub(super) stage_tensor_parallel: Option<Vec<u32>>,
    /// Layers that the model is to have in place of its own.
    #[schemars(range(min = 1, max = LAYERS_MAX))]
    pub(super) test_layers: Option<u32>,
    /// What joins the machines. What it does not say is assumed, and told in the plan's notes.
    pub(super) network: Option<Network>,
    /// Groups of like machines; one of them at least has a machine.
    #[serde(default)]
    #[schemars(extend("contains" = {"not": {"properties": {"count": {"const": 0}}, "required": ["count"]}}))]
    pub(super) machine: Vec<Group>,
}

/// Like machines: with `gpu` a card of the catalogue, else with figures of their own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["gpu"]},
    {"required": ["memory", "bandwidth_gb_s", "tflop_s"]},
]))]
pub(super) struct Group {
    /// What each is called; several of one name are numbered.
    pub(super) name: Option<String>,
    /// A card of the catalogue, without regard to case and separators.
    #[schemars(extend("examples" = cards()))]
    pub(super) gpu: Option<String>,
    /// How many such cards each machine has [default: 1].
    #[schemars(range(min = 1, max = MACHINE_DEVICES_MAX))]
    pub(super) gpus: Option<usize>,
    /// How many such machines there are [default: 1].
    #[schemars(range(max = MACHINES_MAX))]
    pub(super) count: Option<usize>,
    /// Where they are [default: local].
    pub(super) region: Option<String>,
    /// What a machine costs, in USD an hour; not used.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) price_usd_h: Option<f64>,
    /// The memory of each device, such as 512MiB or 8GiB; with `gpu`, in place of the catalogue's.
    #[schemars(length(min = 1, max = MACHINE_DEVICES_MAX))]
    #[schemars(inner(regex(pattern = SIZE)))]
    pub(super) memory: Option<Vec<String>>,
    /// Memory bandwidth of a device, in 10^9 bytes a second; with `gpu`, in place of the catalogue's.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) bandwidth_gb_s: Option<f64>,
    /// Arithmetic of a device, in 10^12 operations a second; with `gpu`, in place of the catalogue's.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) tflop_s: Option<f64>,
}

impl Group {
    /// What its machines are called, but for their numbers.
    pub(super) fn called(&self) -> String {
        let region = self.region.as_deref().unwrap_or(HERE);
        let card = self.gpu.as_deref().map(|gpu| device(gpu).map_or(gpu, |facts| &facts.name));
        self.name.clone().unwrap_or_else(|| match card {
            Some(card) => format!("{region}-{card}"),
            None => region.to_owned(),
        })
    }
}

/// What joins machines. Latencies are one way; figures with a spread (`sd`) count by their mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependentRequired" = {
    "link_min_gbit_s": ["link_max_gbit_s"],
    "link_max_gbit_s": ["link_min_gbit_s"],
}))]
pub(super) struct Network {
    /// A CSV file of links between regions, from the pool file's folder: `region_a`, `region_b`,
    /// `delay_ms`, `bandwidth_gbps`.
    pub(super) matrix: Option<String>,
    /// Between machines of a region.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) inside_bandwidth_gbit_s: Option<f64>,
    /// Its standard deviation; not used.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) inside_bandwidth_sd_gbit_s: Option<f64>,
    /// Between machines of a region, one way.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) inside_latency_ms: Option<f64>,
    /// Its standard deviation; not used.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) inside_latency_sd_ms: Option<f64>,
    /// Between machines of two regions.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) between_bandwidth_gbit_s: Option<f64>,
    /// Its standard deviation; not used.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) between_bandwidth_sd_gbit_s: Option<f64>,
    /// Between machines of two regions, one way.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) between_latency_ms: Option<f64>,
    /// Its standard deviation; not used.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) between_latency_sd_ms: Option<f64>,
    /// The slowest of the machines' own links, which are spread evenly over the machines in their
    /// order.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) link_min_gbit_s: Option<f64>,
    /// The fastest of them.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) link_max_gbit_s: Option<f64>,
    /// Between any two machines, there and back, where no latency is given.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) rtt_ms: Option<f64>,
    /// Between any two machines, where no bandwidth is given.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = FIGURE_MAX))]
    pub(super) gbit_s: Option<f64>,
    /// Links between regions, one by one; regions that the list leaves out have no link.
    #[serde(default)]
    pub(super) between: Vec<Pair>,
}

/// A link between regions: both ways by `regions`, one way by `from` and `to`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["regions"], "not": {"anyOf": [{"required": ["from"]}, {"required": ["to"]}]}},
    {"required": ["from", "to"], "not": {"required": ["regions"]}},
]))]
pub(super) struct Pair {
    /// Its two ends.
    #[schemars(length(min = 2, max = 2))]
    pub(super) regions: Option<Vec<String>>,
    /// Where it begins.
    pub(super) from: Option<String>,
    /// Where it ends.
    pub(super) to: Option<String>,
    /// One way.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) latency_ms: f64,
    /// 0 is no link.
    #[schemars(range(min = 0, max = FIGURE_MAX))]
    pub(super) bandwidth_gbit_s: f64,
}

fn cards() -> Vec<&'static str> {
    devices().iter().map(|facts| facts.name.as_str()).collect()
}

/// The schema of a pool file.
pub(super) fn schema() -> Schema {
    // In place, since each part is named once, and the check below need follow no reference.
    let settings = SchemaSettings::draft2020_12().with(|with| with.inline_subschemas = true);
    let settings = settings.with_transform(RecursiveTransform(without_null));
    settings.into_generator().into_root_schema_for::<File>()
}

/// TOML knows no null: what is optional is left out.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
}

/// An error for the first key that means nothing.
pub(super) fn check(file: &toml::Table) -> Result<(), PoolError> {
    known(file, schema().as_value())
}

fn known(table: &toml::Table, schema: &Value) -> Result<(), PoolError> {
    // A table in place of a figure: reading it will say.
    let Some(keys) = schema.get("properties").and_then(Value::as_object) else { return Ok(()) };
    for (key, value) in table {
        let schema = keys.get(key).ok_or_else(|| unknown(key, keys.keys()))?;
        let each = schema.get("items").unwrap_or(schema);
        tables(value).into_iter().try_for_each(|table| known(table, each))?;
    }
    Ok(())
}

/// The tables of a value; none if it is of another type, which reading it will say.
fn tables(value: &toml::Value) -> Vec<&toml::Table> {
    match value {
        toml::Value::Table(table) => vec![table],
        toml::Value::Array(all) => all.iter().filter_map(|value| value.as_table()).collect(),
        _ => Vec::new(),
    }
}

fn unknown<'a>(key: &str, keys: impl Iterator<Item = &'a String>) -> PoolError {
    let likeness = |known: &&String| (strsim::jaro(known, key) * 1e6) as u64;
    let near = keys.max_by_key(likeness).map_or("nothing", |near| near);
    PoolError::Key { key: key.chars().take(80).collect(), near: near.to_owned() }
}
