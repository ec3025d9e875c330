//! `hexswarm bench`: measures this machine.

use std::thread;

use clap::{Args, value_parser};
use serde_json::json;
use swarm_engine::measure_cpu;

use super::print;

/// How fast this machine is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hexswarm bench
      One thread, and all cores
  hexswarm bench --threads 2 --threads 4 --json > profile.json
      A profile of this machine, as JSON

The figures are what a planner believes of this machine: how fast its memory is read, and how fast
it multiplies and adds in float32. Each is the best of several passes in a fraction of a second.")]
pub struct Options {
    /// Threads to measure with: one figure each [default: 1, and all cores]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: Options) -> color_eyre::Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cores = u16::try_from(cores).unwrap_or(u16::MAX);
    let mut counts = options.threads;
    if counts.is_empty() {
        counts = vec![1, cores];
        counts.dedup();
    }
    let rows: Vec<_> =
        counts.into_iter().map(|threads| (threads, measure_cpu(threads.into()))).collect();
    if options.json {
        let devices: Vec<_> = rows
            .iter()
            .map(|(threads, profile)| {
                json!({
                    "kind": "cpu",
                    "threads": threads,
                    "bandwidth_bytes_per_s": profile.bandwidth_bytes_per_s,
                    "flops_per_s": profile.flops_per_s,
                })
            })
            .collect();
        return print::json(&json!({ "devices": devices }));
    }
    let mut table = print::table();
    table.set_header(["device", "threads", "memory read, GB/s", "arithmetic, GFLOP/s"]);
    for (threads, profile) in rows {
        let bandwidth = format!("{:.1}", profile.bandwidth_bytes_per_s / 1e9);
        let flops = format!("{:.1}", profile.flops_per_s / 1e9);
        table.add_row(["cpu".to_owned(), threads.to_string(), bandwidth, flops]);
    }
    Ok(print::line(table)?)
}
