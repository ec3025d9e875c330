//! `hexswarm bench`: measures this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use clap::{Args, value_parser};
use color_eyre::eyre::WrapErr;
use serde::Serialize;
use swarm_engine::measure_cpu;

use super::print;

/// How fast this machine is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm bench
      One thread, and all cores
  hexswarm bench --threads 2 --threads 4 --write profile.json
      A profile of this machine, in a file

The figures are what a planner believes of this machine: how many bytes of 4-bit weights the engine
uses a second when it computes one token, and how fast it multiplies and adds in float32 when it
reads a prompt. Each is taken in a fraction of a second.")]
pub struct Options {
    /// Threads to measure with: one figure each [default: 1, and all cores]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write that document to a file too
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Profile {
    devices: Vec<Device>,
}

/// A device with so many threads.
#[derive(Debug, Serialize)]
struct Device {
    kind: &'static str,
    threads: u16,
    bandwidth_bytes_per_s: f64,
    flops_per_s: f64,
}

pub(super) fn run(options: Options) -> color_eyre::Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cores = u16::try_from(cores).unwrap_or(u16::MAX);
    let mut counts = options.threads;
    if counts.is_empty() {
        counts = vec![1, cores];
        counts.dedup();
    }
    let devices = counts.into_iter().map(measure).collect::<Result<_, _>>()?;
    let profile = Profile { devices };
    if let Some(path) = &options.write {
        write(path, &profile)?;
    }
    if options.json {
        return print::json(&profile);
    }
    let mut table = print::table();
    table.set_header(["device", "threads", "weights read, GB/s", "arithmetic, GFLOP/s"]);
    for device in profile.devices {
        let bandwidth = format!("{:.1}", device.bandwidth_bytes_per_s / 1e9);
        let flops = format!("{:.1}", device.flops_per_s / 1e9);
        table.add_row([device.kind.to_owned(), device.threads.to_string(), bandwidth, flops]);
    }
    Ok(print::line(table)?)
}

fn measure(threads: u16) -> color_eyre::Result<Device> {
    let measured = measure_cpu(threads.into())?;
    Ok(Device {
        kind: "cpu",
        threads,
        bandwidth_bytes_per_s: measured.bandwidth_bytes_per_s,
        flops_per_s: measured.flops_per_s,
    })
}

fn write(path: &Path, profile: &Profile) -> color_eyre::Result<()> {
    let text = serde_json::to_string_pretty(profile)? + "\n";
    fs::write(path, text).wrap_err_with(|| format!("cannot write {}", path.display()))
}
