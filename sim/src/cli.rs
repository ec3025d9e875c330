//! What people type.

mod compare;
mod failures;
mod html;
mod options;
mod outputs;
mod paper;
mod print;
mod replay;
mod run;
mod scale;
mod sheet;
mod sweep;

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
    /// Runs a scenario with keys set to values in turn: a table with a row for each
    Sweep(sweep::Sweep),
    /// Compares two scenarios, or one under two settings, seed by seed
    Compare(compare::Compare),
    /// Runs the HexGen paper's evaluation anew, and says which of its claims hold
    Paper(paper::PaperArgs),
    /// Plays again what a live node recorded, and compares what it wanted done
    Replay(replay::Play),
    /// Lets swarms of any size rest, and tells what that costs and how long they take to notice
    Scale(scale::Cli),
    /// Lists the scenarios that come with the simulator
    List,
}

impl Cli {
    /// Does what was asked for. Whether all was clean.
    pub(crate) fn run(self) -> color_eyre::Result<bool> {
        match self.verb {
            Verb::Run(run) => run.play(),
            Verb::Sweep(sweep) => sweep.play(),
            Verb::Compare(compare) => compare.play(),
            Verb::Paper(paper) => paper.play(),
            Verb::Replay(play) => play.play(),
            Verb::Scale(scale) => scale.play(),
            Verb::List => print::list(),
        }
    }
}
