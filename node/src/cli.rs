//! The command line: one verb a task.

mod bench;
mod model;
mod node;
mod plan;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::demo;

/// Serve large language models over unlike machines in many places.
#[derive(Debug, Parser)]
#[command(name = "hexswarm", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on stderr: -v for what happens, -vv for every detail
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  hexswarm demo                                 A swarm on this machine answers a prompt
  hexswarm node                                 Found a swarm, serve the default model
  hexswarm node --join /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo...
                                                Join one through a door or a node
  hexswarm run \"Why is the sky blue?\"           Ask the node on this machine
  hexswarm status                               Who is here, the plan, links, load

Exit codes: 0 done, 1 failed, 2 usage.";

/// A verb.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a swarm of unlike nodes on this machine and have it answer a prompt
    Demo(demo::Options),
    /// Join a swarm, or found one, and serve until stopped
    Node(node::Options),
    /// Keep a door into a swarm open: address book, relay, reachability
    Bootstrap(swarm_bootstrap::Options),
    /// Answer one prompt through any node
    Run(crate::client::run::Options),
    /// Talk with the model through any node
    Chat(crate::client::chat::Options),
    /// Show who is here, the plan, links and load
    Status(crate::client::status::Options),
    /// Plan a pool of machines from a file, without a swarm
    Plan(plan::Options),
    /// Fetch, list, inspect, verify or make model files
    Model(model::Options),
    /// Measure this machine's devices
    Bench(bench::Options),
}

impl Cli {
    /// Does what was asked.
    pub async fn run(self) -> color_eyre::Result<ExitCode> {
        match self.command {
            Command::Demo(options) => demo::run(options).await,
            Command::Node(options) => node::run(options).await,
            Command::Bootstrap(options) => {
                swarm_bootstrap::run(options).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Run(options) => crate::client::run::run(options).await,
            Command::Chat(options) => crate::client::chat::run(options).await,
            Command::Status(options) => crate::client::status::run(options).await,
            Command::Plan(options) => plan::run(options),
            Command::Model(options) => model::run(options),
            Command::Bench(options) => bench::run(options),
        }
    }
}
