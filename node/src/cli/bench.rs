//! `hexswarm bench`: measures this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use clap::Args;
use color_eyre::eyre::WrapErr;
use comfy_table::Table;
use serde::Serialize;
use swarm_engine::measure_cpu;

/// How fast this machine is.
#[derive(Debug, Args)]
#[command(after_help = "\
The figures are what a planner believes of this machine: how many bytes of 4-bit weights the engine
uses a second when it computes one token, and how fast it multiplies and adds in float32 when it
reads a prompt. Each is taken in a fraction of a second.")]
pub struct Options {
    /// Threads to measure with: one figure each [default: 1, and all cores]
    #[arg(long, value_name = "N")]
    threads: Vec<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write that document to a file too
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Document {
    devices: Vec<Device>,
}

/// A device with so many threads.
#[derive(Debug, Serialize)]
struct Device {
    kind: &'static str,
    threads: usize,
    bandwidth_bytes_per_s: f64,
    flops_per_s: f64,
}

pub(super) fn run(options: Options) -> color_eyre::Result<ExitCode> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut counts = options.threads;
    if counts.is_empty() {
        counts = vec![1, cores];
        counts.dedup();
    }
    let devices = counts.into_iter().map(measure).collect::<Result<_, _>>()?;
    let document = Document { devices };
    if let Some(path) = &options.write {
        write(path, &document)?;
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        println!("{}", table(&document));
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(threads: usize) -> color_eyre::Result<Device> {
    let profile = measure_cpu(threads)?;
    Ok(Device {
        kind: "cpu",
        threads,
        bandwidth_bytes_per_s: profile.bandwidth_bytes_per_s,
        flops_per_s: profile.flops_per_s,
    })
}

fn write(path: &Path, document: &Document) -> color_eyre::Result<()> {
    let text = serde_json::to_string_pretty(document)? + "\n";
    fs::write(path, text).wrap_err_with(|| format!("cannot write {}", path.display()))
}

fn table(document: &Document) -> Table {
    let mut table = Table::new();
    table.set_header(["device", "threads", "weights read, GB/s", "arithmetic, GFLOP/s"]);
    for device in &document.devices {
        let bandwidth = format!("{:.1}", device.bandwidth_bytes_per_s / 1e9);
        let flops = format!("{:.1}", device.flops_per_s / 1e9);
        table.add_row([device.kind.to_owned(), device.threads.to_string(), bandwidth, flops]);
    }
    table
}
