//! The `hexswarm-sim` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use hexswarm_sim::{GridError, ScenarioError};

/// Events are many and small: what the system keeps of each costs more than they do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            match error.is::<ScenarioError>() || error.is::<GridError>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}
