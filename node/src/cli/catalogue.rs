//! `hexswarm catalogue`: what may stand in a pool file and behind `--model` and `--weights`.

use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use swarm_scheduler::catalogue::{DeviceFacts, Format, ModelFacts, devices, formats, models};

use super::print;

/// What plans know by name.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm catalogue
      Everything
  hexswarm catalogue devices
      Cards, for `gpu` in a pool file
  hexswarm catalogue models --json
      Models, for --model, as JSON (docs/schema/catalogue.schema.json)

Names are matched without regard to case and separators, and may be shortened as long as only one fits.")]
pub struct Options {
    /// Only these
    #[arg(value_enum)]
    what: Option<What>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Cards
    Devices,
    /// Language models
    Models,
    /// Weight formats
    Formats,
}

/// What plans know by name.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Catalogue {
    /// Cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<Device>>,
    /// Language models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<Model>>,
    /// Weight formats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<Weights>>,
}

/// A card, as its maker describes it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Device {
    /// For `gpu` in a pool file.
    pub name: &'static str,
    /// `datacenter`, `workstation`, `consumer` or `soc`.
    pub class: &'static str,
    /// Memory.
    pub memory_gib: f64,
    /// Memory bandwidth.
    pub bandwidth_gb_s: f64,
    /// 16-bit products, dense.
    pub tflop_s: f64,
}

/// A language model, as its publisher describes it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Model {
    /// For `--model`.
    pub name: &'static str,
    /// Decoder layers.
    pub layers: u32,
    /// Parameters, in billions.
    pub params_b: f64,
    /// Those that a token is multiplied with.
    pub active_params_b: f64,
    /// The longest context.
    pub context_max: u32,
    /// The format that it is published in.
    pub weights: &'static str,
}

/// How weights are kept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Weights {
    /// For `--weights`.
    pub name: &'static str,
    /// Bits of a weight, scales included.
    pub bits: f64,
}

pub(super) fn run(options: &Options) -> color_eyre::Result<()> {
    let all = Catalogue::of(options.what);
    match options.json {
        true => print::json(&all),
        false => Ok(print::text(&all.drawn())?),
    }
}

impl Catalogue {
    fn of(what: Option<What>) -> Self {
        let wanted = |this| what.is_none_or(|what| what == this);
        Self {
            devices: wanted(What::Devices).then(|| devices().iter().map(Device::of).collect()),
            models: wanted(What::Models).then(|| models().iter().map(Model::of).collect()),
            formats: wanted(What::Formats).then(|| formats().iter().map(Weights::of).collect()),
        }
    }

    fn drawn(&self) -> String {
        let mut tables = Vec::new();
        if let Some(devices) = &self.devices {
            let mut table = print::table();
            table.set_header(["device", "memory, GiB", "GB/s", "TFLOP/s", "class"]);
            for Device { name, class, memory_gib, bandwidth_gb_s, tflop_s } in devices {
                let figures = [memory_gib, bandwidth_gb_s, tflop_s].map(f64::to_string);
                table.add_row(
                    [&[(*name).to_owned()][..], &figures, &[(*class).to_owned()]].concat(),
                );
            }
            tables.push(table);
        }
        if let Some(models) = &self.models {
            let mut table = print::table();
            let active = "of these used by a token";
            table.set_header(["model", "layers", "10^9 parameters", active, "context", "weights"]);
            for Model { name, layers, params_b, active_params_b, context_max, weights } in models {
                let counts = [layers, context_max].map(u32::to_string);
                let [params, active] = [params_b, active_params_b].map(f64::to_string);
                table.add_row([*name, &counts[0], &params, &active, &counts[1], *weights]);
            }
            tables.push(table);
        }
        if let Some(formats) = &self.formats {
            let mut table = print::table();
            table.set_header(["weights", "bits each"]);
            formats.iter().for_each(|format| {
                table.add_row([format.name, &format.bits.to_string()]);
            });
            tables.push(table);
        }
        tables.iter().map(|table| format!("{table}\n")).collect::<Vec<_>>().join("\n")
    }
}

impl Device {
    fn of(facts: &'static DeviceFacts) -> Self {
        let DeviceFacts { name, class, memory_gib, bandwidth_gb_s, .. } = facts;
        let (memory_gib, bandwidth_gb_s) = (*memory_gib, *bandwidth_gb_s);
        Self { name, class, memory_gib, bandwidth_gb_s, tflop_s: facts.arithmetic_tflop_s() }
    }
}

impl Model {
    fn of(facts: &'static ModelFacts) -> Self {
        Self {
            name: &facts.name,
            layers: facts.layers,
            params_b: facts.params_b,
            active_params_b: facts.active_params_b,
            context_max: facts.context_max,
            weights: &facts.weights,
        }
    }
}

impl Weights {
    fn of(format: &Format) -> Self {
        Self { name: format.name, bits: format.bits }
    }
}
