//! What people type.

mod print;
mod replay;
mod run;

use clap::{Parser, Subcommand};

/// Runs the decisions of real nodes on simulated machines.
#[derive(Debug, Parser)]
#[command(name = "hexswarm-sim", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs a scenario for one seed or for many, and checks what must hold
    Run(run::Run),
    /// Plays again what a live node recorded, and compares what it wanted done
    Replay(replay::Play),
    /// Lists the scenarios that come with the simulator
    List,
}

impl Cli {
    /// Does what was asked for. Whether all was clean.
    pub(crate) fn run(self) -> color_eyre::Result<bool> {
        match self.verb {
            Verb::Run(run) => run.play(),
            Verb::Replay(play) => play.play(),
            Verb::List => print::list(),
        }
    }
}
