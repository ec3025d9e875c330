//! Pool files: machines and their network, as TOML, for planning without a swarm.

mod keys;
mod links;
mod named;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use schemars::Schema;

use crate::{
    catalogue::{DeviceFacts, Unknown, device},
    fit::{Fit, Pace, Sort, peak_tflop_s},
    ground::{Ground, Model, Spot, Way, Ways},
    rules::{Rules, Workload},
};
use keys::{File, Group};
use links::links;

/// Machines that one file may describe, and devices in all.
const MACHINES_MAX: usize = 10_000;
const DEVICES_MAX: usize = 10_000;
/// Devices of a machine.
const MACHINE_DEVICES_MAX: usize = 64;
/// Layers that a model may be given.
const LAYERS_MAX: u32 = 512;
/// Regions of one file.
const REGIONS_MAX: usize = 512;
/// Figures above this are a mistake, in whatever unit.
const FIGURE_MAX: f64 = 1e9;
/// The part of a PCIe slot's rate that copies between devices reach: both directions are in use, and
/// many pass the host's memory.
const PCIE_PART: f64 = 0.5;
/// Between devices of which nothing is known.
const PCIE: Way = Way { ms: 0.01, bytes_per_ms: 12e6 };
/// A device's memory is not less, lest a unit was forgotten, nor more.
const MEMORY_MIN_BYTES: u64 = 1_000_000;
const MEMORY_MAX_BYTES: u64 = 1 << 50;
/// The region of machines that tell of none.
const HERE: &str = "local";
const NEEDS: &str = "a machine needs `gpu`, or `memory`, `bandwidth_gb_s` and `tflop_s`";

/// What is wrong with a pool file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// It is no TOML, or a value has the wrong type.
    #[error("{0}")]
    Toml(String),
    /// A key that means nothing.
    #[error("unknown key `{key}`; did you mean `{near}`?")]
    Key {
        /// The key.
        key: String,
        /// The nearest that means something.
        near: String,
    },
    /// A value that cannot be.
    #[error("{key} = {value}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// Why not.
        reason: String,
    },
    /// A device that nobody knows.
    #[error("{0}")]
    Device(#[from] Unknown),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// Gives the text of a file that a pool names.
pub type Other<'a> = dyn Fn(&str) -> io::Result<String> + 'a;

/// A machine of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolMachine {
    /// Its name: that of its group, numbered if there are several.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// What its devices are called.
    pub device: String,
    /// Its devices.
    pub devices: Vec<PoolDevice>,
    /// The way between its devices.
    pub inside: Way,
    /// Its region.
    pub region: String,
    /// Whether its devices are of the catalogue, and their rates peak rates.
    pub known: bool,
}

/// A device of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoolDevice {
    /// Memory.
    pub memory_bytes: u64,
    /// Memory bandwidth.
    pub bytes_per_s: f64,
    /// Arithmetic.
    pub flops_per_s: f64,
}

impl PoolDevice {
    /// What the fit goes by: the file's figure if that is another than the catalogue's.
    fn peak_tflop_s(&self, facts: &DeviceFacts) -> f64 {
        match self.flops_per_s == facts.arithmetic_tflop_s() * 1e12 {
            true => peak_tflop_s(facts),
            false => self.flops_per_s / 1e12,
        }
    }
}

/// A pool as a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolFile {
    /// What it calls itself.
    pub name: String,
    /// Its machines.
    pub machines: Vec<PoolMachine>,
    /// The ways between them.
    pub ways: Ways,
    /// Layers that the model is to have in place of its own.
    pub layers: Option<u32>,
    /// What was assumed because the file does not say.
    pub notes: Vec<String>,
}

impl PoolFile {
    /// The JSON Schema of pool files, for editors and programs that write them.
    pub fn schema() -> Schema {
        keys::schema()
    }

    /// Reads a pool's text; `other` gives the text of a file that it names.
    pub fn parse(text: &str, other: &Other<'_>) -> Result<Self, PoolError> {
        let table: toml::Table = text.parse().map_err(|e| PoolError::Toml(format!("{e}")))?;
        keys::check(&table)?;
        let file: File =
            toml::from_str(text).map_err(|e| PoolError::Toml(plain(&format!("{e}"))))?;
        above_zero("price_usd_h", file.price_usd_h)?;
        if let Some(layers) = file.test_layers {
            one_to(LAYERS_MAX as usize, "test_layers", layers as usize)?;
        }
        let mut degrees = file.stage_tensor_parallel.iter().flatten();
        degrees.try_for_each(|degree| {
            one_to(MACHINE_DEVICES_MAX, "stage_tensor_parallel", *degree as usize)
        })?;
        let mut notes = Vec::new();
        let machines = machines(&file.machine, &mut notes)?;
        let ways = links(file.network.as_ref(), &machines, other, &mut notes)?;
        let name = file.name.unwrap_or_else(|| "pool".to_owned());
        Ok(Self { name, machines, ways, layers: file.test_layers, notes })
    }

    /// The ground for a model. Catalogue devices reach what the fit says of their peak rates, unless
    /// the rules are HexGen's.
    pub fn ground(&self, model: Model, rules: Rules, workload: Workload) -> Ground {
        let mut model = model;
        if let Some(layers) = self.layers {
            model.spec.layers = layers;
        }
        let bits = model.bits();
        let mut spots = Vec::new();
        for (number, machine) in self.machines.iter().enumerate() {
            // What is not in the catalogue was measured, or its owner says so.
            let fitted = machine.known && !rules.plain();
            let facts = fitted.then(|| device(&machine.device).ok()).flatten();
            spots.extend(machine.devices.iter().enumerate().map(|(index, device)| Spot {
                machine: number,
                // Devices that differ must differ in name, too.
                name: match machine.devices.iter().position(|other| other == device) {
                    Some(0) if machine.known => machine.device.clone(),
                    first => format!("{} {}", machine.device, first.unwrap_or(index)),
                },
                memory_bytes: device.memory_bytes,
                pace: match facts {
                    Some(facts) => {
                        let peaks = (device.bytes_per_s / 1e9, device.peak_tflop_s(facts));
                        Fit::shipped().pace_of(Sort::of(facts), peaks, bits)
                    }
                    None => Pace::peak(device.bytes_per_s / 1e3, device.flops_per_s / 1e3),
                },
            }));
        }
        let inside = self.machines.iter().map(|machine| machine.inside).collect();
        Ground::new(model, spots, inside, self.ways.clone(), (rules, workload))
    }
}

/// A reader's words without those of our language.
fn plain(text: &str) -> String {
    [
        ("expected usize", "expected a whole number, not below 0"),
        ("expected u32", "expected a whole number, not below 0"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list, such as [\"8GiB\"]"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

fn value(key: &str, value: impl ToString, reason: impl Into<String>) -> PoolError {
    PoolError::Value { key: key.to_owned(), value: value.to_string(), reason: reason.into() }
}

/// Refuses what is none or too many.
fn one_to(most: usize, key: &str, count: usize) -> Result<(), PoolError> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(value(key, count, format!("is not 1 to {most}")))
}

/// Refuses what is no figure of the real world.
fn above_zero(key: &str, figure: Option<f64>) -> Result<(), PoolError> {
    match figure {
        Some(x) if !(x.is_finite() && x > 0.0) => Err(value(key, x, "is not above 0")),
        Some(x) if x > FIGURE_MAX => Err(value(key, x, "is too much to be true")),
        _ => Ok(()),
    }
}

fn machines(groups: &[Group], notes: &mut Vec<String>) -> Result<Vec<PoolMachine>, PoolError> {
    let count = |group: &Group| group.count.unwrap_or(1);
    let total = groups.iter().fold(0usize, |sum, group| sum.saturating_add(count(group)));
    let none = groups.iter().filter(|group| count(group) == 0);
    notes.extend(none.map(|group| format!("{} has count = 0: left out", group.called())));
    if total == 0 {
        return Err(PoolError::Other("there is no machine: add a [[machine]]".to_owned()));
    }
    if total > MACHINES_MAX {
        let most = format!("{total} machines: at most {MACHINES_MAX} can be planned");
        return Err(PoolError::Other(most));
    }
    let mut all: Vec<PoolMachine> = Vec::with_capacity(total);
    let mut devices = 0usize;
    for group in groups {
        let one = machine(group)?;
        devices = devices.saturating_add(one.devices.len().saturating_mul(count(group)));
        if devices > DEVICES_MAX {
            let most = format!("more than {DEVICES_MAX} devices: that many cannot be planned");
            return Err(PoolError::Other(most));
        }
        all.extend((0..count(group)).map(|_| one.clone()));
    }
    number(&mut all);
    let mut seen = BTreeSet::new();
    if let Some(twice) = all.iter().find(|machine| !seen.insert(&machine.name)) {
        let why = format!("two machines are called {}: give one group another name", twice.name);
        return Err(PoolError::Other(why));
    }
    let mut names: Vec<&String> = groups.iter().filter_map(|group| group.name.as_ref()).collect();
    names.sort_unstable();
    let mut twice: Vec<&String> = names.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0]).collect();
    twice.dedup();
    notes.extend(twice.into_iter().map(|name| {
        format!("several groups are called {name}: their machines are {name}-0, {name}-1 and so on")
    }));
    Ok(all)
}

/// Of several machines of one name each gets a number.
fn number(machines: &mut [PoolMachine]) {
    let mut totals: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    machines.iter().for_each(|machine| totals.entry(machine.group.clone()).or_default().0 += 1);
    for machine in machines {
        if let Some((total, number)) = totals.get_mut(&machine.group)
            && *total > 1
        {
            machine.name = format!("{}-{number}", machine.group);
            *number += 1;
        }
    }
}

fn machine(group: &Group) -> Result<PoolMachine, PoolError> {
    above_zero("price_usd_h", group.price_usd_h)?;
    above_zero("bandwidth_gb_s", group.bandwidth_gb_s)?;
    above_zero("tflop_s", group.tflop_s)?;
    let name = group.called();
    let region = group.region.clone().unwrap_or_else(|| HERE.to_owned());
    let facts = group.gpu.as_deref().map(device).transpose()?;
    let (Some(bytes_per_s), Some(flops_per_s)) = (
        group.bandwidth_gb_s.or(facts.map(|facts| facts.bandwidth_gb_s)).map(|rate| rate * 1e9),
        group.tflop_s.or(facts.map(DeviceFacts::arithmetic_tflop_s)).map(|rate| rate * 1e12),
    ) else {
        return Err(PoolError::Other(NEEDS.to_owned()));
    };
    let device = |memory_bytes| PoolDevice { memory_bytes, bytes_per_s, flops_per_s };
    let devices = match (&group.memory, facts) {
        (Some(memory), _) => memories(&name, memory)?.into_iter().map(device).collect(),
        (None, Some(facts)) => {
            let count = group.gpus.unwrap_or(1);
            one_to(MACHINE_DEVICES_MAX, "gpus", count)?;
            vec![device((facts.memory_gib * (1u64 << 30) as f64) as u64); count]
        }
        (None, None) => return Err(PoolError::Other(NEEDS.to_owned())),
    };
    if let Some(count) = group.gpus.filter(|count| *count != devices.len()) {
        let told = devices.len();
        return Err(value("gpus", count, format!("but memory of {name} tells of {told} devices")));
    }
    Ok(PoolMachine {
        device: facts.map_or_else(|| name.clone(), |facts| facts.name.clone()),
        inside: facts.and_then(inside).unwrap_or(PCIE),
        group: name.clone(),
        known: facts.is_some(),
        name,
        devices,
        region,
    })
}

/// The memory of each device of a machine.
fn memories(machine: &str, told: &[String]) -> Result<Vec<u64>, PoolError> {
    let key = format!("memory of {machine}");
    one_to(MACHINE_DEVICES_MAX, &format!("devices in {key}"), told.len())?;
    let size = |text: &String| {
        let parsed = text.parse::<bytesize::ByteSize>();
        let bytes = parsed.map_err(|_| value(&key, text, "is no size such as 512MiB or 8GiB"))?.0;
        match bytes {
            0 => Err(value(&key, text, "is not above 0")),
            1..MEMORY_MIN_BYTES => {
                let only = format!("is only {bytes} bytes: is a unit missing, as in 8GiB?");
                Err(value(&key, text, only))
            }
            MEMORY_MIN_BYTES..=MEMORY_MAX_BYTES => Ok(bytes),
            _ => Err(value(&key, text, "is too much to be true")),
        }
    };
    told.iter().map(size).collect()
}

/// The way between devices of a machine: NVLink through a switch where there is one, else PCIe.
fn inside(facts: &DeviceFacts) -> Option<Way> {
    let switched = !facts.link.is_empty() && !facts.link.contains("bridge");
    if let (true, Some(rate)) = (switched, facts.link_gb_s) {
        return Some(Way { ms: 0.005, bytes_per_ms: rate / 2.0 * 1e6 });
    }
    facts.pcie_gb_s.map(|rate| Way { ms: 0.01, bytes_per_ms: rate * PCIE_PART * 1e6 })
}
