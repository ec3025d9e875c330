//! The `hexswarm-sim` command.

use std::{ops::Range, process::ExitCode};

use clap::{Parser, Subcommand};
use hexswarm_sim::{Sabotage, default_scenario};
use serde_json::json;

/// Runs the decisions of real nodes on simulated machines.
#[derive(Debug, Parser)]
#[command(name = "hexswarm-sim", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Five nodes join, elect, plan and serve; one is killed in mid-answer; the answers go on
    #[command(after_help = "\
Examples:
  hexswarm-sim run --seed 7
  hexswarm-sim run --seeds 0..1000")]
    Run {
        /// One seed
        #[arg(long, default_value_t = 0, conflicts_with = "seeds")]
        seed: u64,
        /// Many: first..end
        #[arg(long, value_parser = seeds)]
        seeds: Option<Range<u64>>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    parsed.filter(|range| !range.is_empty()).ok_or_else(|| "write 0..1000".to_owned())
}

fn main() -> ExitCode {
    let Verb::Run { seed, seeds, json } = Cli::parse().verb;
    let seeds = seeds.unwrap_or(seed..seed.saturating_add(1));
    let (mut events, mut tokens, mut log) = (0, 0, None);
    let (first, end) = (seeds.start, seeds.end);
    for seed in seeds {
        match default_scenario(seed, Sabotage::None) {
            Ok(outcome) => {
                events += outcome.events;
                tokens += outcome.tokens;
                log = Some(outcome.log.to_string());
            }
            Err(broken) => {
                eprintln!("seed {seed}: {broken}\nagain: hexswarm-sim run --seed {seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    if json {
        println!(
            "{}",
            json!({ "seeds": [first, end], "events": events, "tokens": tokens, "log": log })
        );
    } else {
        println!("seeds {first} to {}: clean; {events} events, {tokens} tokens", end - 1);
    }
    ExitCode::SUCCESS
}
