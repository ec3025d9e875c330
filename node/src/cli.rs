//! The command line: one verb a task.

mod bench;
pub mod catalogue;
mod leash;
mod model;
mod node;
pub mod plan;
pub(crate) mod print;
pub(crate) mod signals;

use clap::{Parser, Subcommand};

use crate::{client, demo};

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
    Run(client::run::Options),
    /// Talk with the model through any node
    Chat(client::chat::Options),
    /// Show who is here, the plan, links and load
    Status(client::status::Options),
    /// Plan a pool of machines from a file, without a swarm
    Plan(plan::Options),
    /// List the cards, models and weight formats that plans know
    Catalogue(catalogue::Options),
    /// Fetch, list, inspect, verify or make model files
    Model(model::Options),
    /// Measure this machine's devices
    Bench(bench::Options),
}

impl Cli {
    /// Does what was asked. An error is for people to read; what to type is clap's to say.
    pub async fn run(self) -> color_eyre::Result<()> {
        let outcome = match self.command {
            Command::Demo(options) => demo::run(options).await,
            Command::Node(options) => node::run(options).await,
            Command::Bootstrap(options) => swarm_bootstrap::run(options).await,
            Command::Run(options) => client::run::run(options).await,
            Command::Chat(options) => client::chat::run(options).await,
            Command::Status(options) => client::status::run(options).await,
            Command::Plan(options) => plan::run(options).await,
            Command::Catalogue(options) => catalogue::run(&options),
            Command::Model(options) => model::run(options).await,
            Command::Bench(options) => bench::run(options),
        };
        match outcome {
            Err(error) if print::reader_left(&error) => Ok(()),
            outcome => outcome,
        }
    }
}
